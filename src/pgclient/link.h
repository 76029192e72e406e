#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pgclient/answer.h"

struct pg_conn;
struct pg_result;

namespace howdah::pgclient {

/// What must come before the next step of a Link.
enum class Step : std::uint8_t { done, wait_readable, wait_writable };

/// One libpq connection that never waits: what Connection and BlockingConnection are made of. Call
/// a step again when the socket is ready for what it asked.
class Link {
public:
    /// Begins to connect. A host that is a name is looked up here, which takes its time. Errors:
    /// Errc::unavailable.
    static Result<Link> begin(const Keywords& keywords);
    Link(Link&&) = default;

    /// Errors: Errc::unavailable with the server's words; Error::sqlstate as far as
    /// connect_failure.h can tell it, 28P01 also of one that asked for a password when there is
    /// none.
    Result<Step> connect_step();

    /// Errors: Errc::unavailable.
    Result<> send(const std::string& sql, const std::vector<std::string>& parameters);
    /// Errors: Errc::unavailable (the connection is lost), Errc::invalid (the server refused, with
    /// its words and Error::sqlstate; the connection is as good as before).
    Result<Step> answer_step();
    /// That of the last statement that gave one, after answer_step() was done.
    Answer take_answer() { return std::move(answer_); }

    /// Reads what has arrived. False: the connection is lost.
    bool look();
    bool connected() const;
    int socket() const;  ///< another one after each connect_step(); -1: none
    bool over_unix_socket() const;
    int server_version() const;  ///< 150004
    /// Asks the server to give up what it does, over a connection of its own; blocks until it is
    /// told.
    void cancel() const;
    /// NOTICE and WARNING of the server, which nobody hears otherwise.
    void on_notice(std::function<void(std::string_view)> hear);
    /// Errors: Errc::invalid.
    Result<std::string> password_verifier(const std::string& password,
                                          const std::string& user) const;

private:
    struct Finish {
        void operator()(pg_conn* connection) const;
    };
    using Hear = std::function<void(std::string_view)>;

    explicit Link(pg_conn* connection);
    Error failure(Errc code) const;
    Error refusal_to_connect() const;
    Result<> keep(const pg_result* result);

    std::unique_ptr<pg_conn, Finish> connection_;
    std::unique_ptr<Hear> hear_;
    bool connecting_ = false;    ///< connect_step() has been called
    bool input_waited_ = false;  ///< the last step asked for input
    Answer answer_{};
    std::optional<Error> refused_{};
};

}  // namespace howdah::pgclient
