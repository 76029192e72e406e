#include "cli/up_processes.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "cli/up_layout.h"
#include "io/child.h"
#include "io/fd.h"
#include "io/files.h"

namespace howdah::cli {

namespace fs = std::filesystem;

namespace {

constexpr std::array programs{"howdah",        "postgres",  "etcd",
                              "pg_basebackup", "pg_rewind", "pg_controldata",
                              "pg_waldump",    "initdb",    "pg_ctl"};

bool inside(const std::string& path, const std::string& dir) {
    return path == dir || path.starts_with(dir + "/");
}

std::string slurp(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

std::vector<std::string> arguments_of(const std::string& proc) {
    std::vector<std::string> out;
    std::istringstream in(slurp(proc + "/cmdline"));
    for (std::string word; std::getline(in, word, '\0');) {
        out.push_back(word);
    }
    return out;
}

/// Works in D, or has a path in D among its arguments ("--data-dir=D/...", "-D D/...").
bool belongs(const std::string& proc, const std::vector<std::string>& arguments,
             const std::string& dir) {
    std::error_code error;
    if (inside(fs::read_symlink(proc + "/cwd", error).string(), dir)) {
        return true;
    }
    return std::ranges::any_of(arguments, [&dir](const std::string& argument) {
        const auto start = argument.starts_with('-') ? argument.find('/') : 0;
        return start != std::string::npos && inside(argument.substr(start), dir);
    });
}

bool is_zombie(const std::string& proc) {
    const auto stat = slurp(proc + "/stat");
    const auto name_end = stat.rfind(')');
    return name_end == std::string::npos ||
           (name_end + 2 < stat.size() && stat[name_end + 2] == 'Z');
}

std::optional<UpProcess> process_at(pid_t pid, const std::string& dir) {
    const auto proc = fmt::format("/proc/{}", pid);
    auto name = slurp(proc + "/comm");
    name = name.substr(0, name.find('\n'));
    if (std::ranges::find(programs, name) == programs.end() || is_zombie(proc)) {
        return std::nullopt;
    }
    const auto arguments = arguments_of(proc);
    if (!belongs(proc, arguments, dir)) {
        return std::nullopt;
    }
    if (name == "howdah") {
        const auto verb = arguments.size() > 1 ? arguments[1] : "";
        if (verb != "agent" && verb != "proxy" && verb != "fencer") {
            return std::nullopt;
        }
        name += " " + verb;
    }
    return UpProcess{pid, name};
}

/// Inodes of sockets that listen on the address or on all of them.
std::set<std::string> listeners(const UpPort& port) {
    in_addr address{};
    ::inet_pton(AF_INET, port.host.c_str(), &address);
    const std::set<std::string> wanted{fmt::format("{:08X}:{:04X}", address.s_addr, port.port),
                                       fmt::format("{:08X}:{:04X}", 0, port.port),
                                       fmt::format("{:032X}:{:04X}", 0, port.port)};
    std::set<std::string> out;
    for (const auto* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
        std::istringstream in(slurp(table));
        for (std::string line; std::getline(in, line);) {
            std::istringstream fields(line);
            std::vector<std::string> words;
            for (std::string word; fields >> word;) {
                words.push_back(word);
            }
            if (words.size() > 9 && words[3] == "0A" && wanted.contains(words[1])) {
                out.insert("socket:[" + words[9] + "]");
            }
        }
    }
    return out;
}

std::string holder_of(const UpPort& port) {
    const auto sockets = listeners(port);
    std::error_code error;
    for (const auto& process : fs::directory_iterator("/proc", error)) {
        for (const auto& fd : fs::directory_iterator(process.path() / "fd", error)) {
            if (sockets.contains(fs::read_symlink(fd.path(), error).string())) {
                auto name = slurp(process.path() / "comm");
                return fmt::format(" by process {} ({})", process.path().filename().string(),
                                   name.substr(0, name.find('\n')));
            }
        }
        error.clear();
    }
    return "";
}

void signal_all(const std::vector<UpProcess>& processes, int number) {
    for (const auto& process : processes) {
        ::kill(process.pid, number);
    }
}

std::vector<UpProcess> only(std::vector<UpProcess> processes, std::string_view program) {
    std::erase_if(processes, [program](const UpProcess& p) { return p.program != program; });
    return processes;
}

}  // namespace

std::vector<UpProcess> processes_of(const std::string& dir) {
    std::vector<UpProcess> out;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/proc", error)) {
        const auto name = entry.path().filename().string();
        pid_t pid = 0;
        const auto parsed = std::from_chars(name.data(), name.data() + name.size(), pid);
        if (parsed.ec != std::errc() || parsed.ptr != name.data() + name.size() ||
            pid == ::getpid()) {
            continue;
        }
        if (auto process = process_at(pid, dir)) {
            out.push_back(*std::move(process));
        }
    }
    return out;
}

std::optional<pid_t> living_pid(const std::string& pid_file, const std::string& dir) {
    const auto text = slurp(pid_file);
    pid_t pid = 0;
    std::from_chars(text.data(), text.data() + text.size(), pid);
    return pid > 0 && process_at(pid, dir) ? std::optional(pid) : std::nullopt;
}

bool lives(pid_t pid) {
    return ::kill(pid, 0) == 0 && !is_zombie(fmt::format("/proc/{}", pid));
}

Result<> check_free(const UpPort& port) {
    const io::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port.port);
    ::inet_pton(AF_INET, port.host.c_str(), &address.sin_addr);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
        return {};
    }
    const auto where = fmt::format("{}:{} ({})", port.host, port.port, port.what);
    if (errno != EADDRINUSE) {
        return io::fail_errno(where);
    }
    return fail(Errc::conflict, where + " is in use" + holder_of(port));
}

Result<pid_t> start_daemon(const std::vector<std::string>& argv, const std::string& log) {
    const io::Fd out(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (!out) {
        return io::fail_errno(log);
    }
    HD_TRY(const auto started, io::spawn(argv, {.output = out.get(), .own_session = true}));
    return started.pid;
}

bool wait_until(Millis limit, const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (std::chrono::steady_clock::now() >= end) {
            return false;
        }
        std::this_thread::sleep_for(Millis(20));
    }
    return true;
}

Result<> stop_all(const std::string& dir, const std::function<void(const std::string&)>& tell) {
    // The endpoint first, so that no client sees the members go one by one; agents stop what is
    // theirs.
    for (const auto* program : {"howdah proxy", "howdah agent"}) {
        const auto own = only(processes_of(dir), program);
        if (own.empty()) {
            continue;
        }
        tell(fmt::format("stopping {} {}", own.size(),
                         own.size() == 1 ? program : std::string(program) + "s"));
        signal_all(own, SIGTERM);
        if (!wait_until(Seconds(20), [&] { return only(processes_of(dir), program).empty(); })) {
            signal_all(only(processes_of(dir), program), SIGKILL);
        }
    }
    if (const auto left = processes_of(dir); !left.empty()) {
        tell(fmt::format("stopping {} processes that outlived their agent", left.size()));
        for (const auto& process : left) {
            ::kill(process.pid, process.program == "postgres" ? SIGINT : SIGTERM);
        }
        wait_until(Seconds(5), [&] { return processes_of(dir).empty(); });
    }
    const auto dead = wait_until(Seconds(10), [&] {
        const auto left = processes_of(dir);
        signal_all(left, SIGKILL);
        return left.empty();
    });
    if (!dead) {
        const auto left = processes_of(dir).front();
        return fail(Errc::timeout,
                    fmt::format("process {} ({}) doesn't die", left.pid, left.program),
                    "it may belong to another user: run howdah down as that user or as root");
    }
    return {};
}

std::string tail_of(const std::string& file, std::size_t lines) {
    const auto text = slurp(file);
    auto start = text.size();
    for (std::size_t i = 0; i <= lines && start > 0 && start != std::string::npos; ++i) {
        start = text.rfind('\n', start - 1);
    }
    return start == std::string::npos || start == 0 ? text : text.substr(start + 1);
}

}  // namespace howdah::cli
