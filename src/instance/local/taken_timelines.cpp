#include "instance/local/taken_timelines.h"

#include <fmt/format.h>

#include <filesystem>

#include "io/files.h"

namespace howdah::instance {
namespace {

/// A line as of a timeline that left the first one before its first record: nobody's history.
constexpr std::string_view nobodys_history = "1\t0/0\treserved\n";

}  // namespace

Result<> take_timelines_below(const std::string& data_dir, pg::Timeline timeline) {
    for (pg::Timeline number = 2; number < timeline; ++number) {
        const auto name = fmt::format("{:08X}.history", number);
        const auto file = fmt::format("{}/pg_wal/{}", data_dir, name);
        std::error_code ec;
        if (std::filesystem::exists(file, ec)) {
            continue;
        }
        HD_TRY_VOID(io::write_file_atomically(file, nobodys_history));
        HD_TRY_VOID(io::write_file_atomically(
            fmt::format("{}/pg_wal/archive_status/{}.ready", data_dir, name), ""));
    }
    return {};
}

}  // namespace howdah::instance
