#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace howdah::backup {

/// A file's name, and when its content was changed last (nanoseconds since 1970).
struct TimedName {
    std::string name{};
    std::int64_t modified_ns = 0;
};

/// What the process in the background does with what it finds.
struct PushPlan {
    std::vector<std::string> push{};  ///< in the order of PostgreSQL: histories first, then by name
    std::vector<std::string> stale{};  ///< files of the spool that say nothing any more
};

/// `ready`: files that PostgreSQL wants archived. `told`: files of the spool. A file is done when
/// an
/// ".ok" says so that is no older than the file's content: one of that name may have been archived
/// of another cluster, before a restore. All else is pushed, `most` of them, and what says an
/// error, or anything of a file that is not wanted, is stale.
PushPlan plan_push(const std::vector<TimedName>& ready, const std::vector<TimedName>& told,
                   std::size_t most);

/// Of a file's content. Errors: Errc::not_found, Errc::io.
Result<std::int64_t> modified_ns(const std::string& path);
/// When the file got its content under any name here: of one that was copied with its time of
/// modification, when it was copied. Errors: as above.
Result<std::int64_t> arrived_ns(const std::string& path);
/// Nothing for a folder that is not there. Errors: Errc::io.
Result<std::vector<TimedName>> names_in(const std::string& folder);
/// Names in pg_wal/archive_status that PostgreSQL wants archived, with the times when the files
/// in pg_wal arrived. Errors: as above.
Result<std::vector<TimedName>> ready_files(const std::string& wal_folder);

}  // namespace howdah::backup
