#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backup/jobs/job.h"
#include "backup/options/options.h"
#include "backup/site.h"
#include "io/secure_stream.h"
#include "remote/server.h"

namespace howdah::backup {

/// A database host's side: answers the repository hosts of its stanzas, whom its own
/// pgbackrest.conf names as repoN-host and whose certificate says so. Thread-safe.
class JobHost {
public:
    /// `config`: pgbackrest.conf; `program`: this one, for the verbs.
    JobHost(std::string config, std::string program, Notes::Text on_info)
        : config_(std::move(config)), program_(std::move(program)), on_info_(std::move(on_info)) {}

    /// For remote::Server. Errors: why this client is not served.
    Result<std::unique_ptr<remote::Service>> open(const io::PeerNames& peer,
                                                  const remote::Json& hello) const;

    const std::string& config() const { return config_; }
    const std::string& program() const { return program_; }
    void info(std::string_view text) const { on_info_(text); }

private:
    std::string config_, program_;
    Notes::Text on_info_;
};

}  // namespace howdah::backup
