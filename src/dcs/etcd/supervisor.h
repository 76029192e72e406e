#pragma once

#include <sys/types.h>

#include <map>
#include <string>

#include "io/fd.h"
#include "io/task.h"

namespace howdah::dcs::etcd {

/// The member of etcd that this host runs.
struct SupervisedMember {
    std::string name{};
    std::string
        data_dir{};  ///< made with mode 0700; beside it stand <data_dir>.log and <data_dir>.pid
    std::string client_url{};
    std::string peer_url{};
    std::map<std::string, std::string> members{};  ///< name -> peer URL of all, this one included
    int heartbeat_ms = 100;
    int election_ms = 1000;
    std::string program = "etcd";
};

/// Keeps one etcd running. It has a session of its own and outlives an agent that crashes; the next
/// agent adopts it by pid file and command line. A clean end of run() leaves it running: stop()
/// ends it.
class EtcdSupervisor {
public:
    EtcdSupervisor(io::Executor executor, io::Clock& clock, SupervisedMember member);

    /// Starts or adopts, and starts again with a back-off of 0.5 s to 30 s. Runs until cancelled.
    io::Task<> run();
    /// SIGTERM, up to 5 s, SIGKILL. run() must have ended.
    io::Task<> stop();
    /// 0: none runs.
    pid_t pid() const { return pid_; }

private:
    bool adopt();
    Result<> start();
    io::Task<bool> ended(Nanos limit);
    void forget();

    io::Executor executor_;
    io::Clock& clock_;
    SupervisedMember member_;
    pid_t pid_ = 0;
    io::Fd pidfd_{};
};

}  // namespace howdah::dcs::etcd
