#pragma once

#include <string>
#include <vector>

#include "base/instant.h"
#include "base/result.h"
#include "pgclient/blocking.h"

namespace howdah::backup {

/// A PostgreSQL server on a restored data directory, for a test: it listens to a Unix socket in a
/// folder of its own alone, lets its owner in without a password, archives nothing, and no setting
/// of the restored cluster ties it to the world (TLS files, standbys to wait for, log folders).
/// Stopped when destroyed.
class ScratchServer {
public:
    /// `folder`: of the socket, the log and what the server needs besides `data`; absolute, short
    /// enough for a socket's path. `version`: "15", for where its programs are. `user`: a superuser
    /// of the cluster.
    ScratchServer(std::string data, std::string folder, std::string version, std::string user);
    ~ScratchServer();
    ScratchServer(const ScratchServer&) = delete;
    ScratchServer& operator=(const ScratchServer&) = delete;

    /// Returns when it is consistent and takes connections. Errors: Errc::not_found when this
    /// version's programs are not on this host; Errc::io with the
    /// end of the server's log.
    Result<> start(Nanos limit);
    /// Until recovery is over. Errors: as start(), when the server ends meanwhile; Errc::timeout.
    Result<pgclient::BlockingConnection> await_recovered(Nanos limit);
    Result<> stop();

    struct Ran {
        int exit_code = 0;
        std::string output{};
    };
    /// One of PostgreSQL's programs, told how to reach this server. Errors: Errc::not_found.
    Result<Ran> run(const std::string& program, const std::vector<std::string>& words, Nanos limit);

private:
    Result<Ran> pg_ctl(const std::vector<std::string>& words, Nanos limit);
    std::string bin(const std::string& program) const;
    std::string log_end() const;
    std::string settings() const;

    std::string data_, folder_, version_, user_;
    bool started_ = false;
};

}  // namespace howdah::backup
