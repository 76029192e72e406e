#pragma once

#include <map>
#include <memory>
#include <string>

#include "backup/options/options.h"
#include "files/files.h"
#include "files/remote/remote_files.h"

namespace howdah::cli {

/// The repository hosts that a command's options name, and the way to their files. It must not be
/// older than the command: what a host says holds as long as this lives.
class RepositoryHosts {
public:
    /// Options with what the hosts say of their repositories. A host that cannot be reached is no
    /// error: its repository's files will say so. Errors: as backup::read_options.
    Result<backup::Options> read(backup::OptionSources sources);
    /// The adapter for a repository's type, here or on another host. Errors: as open_files();
    /// ExitCode::option_invalid_value for a host of type ssh.
    Result<std::unique_ptr<files::Files>> open(const backup::RepositoryOptions& options);

private:
    struct Host {
        std::shared_ptr<files::RemotePool> pool{};
        std::string name{};  ///< of its files
        Error away{};        ///< when it has no pool
    };
    Result<Host> reach(const backup::Options& options, const backup::RepositoryOptions& of,
                       backup::OptionSources& sources) const;

    std::map<std::uint32_t, Host> hosts_{};
};

}  // namespace howdah::cli
