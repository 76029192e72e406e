#include "dcs/etcd/supervisor.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <charconv>
#include <csignal>

#include "io/child.h"
#include "io/files.h"
#include "io/readiness.h"

namespace howdah::dcs::etcd {
namespace {

constexpr Nanos first_pause = Millis(500);
constexpr Nanos longest_pause = Seconds(30);
constexpr Nanos long_enough =
    Seconds(60);  ///< a run of this length makes the next pause short again
constexpr Nanos grace = Seconds(5);

std::vector<std::string> command(const SupervisedMember& m) {
    std::string cluster;
    for (const auto& [name, peer_url] : m.members) {
        cluster += (cluster.empty() ? "" : ",") + name + "=" + peer_url;
    }
    return {m.program,
            "--name=" + m.name,
            "--data-dir=" + m.data_dir,
            "--listen-client-urls=" + m.client_url,
            "--advertise-client-urls=" + m.client_url,
            "--listen-peer-urls=" + m.peer_url,
            "--initial-advertise-peer-urls=" + m.peer_url,
            "--initial-cluster=" + cluster,
            "--initial-cluster-state=new",
            "--heartbeat-interval=" + std::to_string(m.heartbeat_ms),
            "--election-timeout=" + std::to_string(m.election_ms),
            "--auto-compaction-mode=periodic",
            "--auto-compaction-retention=1h",
            "--enable-v2=false"};
}

/// A reused pid would have another command line.
bool runs(pid_t pid, const std::string& data_dir) {
    const auto line = io::read_file("/proc/" + std::to_string(pid) + "/cmdline");
    const std::string argument = "--data-dir=" + data_dir;
    return line && line->find(argument + '\0') != std::string::npos;
}

}  // namespace

EtcdSupervisor::EtcdSupervisor(io::Executor executor, io::Clock& clock, SupervisedMember member)
    : executor_(executor), clock_(clock), member_(std::move(member)) {}

bool EtcdSupervisor::adopt() {
    const auto text = io::read_file(member_.data_dir + ".pid");
    pid_t pid = 0;
    if (!text ||
        std::from_chars(text->data(), text->data() + text->size(), pid).ec != std::errc{} ||
        pid <= 1) {
        return false;
    }
    io::Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd || !runs(pid, member_.data_dir)) {
        return false;
    }
    pid_ = pid;
    pidfd_ = std::move(pidfd);
    spdlog::info("etcd {} runs already (pid {})", member_.name, pid);
    return true;
}

Result<> EtcdSupervisor::start() {
    HD_TRY_VOID(io::make_directories(member_.data_dir, 0700));
    const auto log_path = member_.data_dir + ".log";
    const io::Fd log(::open(log_path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
    if (!log) {
        return io::fail_errno("open " + log_path);
    }
    HD_TRY(auto child, io::spawn(command(member_), {.output = log.get(), .own_session = true}));
    pid_ = child.pid;
    pidfd_ = std::move(child.pidfd);
    HD_TRY_VOID(io::write_file_atomically(member_.data_dir + ".pid", std::to_string(pid_) + "\n"));
    spdlog::info("etcd {} started (pid {})", member_.name, pid_);
    return {};
}

void EtcdSupervisor::forget() {
    ::waitpid(pid_, nullptr, WNOHANG);  // an adopted one is not ours to reap
    pid_ = 0;
    pidfd_ = {};
    ::unlink((member_.data_dir + ".pid").c_str());
}

io::Task<bool> EtcdSupervisor::ended(Nanos limit) {
    const auto waited = co_await io::within(clock_, limit, io::wait_readable(pidfd_.get()));
    co_return waited.has_value();
}

io::Task<> EtcdSupervisor::run() {
    auto pause = first_pause;
    while (true) {
        const auto begin = clock_.now();
        if (pid_ == 0 && !adopt()) {
            if (const auto started = start(); !started) {
                spdlog::error("etcd {}: {}", member_.name, started.error().message);
            }
        }
        if (pid_ != 0) {
            if (!co_await io::wait_readable(pidfd_.get())) {
                co_return;
            }
            forget();
            spdlog::error("etcd {} ended, see {}.log", member_.name, member_.data_dir);
        }
        pause = clock_.now() - begin >= long_enough ? first_pause : pause;
        if (!co_await clock_.until(clock_.now() + pause)) {
            co_return;
        }
        pause = std::min(pause * 2, longest_pause);
    }
}

io::Task<> EtcdSupervisor::stop() {
    if (pid_ == 0) {
        co_return;
    }
    const auto tell = [this](int signal) {
        ::syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0);
    };
    tell(SIGTERM);
    if (!co_await ended(grace)) {
        spdlog::warn("etcd {} did not end in time: killed", member_.name);
        tell(SIGKILL);
        co_await ended(grace);
    }
    forget();
}

}  // namespace howdah::dcs::etcd
