#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/instant.h"
#include "base/result.h"
#include "io/task.h"
#include "io/unix_socket.h"

namespace howdah::fencer {

/// How a fencer's postmaster ended; the whole tree is dead by then.
struct Exit {
    std::string status{};  ///< exit code, or SIGn
    std::string reason{};  ///< exited, deadline, request
    bool clean() const { return status == "0"; }
    bool operator==(const Exit&) const = default;
};

struct Status {
    int postmaster_pid = 0;
    bool killing = false;
    Instant deadline{};
    bool locked = false;    ///< mlockall was permitted
    bool realtime = false;  ///< SCHED_FIFO was permitted
    bool oom_exempt = false;
};

/// What a fencer is started with.
struct Launch {
    std::string howdah_binary{};  ///< the program that has the verb `fencer`
    std::string state_dir{};
    std::string deadline_page{};
    std::string log{};
    std::vector<std::string> command{};      ///< postmaster's argv, absolute path first
    std::vector<std::string> environment{};  ///< NAME=value; all of it
};

/// Starts a fencer, which is nobody's child for long and outlives the caller.
/// Errors: Errc::io or Errc::conflict (another one runs), with the fencer's words.
io::Task<Result<>> launch(io::Clock& clock, Launch how);

/// `<state_dir>/fencer.exit`, left by the last fencer. Errors: Errc::not_found.
Result<Exit> read_exit(const std::string& state_dir);
/// True when no fencer lives in this state directory (its flock is free).
bool no_fencer_lives(const std::string& state_dir);

/// A connection to the living fencer of a state directory. It neither starts nor ends it.
/// One executor. close() must be awaited before it is destroyed.
class FencerClient {
public:
    FencerClient(io::Executor executor, io::Clock& clock, std::string state_dir)
        : clock_(clock), state_dir_(std::move(state_dir)), scope_(executor), answered_(executor) {
        answered_.expires_at(io::asio::steady_timer::time_point::max());
    }

    /// Errors: Errc::not_found or Errc::unavailable: no fencer lives here.
    io::Task<Result<Status>> connect();
    bool connected() const { return socket_ != nullptr; }

    /// Errors: Errc::timeout: it lives but does not answer; Errc::unavailable: it has ended.
    io::Task<Result<Status>> status(Nanos limit = Seconds(2));
    /// INT, QUIT, TERM, HUP or USR1 to the postmaster. Errors: Errc::unavailable: it has ended.
    io::Task<Result<>> signal(std::string name);
    /// Kills the tree and returns once it is proven dead. Errors: Errc::timeout with the pid that
    /// doesn't die (safety-model.md, F3), Errc::unavailable: the fencer is gone without having
    /// proven it.
    io::Task<Result<>> kill(Nanos limit);

    /// How the tree ended; empty while it lives or when the fencer died before it.
    const std::optional<Exit>& exited() const { return exit_; }
    /// Called when the tree is dead or the fencer lost; exited() tells which.
    void on_end(std::function<void()> then) { on_end_ = std::move(then); }

    io::Task<> close();

private:
    io::Task<> listen();
    void take(std::string line);
    io::Task<Result<std::string>> ask(std::string line, std::string answer_word, Nanos limit);
    io::Task<Result<std::string>> await_answer(std::string word);

    io::Clock& clock_;
    std::string state_dir_;
    io::Scope scope_;
    std::shared_ptr<io::LineSocket> socket_{};  ///< shared with what reads and writes
    std::vector<std::string> answers_{};        ///< not yet taken; a handful
    io::asio::steady_timer answered_;
    std::optional<Exit> exit_{};
    std::function<void()> on_end_{};
};

}  // namespace howdah::fencer
