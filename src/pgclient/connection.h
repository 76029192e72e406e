#pragma once

#include <memory>
#include <string>
#include <vector>

#include "io/task.h"
#include "pgclient/link.h"

namespace howdah::pgclient {

/// A connection to a PostgreSQL server for coroutines. One query at a time. A query that is
/// cancelled, or runs out of time, leaves it broken: drop it then, which ends the server's session.
class Connection {
public:
    /// A host that is a name is looked up without blocking. Errors: Errc::unavailable with the
    /// server's words and Error::sqlstate (Link::connect_step), Errc::timeout.
    static io::Task<Result<std::unique_ptr<Connection>>> open(io::Clock& clock, Keywords keywords,
                                                              Nanos limit);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Rows of the last statement in `sql`; with `parameters` ($1, ...) one statement only.
    /// Errors: Errc::unavailable (the connection is lost), Errc::invalid (the server refused, with
    /// its words and Error::sqlstate), Errc::timeout.
    io::Task<Result<Rows>> query(std::string sql, std::vector<std::string> parameters, Nanos limit);
    bool broken() const { return broken_; }
    int server_version() const { return link_.server_version(); }

    /// Returns when the server sends something, or has ended. Not during a query. The connection
    /// may be destroyed meanwhile. Errors: Errc::cancelled, Errc::io.
    io::Task<Result<>> wait_for_news();
    /// Reads what has arrived. False: the connection is lost.
    bool alive() { return link_.look(); }
    /// Ends the conversation at once, and with it every wait for news.
    void cut();

    /// A SCRAM verifier for CREATE ROLE ... PASSWORD, so that no password travels. Errors:
    /// Errc::invalid.
    Result<std::string> password_verifier(const std::string& password,
                                          const std::string& user) const {
        return link_.password_verifier(password, user);
    }

private:
    Connection(io::Clock& clock, Link link) : clock_(clock), link_(std::move(link)) {}
    io::Task<Result<>> wait(Step step);
    io::Task<Result<>> finish_connecting();
    io::Task<Result<Rows>> exchange(std::string sql, std::vector<std::string> parameters);

    io::Clock& clock_;
    Link link_;
    bool broken_ = false;
};

}  // namespace howdah::pgclient
