#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace howdah::pgclient {

/// libpq's connection keywords: host, port, user, password, dbname, replication, options, ...
using Keywords = std::map<std::string, std::string>;
/// "postgresql://u@h/db" or "host=h dbname=db", taken apart. Errors: Errc::invalid.
Result<Keywords> parse_conninfo(const std::string& text);

/// As text; nullopt: NULL.
using Row = std::vector<std::optional<std::string>>;
using Rows = std::vector<Row>;

struct Column {
    std::string name{};
    std::uint32_t type = 0;  ///< OID in pg_type
};
struct Answer {
    std::vector<Column> columns{};  ///< none: the statement gives no rows
    Rows rows{};
};

/// SQLSTATEs that are decided by; Error::sqlstate has them. Source: PostgreSQL docs, appendix A.
namespace sqlstate {
constexpr std::string_view invalid_password = "28P01";
constexpr std::string_view invalid_authorization = "28000";
constexpr std::string_view no_such_database = "3D000";
constexpr std::string_view duplicate_object = "42710";
constexpr std::string_view undefined_function = "42883";
constexpr std::string_view insufficient_privilege = "42501";
constexpr std::string_view query_canceled = "57014";
constexpr std::string_view cannot_connect_now = "57P03";
}  // namespace sqlstate

}  // namespace howdah::pgclient
