#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "io/task.h"

struct pg_conn;

namespace howdah::instance {

using Row = std::vector<std::optional<std::string>>;
using Rows = std::vector<Row>;
/// libpq's connection keywords: host, port, user, password, dbname, replication, options, ...
using ConnectionKeywords = std::map<std::string, std::string>;

/// One connection to a PostgreSQL server, through libpq without blocking. One query at a time.
class Connection {
public:
    /// Errors: Errc::unavailable with the server's words, Errc::timeout.
    static io::Task<Result<std::unique_ptr<Connection>>> open(io::Clock& clock,
                                                              ConnectionKeywords keywords,
                                                              Nanos limit);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection();

    /// Rows of the last statement in `sql`; with `parameters` ($1, ...) one statement only.
    /// After a timeout the connection is broken. Errors: Errc::unavailable (the connection is
    /// lost), Errc::invalid (the server refused, with its words), Errc::timeout.
    io::Task<Result<Rows>> query(std::string sql, std::vector<std::string> parameters, Nanos limit);
    bool broken() const { return broken_; }
    int server_version() const;

    /// A SCRAM verifier for CREATE ROLE ... PASSWORD, so that no password travels. Errors:
    /// Errc::invalid.
    Result<std::string> password_verifier(const std::string& password,
                                          const std::string& user) const;

private:
    explicit Connection(io::Clock& clock) : clock_(clock) {}
    io::Task<Result<>> finish_connecting();
    io::Task<Result<Rows>> exchange(std::string sql, std::vector<std::string> parameters);
    io::Task<Result<>> flush();
    io::Task<Result<Rows>> collect();
    Error failure(Errc code) const;

    io::Clock& clock_;
    pg_conn* conn_ = nullptr;
    bool broken_ = false;
};

/// 'text' as a literal, "text" as an identifier.
std::string quote_literal(const std::string& text);
std::string quote_identifier(const std::string& text);

}  // namespace howdah::instance
