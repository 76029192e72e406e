#include "fencer/client.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

#include "io/readiness.h"

namespace howdah::fencer {
namespace {

constexpr Nanos answer_limit = Seconds(2);
constexpr Nanos launch_limit = Seconds(10);

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> all;
    for (auto& text : texts) {
        all.push_back(text.data());
    }
    all.push_back(nullptr);
    return all;
}

std::string read_all(int fd) {
    std::string all;
    char part[1024];
    ssize_t got = 0;
    while (all.size() < 8192 && (got = ::read(fd, part, sizeof part)) > 0) {
        all.append(part, static_cast<std::size_t>(got));
    }
    while (all.ends_with('\n')) {
        all.pop_back();
    }
    return all;
}

Result<Exit> parse_exit(const std::string& line) {
    std::istringstream words(line);
    std::string word;
    Exit exit;
    if (words >> word >> exit.status >> exit.reason && word == "exit") {
        return exit;
    }
    return fail(Errc::corrupt, "fencer: not an exit line: " + line);
}

Status parse_status(const std::string& line) {
    std::istringstream words(line);
    Status status;
    for (std::string word; words >> word;) {
        const auto equals = word.find('=');
        if (equals == std::string::npos) {
            continue;
        }
        const auto key = word.substr(0, equals);
        const auto value = word.substr(equals + 1);
        std::int64_t number = 0;
        std::from_chars(value.data(), value.data() + value.size(), number);
        if (key == "pid") {
            status.postmaster_pid = static_cast<int>(number);
        } else if (key == "state") {
            status.killing = value != "running";
        } else if (key == "deadline") {
            status.deadline = {Nanos(number)};
        } else if (key == "locked") {
            status.locked = value == "yes";
        } else if (key == "realtime") {
            status.realtime = value == "yes";
        } else if (key == "oom") {
            status.oom_exempt = value == "yes";
        }
    }
    return status;
}

/// The fencer's starter process: what it says on stderr, and its end.
struct Starter {
    pid_t pid = -1;
    int pidfd = -1;
    int errors = -1;

    Starter() = default;
    Starter(const Starter&) = delete;
    Starter& operator=(const Starter&) = delete;
    ~Starter() {
        if (pid > 0) {
            // It only waits for the fencer's word; ended early, the fencer goes on or gives up by
            // itself.
            ::kill(pid, SIGKILL);
            waitpid(pid, nullptr, 0);
        }
        ::close(pidfd);
        ::close(errors);
    }
    int reap() {
        int status = 0;
        waitpid(std::exchange(pid, -1), &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
    }
};

Result<> spawn(Launch& how, Starter& starter) {
    std::vector<std::string> argv{how.howdah_binary, "fencer",          "--state-dir",
                                  how.state_dir,     "--deadline-page", how.deadline_page,
                                  "--log",           how.log,           "--"};
    argv.insert(argv.end(), how.command.begin(), how.command.end());
    int errors[2];
    if (pipe2(errors, O_CLOEXEC) != 0) {
        return fail(Errc::io, std::string("fencer: pipe: ") + std::strerror(errno));
    }
    starter.errors = errors[0];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions, 0, 1);
    posix_spawn_file_actions_adddup2(&actions, errors[1], 2);
    // Asio opens sockets without O_CLOEXEC: PostgreSQL would keep a dead agent's REST port in
    // LISTEN.
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    const int error = posix_spawn(&starter.pid, how.howdah_binary.c_str(), &actions, nullptr,
                                  pointers(argv).data(), pointers(how.environment).data());
    posix_spawn_file_actions_destroy(&actions);
    ::close(errors[1]);
    if (error != 0) {
        starter.pid = -1;
        return fail(Errc::io, how.howdah_binary + ": " + std::strerror(error));
    }
    starter.pidfd = static_cast<int>(syscall(SYS_pidfd_open, starter.pid, 0));
    return {};
}

}  // namespace

io::Task<Result<>> launch(io::Clock& clock, Launch how) {
    Starter starter;
    HD_CO_TRY_VOID(spawn(how, starter));
    HD_CO_TRY_VOID(co_await io::within(clock, launch_limit, io::wait_readable(starter.pidfd)));
    const int code = starter.reap();
    if (code != 0) {
        const auto words = read_all(starter.errors);
        const auto kind =
            words.find("another fencer") != std::string::npos ? Errc::conflict : Errc::io;
        co_return fail(kind,
                       "fencer: " + (words.empty() ? "exit code " + std::to_string(code) : words));
    }
    co_return Result<>{};
}

Result<Exit> read_exit(const std::string& state_dir) {
    std::ifstream file(state_dir + "/fencer.exit");
    std::string line;
    if (!std::getline(file, line)) {
        return fail(Errc::not_found, state_dir + "/fencer.exit: not there");
    }
    return parse_exit(line);
}

bool no_fencer_lives(const std::string& state_dir) {
    const int fd = ::open((state_dir + "/fencer.lock").c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT;
    }
    const bool free = flock(fd, LOCK_EX | LOCK_NB) == 0;
    ::close(fd);
    return free;
}

io::Task<Result<Status>> FencerClient::connect() {
    HD_CO_TRY(auto socket,
              co_await io::within(clock_, answer_limit,
                                  io::LineSocket::connect(state_dir_ + "/fencer.sock")));
    socket_ = std::move(socket);
    exit_.reset();
    answers_.clear();
    scope_.spawn([this] { return listen(); });
    co_return co_await status();
}

io::Task<> FencerClient::listen() {
    const auto socket = socket_;
    while (true) {
        auto line = co_await socket->read_line();
        if (!line) {
            break;
        }
        take(*std::move(line));
    }
    socket_.reset();
    answered_.cancel();
    if (on_end_) {
        on_end_();
    }
}

void FencerClient::take(std::string line) {
    if (line.starts_with("exit ")) {
        if (auto exit = parse_exit(line)) {
            exit_ = *std::move(exit);
        }
    } else if (answers_.size() < 16) {
        answers_.push_back(std::move(line));
    }
    answered_.cancel();
}

io::Task<Result<std::string>> FencerClient::await_answer(std::string word) {
    while (true) {
        // `kill` has two answers; every other request has the word that it begins with.
        const auto found = std::ranges::find_if(answers_, [&](const std::string& line) {
            return line.starts_with(word) || (word == "dead" && line.starts_with("stuck "));
        });
        if (found != answers_.end()) {
            auto line = *std::move(found);
            answers_.erase(found);
            co_return line;
        }
        if (!socket_) {
            co_return fail(Errc::unavailable, "the fencer has ended");
        }
        (void)co_await answered_.async_wait(io::as_result);
        const auto state = co_await io::asio::this_coro::cancellation_state;
        if (state.cancelled() != io::asio::cancellation_type::none) {
            co_return fail(Errc::cancelled, "wait cancelled");
        }
    }
}

io::Task<Result<std::string>> FencerClient::ask(std::string line, std::string answer_word,
                                                Nanos limit) {
    const auto socket = socket_;
    if (!socket) {
        co_return fail(Errc::unavailable, "no fencer is connected");
    }
    // An answer that came too late is none to this question.
    std::erase_if(answers_, [&](const std::string& old) { return old.starts_with(answer_word); });
    HD_CO_TRY_VOID(co_await io::within(clock_, answer_limit, socket->write_line(std::move(line))));
    co_return co_await io::within(clock_, limit, await_answer(std::move(answer_word)));
}

io::Task<Result<Status>> FencerClient::status(Nanos limit) {
    HD_CO_TRY(const auto line, co_await ask("status", "status", limit));
    co_return parse_status(line);
}

io::Task<Result<>> FencerClient::signal(std::string name) {
    HD_CO_TRY(const auto line, co_await ask("signal " + name, "signal", answer_limit));
    if (line != "signal ok") {
        co_return fail(Errc::unavailable, "fencer: " + line);
    }
    co_return Result<>{};
}

io::Task<Result<>> FencerClient::kill(Nanos limit) {
    const auto millis = std::max<Millis::rep>(to_millis(limit).count(), 1);
    auto line = co_await ask("kill " + std::to_string(millis), "dead", limit + answer_limit);
    if (exit_ || (line && *line == "dead")) {
        co_return Result<>{};
    }
    if (!line) {
        co_return std::unexpected(std::move(line).error());
    }
    co_return fail(Errc::timeout, "process " + line->substr(line->find(' ') + 1) +
                                      " does not die: it waits for a device that doesn't answer");
}

io::Task<> FencerClient::close() {
    on_end_ = nullptr;
    if (socket_) {
        socket_->close();
    }
    co_await scope_.close();
}

}  // namespace howdah::fencer
