#pragma once

#include <libpq-fe.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "io/task.h"

namespace howdah::proxy {

using PgConnection = std::shared_ptr<PGconn>;
/// Keywords of PostgreSQL docs 34.1.2. Give hostaddr: a name would be looked up while the thread
/// waits.
using ConnectionOptions = std::map<std::string, std::string>;

/// Errors: Errc::unavailable with libpq's words on one line.
io::Task<Result<PgConnection>> pg_connect(ConnectionOptions options);
/// The first row of the answer, NULL as "". Errors: Errc::unavailable, Errc::invalid (no such row).
io::Task<Result<std::vector<std::string>>> pg_query_row(PgConnection connection, std::string sql);

}  // namespace howdah::proxy
