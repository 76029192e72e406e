#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "io/task.h"
#include "pgclient/connection.h"

namespace howdah::instance {

/// What PostgreSQL finds wrong in its configuration files as they are now: postgresql.conf and what
/// it includes, pg_hba.conf, and pg_ident.conf from 15 on. A change that only waits for a restart
/// is none.
struct FileErrors {
    std::string text{};  ///< "/data/pg_hba.conf line 3: invalid ..."; empty: nothing is wrong
    std::vector<std::string> files{};  ///< that it has read
};

/// Asks the views that read the files anew, which need a superuser. Errors: those of
/// Connection::query(), Errc::invalid among them: a file can't be read at all.
io::Task<Result<FileErrors>> ask_file_errors(pgclient::Connection& connection, Nanos limit);

/// Changes when one of the files does: by inode, size and time of change.
std::string fingerprint(const std::vector<std::string>& files);

}  // namespace howdah::instance
