#include "instance/local/taken_timelines.h"

#include <fmt/format.h>

#include <filesystem>

#include "io/files.h"
#include "pg/reserved_timeline.h"

namespace howdah::instance {

Result<> take_timelines_below(const std::string& data_dir, pg::Timeline timeline) {
    for (pg::Timeline number = 2; number < timeline; ++number) {
        const auto name = fmt::format("{:08X}.history", number);
        const auto file = fmt::format("{}/pg_wal/{}", data_dir, name);
        std::error_code ec;
        if (std::filesystem::exists(file, ec)) {
            continue;
        }
        HD_TRY_VOID(io::write_file_atomically(file, std::string(pg::reserved_history)));
        HD_TRY_VOID(io::write_file_atomically(
            fmt::format("{}/pg_wal/archive_status/{}.ready", data_dir, name), ""));
    }
    return {};
}

}  // namespace howdah::instance
