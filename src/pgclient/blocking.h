#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/instant.h"
#include "pgclient/link.h"

namespace howdah::pgclient {

/// Asked some 20 times a second while a call waits; true ends the wait. May be empty.
using Stop = std::function<bool()>;

/// A connection to a PostgreSQL server for threads that may wait. One thread at a time.
class BlockingConnection {
public:
    /// The limit does not bound how long a name server takes. Errors: Errc::unavailable with the
    /// server's words and Error::sqlstate (Link::connect_step), Errc::timeout, Errc::cancelled.
    static Result<BlockingConnection> open(const Keywords& keywords, Nanos limit, Stop stop = {});
    BlockingConnection(BlockingConnection&&) = default;

    /// The answer to the last statement in `sql` that gives one; with `parameters` ($1, ...) one
    /// statement only. One that runs out of time, or is stopped, leaves the connection broken; over
    /// a Unix socket the server is asked to give it up, elsewhere it learns when it next writes.
    /// Errors: Errc::unavailable (the connection is lost), Errc::invalid (the server refused, with
    /// its words and Error::sqlstate), Errc::timeout, Errc::cancelled.
    Result<Answer> ask(const std::string& sql, const std::vector<std::string>& parameters,
                       Nanos limit);
    /// Its rows alone.
    Result<Rows> query(const std::string& sql, const std::vector<std::string>& parameters,
                       Nanos limit);
    bool broken() const { return broken_; }
    int server_version() const { return link_.server_version(); }  ///< 150004
    /// NOTICE and WARNING of the server, which nobody hears otherwise.
    void on_notice(std::function<void(std::string_view)> hear) { link_.on_notice(std::move(hear)); }

private:
    BlockingConnection(Link link, Stop stop) : link_(std::move(link)), stop_(std::move(stop)) {}
    Result<> wait(Step step, Instant end, Nanos limit) const;
    Result<> finish(Result<Step> (Link::*next)(), Nanos limit);

    Link link_;
    Stop stop_;
    bool broken_ = false;
};

}  // namespace howdah::pgclient
