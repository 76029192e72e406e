#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backup/cluster_facts.h"
#include "backup/lock_file.h"
#include "backup/options/options.h"
#include "backup/repository.h"
#include "base/result.h"
#include "files/files.h"

namespace howdah::backup {

/// How far a command has come.
struct Progress {
    std::string_view what{};  ///< begins the line: "restoring"
    std::uint64_t done = 0, total = 0;
    bool in_bytes = true;  ///< else in files
};

/// What a command tells while it works. Any thread may call them, several at once; each function
/// may be empty.
struct Notes {
    using Text = std::function<void(std::string_view)>;
    Text on_detail{}, on_info{}, on_warn{};
    std::function<void(const Progress&)> on_progress{};

    void detail(std::string_view text) const;
    void info(std::string_view text) const;
    void warn(std::string_view text) const;
    void progress(const Progress& progress) const;
};

/// What keeps other commands away as long as it lives.
struct Locks {
    std::vector<LockFile> files{};                      ///< of this host
    std::vector<std::unique_ptr<files::Hold>> holds{};  ///< of repository hosts

    void note_progress(std::uint32_t hundredths) const;
};

/// Where a command works: all that it gets, whoever calls it. Commands are functions of a Site and
/// return what they found; what they say is in pgBackRest's words, errors carry its exit codes.
struct Site {
    Options options{};
    std::vector<Repository> repositories{};  ///< opened, never empty
    Notes notes{};
    std::string program{};  ///< path of this program, for what PostgreSQL shall call
    /// PGBACKREST_… alone: with Options::option_words all that another process needs to do the
    /// same.
    std::map<std::string, std::string> environment{};
    std::string asked_by{};       ///< of a repository host: the client's execution_id()
    std::string pusher_socket{};  ///< where a resident pusher may listen; empty: nowhere

    const std::string& stanza() const { return options.stanza; }

    /// Errors: ExitCode::option_required.
    Result<> needs_stanza() const;
    /// For commands that a stop file forbids. Errors: as above; ExitCode::stop.
    Result<> may_work() const;
    /// The data directory of this host. Errors: ExitCode::option_required.
    Result<std::string> data_directory() const;
    /// What the data directory says. Errors: as above and as backup::cluster_facts.
    Result<ClusterFacts> cluster() const;
    /// As PostgreSQL gives %p: a relative path counts from the data directory.
    Result<std::string> local_path(const std::string& path) const;

    /// Held as long as what is returned lives: pgBackRest's lock files, and of LockKind::backup the
    /// folders of posix repositories and the same locks on repository hosts as well. Errors:
    /// ExitCode::lock_acquire when somebody else holds one of them.
    Result<Locks> lock(LockKind kind);

    /// in_parallel (workers.h) on as many threads as process-max says.
    Result<> in_parallel(std::size_t count, const std::function<Result<>(std::size_t)>& job) const;
};

/// Makes the adapter that an option repo-type asks for. Errors: Errc::invalid: there is none.
using OpenFiles = std::function<Result<std::unique_ptr<files::Files>>(const RepositoryOptions&)>;

/// Those that the options name, or the one that --repo chooses. Errors: Errc::invalid, naming the
/// option.
Result<std::vector<Repository>> open_repositories(const Options& options, const OpenFiles& open);

}  // namespace howdah::backup
