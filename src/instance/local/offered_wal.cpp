#include "instance/local/offered_wal.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string_view>
#include <vector>

#include "io/files.h"
#include "pg/wal_segment.h"

namespace howdah::instance {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view done = ".done", ready = ".ready";

/// Backups' own files, and the ends of abandoned timelines, are nobody's to push again.
bool is_history_or_segment(std::string_view name) {
    const auto digits = name.ends_with(".history") ? name.substr(0, name.size() - 8) : name;
    return (digits.size() == 24 || (digits.size() == 8 && digits.size() < name.size())) &&
           digits.find_first_not_of("0123456789ABCDEF") == std::string_view::npos;
}

}  // namespace

Result<std::size_t> offer_wal_again(const std::string& data_dir) {
    const auto wal = data_dir + "/pg_wal/", marks = wal + "archive_status/";
    std::vector<std::string> names;
    std::error_code ec;
    for (const auto& mark : fs::directory_iterator(marks, ec)) {
        auto name = mark.path().filename().string();
        if (!name.ends_with(done)) {
            continue;
        }
        name.resize(name.size() - done.size());
        if (is_history_or_segment(name) && fs::exists(wal + name, ec)) {
            names.push_back(std::move(name));
        }
    }
    if (ec) {
        return fail(Errc::io, "list " + marks + ": " + ec.message());
    }
    for (const auto& name : names) {
        const auto from = marks + name + std::string(done), to = marks + name + std::string(ready);
        // A checkpoint may have removed it meanwhile.
        if (std::rename(from.c_str(), to.c_str()) != 0 && errno != ENOENT) {
            return io::fail_errno("rename " + from);
        }
    }
    HD_TRY_VOID(io::sync_folder(marks));
    return names.size();
}

Result<std::size_t> offer_unmarked_wal(const std::string& data_dir,
                                       const std::vector<pg::Branch>& history,
                                       std::uint64_t segment_bytes) {
    const auto wal = data_dir + "/pg_wal/", marks = wal + "archive_status/";
    const auto is_whole = [&](const pg::WalSegment& segment) {
        const auto branch = std::ranges::find(history, segment.timeline, &pg::Branch::timeline);
        return branch != history.end() &&
               segment.start(segment_bytes).bytes() + segment_bytes <= branch->end.bytes();
    };
    std::size_t offered = 0;
    std::error_code ec;
    for (const auto& file : fs::directory_iterator(wal, ec)) {
        const auto name = file.path().filename().string();
        const auto segment = pg::WalSegment::parse(name);
        const auto mark = marks + name;
        if (segment && is_whole(*segment) && !fs::exists(mark + std::string(done)) &&
            !fs::exists(mark + std::string(ready))) {
            HD_TRY_VOID(io::write_file_atomically(mark + std::string(ready), ""));
            ++offered;
        }
    }
    if (ec) {
        return fail(Errc::io, "list " + wal + ": " + ec.message());
    }
    return offered;
}

}  // namespace howdah::instance
