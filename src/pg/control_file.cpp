#include "pg/control_file.h"

#include <array>
#include <cstring>

namespace howdah::pg {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::size_t checkpoint_at = 32;
constexpr std::size_t redo_at = 40;
constexpr std::size_t timeline_at = 48;
// The checksum stands behind the last field, whose place depends on the version.
constexpr std::size_t first_sum_at = 200;
constexpr std::size_t last_sum_at = 508;
constexpr std::uint64_t invalid_checkpoint = 0xDEAD;

/// CRC-32C, reflected.
constexpr std::array<std::uint32_t, 256> make_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        auto crc = byte;
        for (int bit = 0; bit < 8; ++bit) {
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78U : 0);
        }
        table[byte] = crc;
    }
    return table;
}

std::uint32_t crc_step(std::uint32_t crc, std::byte byte) {
    static constexpr auto table = make_table();
    return table[(crc ^ std::to_integer<std::uint32_t>(byte)) & 0xFF] ^ crc >> 8;
}

template <class T>
T read_at(Bytes file, std::size_t at) {
    T value;
    std::memcpy(&value, file.data() + at, sizeof value);
    return value;
}

/// Where the checksum of what stands before it is.
Result<std::size_t> sum_place(Bytes file) {
    if (file.size() >= last_sum_at + sizeof(std::uint32_t)) {
        auto crc = ~std::uint32_t{0};
        for (std::size_t at = 0; at <= last_sum_at; ++at) {
            if (at >= first_sum_at && at % 4 == 0 && read_at<std::uint32_t>(file, at) == ~crc) {
                return at;
            }
            crc = crc_step(crc, file[at]);
        }
    }
    return fail(Errc::corrupt, "pg_control: no checksum fits",
                "it was being written, is damaged, or of another byte order");
}

}  // namespace

Result<ControlFile> ControlFile::parse(Bytes file) {
    HD_TRY_VOID(sum_place(file));
    return ControlFile{.system_id = read_at<std::uint64_t>(file, 0),
                       .control_version = read_at<std::uint32_t>(file, 8),
                       .catalog_version = read_at<std::uint32_t>(file, 12),
                       .checkpoint = Lsn(read_at<std::uint64_t>(file, checkpoint_at)),
                       .redo = Lsn(read_at<std::uint64_t>(file, redo_at)),
                       .timeline = read_at<Timeline>(file, timeline_at)};
}

Result<> invalidate_checkpoint(std::span<std::byte> file) {
    HD_TRY(const auto place, sum_place(file));
    std::memcpy(file.data() + checkpoint_at, &invalid_checkpoint, sizeof invalid_checkpoint);
    auto crc = ~std::uint32_t{0};
    for (const auto byte : file.first(place)) {
        crc = crc_step(crc, byte);
    }
    crc = ~crc;
    std::memcpy(file.data() + place, &crc, sizeof crc);
    return {};
}

}  // namespace howdah::pg
