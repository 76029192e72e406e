#include "backup/command/restore/file_restore.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "backup/local_file.h"
#include "backup/options/exit_code.h"
#include "backup/pump.h"
#include "io/fd.h"
#include "io/files.h"
#include "repo/manifest/block_plan.h"
#include "repo/paths.h"

namespace howdah::backup {
namespace {

repo::StoredForm form_of(const repo::ManifestHeader& header, bool in_bundle) {
    return {.compress = header.options.compress,
            .cipher_pass = header.cipher_pass,
            .raw = in_bundle && header.bundle_raw};
}

/// Never through a link or into a file: what stands in the way is not ours, and may have other
/// names elsewhere.
Result<io::Fd> open_new(const std::string& path) {
    io::Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd && errno == EEXIST) {
        return fail_with(ExitCode::file_exists, Errc::conflict,
                         fmt::format("unable to restore file {}: it exists already", path));
    }
    if (!fd) {
        return fail_local("make", path);
    }
    return fd;
}

Result<> write_at(const io::Fd& fd, const std::string& path, Bytes bytes, std::uint64_t offset) {
    while (!bytes.empty()) {
        const auto n = pwrite(fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail_local("write", path);
        }
        bytes = bytes.subspan(static_cast<std::size_t>(n));
        offset += static_cast<std::uint64_t>(n);
    }
    return {};
}

/// `size` bytes of a stored file. What a manifest says of sizes is not trusted with memory.
Result<ByteBuffer> read_range(files::Files& files, const std::string& path, std::uint64_t offset,
                              std::uint64_t size) {
    HD_TRY(const auto source, files.read(path, {.offset = offset, .size = size}));
    ByteBuffer all;
    ByteBuffer block(std::min<std::uint64_t>(size, pump_block));
    while (all.size() < size) {
        HD_TRY(const auto got, source->read(block));
        if (got == 0) {
            return fail(Errc::corrupt, fmt::format("{} ends too soon", path));
        }
        all.insert(all.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(got));
    }
    return all;
}

Result<> check_content(const repo::ManifestFile& file, std::uint64_t size,
                       const repo::Sha1Digest& sum) {
    if (size != file.size) {
        return fail(Errc::corrupt,
                    fmt::format("it unpacks to {} bytes, the manifest says {}", size, file.size));
    }
    if (file.sum && *file.sum != sum) {
        return fail(Errc::corrupt, fmt::format("its content has SHA-1 {}, the manifest says {}",
                                               sum.hex(), file.sum->hex()));
    }
    return {};
}

Result<> restore_whole(const BackupSource& from, const repo::ManifestFile& file,
                       const repo::StoredPlace& place, const std::string& path) {
    HD_TRY(const auto fd, open_new(path));
    HD_TRY(const auto source,
           from.repository.files().read(place.path, {.offset = place.offset, .size = place.size}));
    repo::SumTap original;
    auto pipeline = repo::reader_of(form_of(from.header, place.in_bundle), &original, nullptr);
    std::uint64_t written = 0;
    HD_TRY_VOID(pump(*source, pipeline, [&](Bytes bytes) -> Result<> {
        if (written + bytes.size() > file.size) {
            return fail(Errc::corrupt,
                        fmt::format("it unpacks to more than the {} bytes that the manifest says",
                                    file.size));
        }
        HD_TRY_VOID(write_at(fd, path, bytes, written));
        written += bytes.size();
        return {};
    }));
    return check_content(file, written, original.finish());
}

Result<> restore_blocks(const BackupSource& from, const repo::ManifestFile& file,
                        const repo::StoredPlace& place, const std::string& path) {
    const auto form = form_of(from.header, true);
    const auto& facts = *file.blocks;
    auto& files = from.repository.files();
    if (facts.map_size > place.size) {
        return fail(Errc::corrupt, "its block map is larger than the file");
    }
    HD_TRY(
        const auto packed_map,
        read_range(files, place.path, place.offset + place.size - facts.map_size, facts.map_size));
    HD_TRY(const auto map, repo::unpack_map(form, packed_map, facts));
    HD_TRY(const auto fd, open_new(path));
    for (const auto& super_block : repo::reads_of(map)) {
        const auto& at = super_block.place;
        if (at.reference >= from.header.references.size()) {
            return fail(Errc::corrupt, "its block map names a backup that the manifest does not");
        }
        const auto& holder = from.header.references[at.reference].text();
        const auto stored = at.bundle != 0 ? repo::bundle_path(from.stanza, holder, at.bundle)
                                           : repo::file_path(from.stanza, holder, file,
                                                             from.header.options.compress);
        HD_TRY(const auto packed, read_range(files, stored, at.offset, at.stored_size));
        HD_TRY(const auto blocks, repo::unpack_super_block(form, packed, super_block, facts, map));
        for (const auto& part : super_block.parts) {
            const auto begin = std::uint64_t{part.index} * facts.block_size;
            const auto to = part.block * facts.block_size;
            const auto size = std::min<std::uint64_t>(facts.block_size, blocks.size() - begin);
            if (to + size > file.size) {
                return fail(Errc::corrupt, "a block lies behind the end of the file");
            }
            HD_TRY_VOID(write_at(fd, path, Bytes(blocks).subspan(begin, size), to));
        }
    }
    struct stat found{};
    fstat(fd.get(), &found);
    HD_TRY(const auto sum, sum_of_local(path));
    return check_content(file, static_cast<std::uint64_t>(found.st_size), sum);
}

}  // namespace

Result<> restore_file(const BackupSource& from, const repo::ManifestFile& file,
                      const std::string& path) {
    const auto place = repo::stored_place(from.stanza, from.header.label, file,
                                          from.header.options.compress, from.header.bundle);
    if (!place) {
        return restore_as_zeros(file, path);
    }
    auto done = file.blocks ? restore_blocks(from, file, *place, path)
                            : restore_whole(from, file, *place, path);
    if (!done) {
        return std::unexpected(std::move(done).error().within(
            fmt::format("{} from {} of {}", file.name, place->path, from.repository.name())));
    }
    return {};
}

Result<> restore_as_zeros(const repo::ManifestFile& file, const std::string& path) {
    HD_TRY(const auto fd, open_new(path));
    if (ftruncate(fd.get(), static_cast<off_t>(file.size)) != 0) {
        return io::fail_errno(fmt::format("make {} of {} bytes", path, file.size));
    }
    return {};
}

Result<bool> holds_content(const repo::ManifestFile& file, const std::string& path) {
    struct stat found{};
    if (lstat(path.c_str(), &found) != 0 || !S_ISREG(found.st_mode) ||
        static_cast<std::uint64_t>(found.st_size) != file.size) {
        return false;
    }
    if (file.size == 0) {
        return true;
    }
    HD_TRY(const auto sum, sum_of_local(path));
    return file.sum == sum;
}

}  // namespace howdah::backup
