#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/instant.h"
#include "base/result.h"
#include "repo/compression.h"

namespace howdah::backup {

/// A configuration file, as read.
struct ConfigText {
    std::string file{}, text{};
};

/// Where options come from, the strongest first: words, environment, then the sections
/// [stanza:command], [stanza], [global:command], [global] of the files read as one text
/// (pgbackrest-repository.md, section 13).
struct OptionSources {
    std::vector<std::string> words{};                  ///< "--stanza=demo", "--no-online"
    std::map<std::string, std::string> environment{};  ///< PGBACKREST_… alone
    std::vector<ConfigText> files{};
};

struct RepositoryOptions {
    std::uint32_t index = 1;
    std::string type = "posix";
    std::string path = "/var/lib/pgbackrest";
    std::string cipher_pass{};  ///< empty: not encrypted
    std::string host{};         ///< of the repository host; empty: this one
};

struct ClusterOptions {
    std::uint32_t index = 1;
    std::string path{};  ///< the data directory
    std::string host{};  ///< empty: this one
    std::uint16_t port = 5432;
    std::string socket_path{}, user{}, database = "postgres";
};

/// Of `restore`; names as in pgBackRest's manual.
struct RestoreOptions {
    bool delta = false;
    std::string set = "latest";
    std::string type{};  ///< empty: not given
    std::string target{}, target_action = "pause", target_timeline{};
    bool target_exclusive = false;
    std::map<std::string, std::string> tablespace_map{};  ///< name or OID -> folder
    std::string tablespace_map_all{};                     ///< folder of them all
    std::map<std::string, std::string> link_map{};  ///< path below the data directory -> target
    bool link_all = false;
    std::vector<std::string> db_include{}, db_exclude{};
    std::map<std::string, std::string> recovery_options{};
    std::string command{};  ///< what restore_command calls; empty: this program
    std::string archive_mode = "preserve";
};

struct Options {
    std::string command{}, stanza{};
    std::vector<std::string> arguments{};  ///< words that are no options, behind the command
    std::vector<RepositoryOptions> repositories{};  ///< by index; never empty
    std::vector<ClusterOptions> clusters{};         ///< by index
    std::optional<std::uint32_t> repo{};            ///< only this one
    repo::CompressType compress = repo::CompressType::gz;
    std::optional<int> compress_level{};
    std::uint32_t process_max = 1;
    bool archive_header_check = true;
    bool online = true;
    bool force = false;
    std::string lock_path = "/tmp/pgbackrest";
    std::string log_level_console = "warn";
    bool log_timestamp = true;
    std::string output = "text";
    RestoreOptions restore{};
    /// Of the command line: what a command that PostgreSQL runs later must say as well.
    std::vector<std::string> words_to_repeat{};
    std::vector<std::string> warnings{};  ///< options in files or environment that are not known

    /// Errors: Errc::invalid when the configuration names no data directory.
    Result<ClusterOptions> cluster() const;
};

/// Errors: Errc::invalid, naming the option and where it stands, with a hint: unknown on the
/// command line, wrong value, given twice, missing, in a section where it may not be.
Result<Options> read_options(const OptionSources& sources);

}  // namespace howdah::backup
