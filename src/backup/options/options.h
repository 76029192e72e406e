#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/instant.h"
#include "base/result.h"
#include "repo/plan/retention.h"
#include "repo/stream/compression.h"

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
    /// What a repository host says of its repositories, weaker than all of these.
    std::vector<ConfigText> hosts{};
};

/// Of a repository in a bucket: repoN-s3-… and repoN-storage-…
struct BucketOptions {
    std::string bucket{}, endpoint{}, region{};
    std::string key{}, key_secret{}, token{};
    std::string key_type = "shared";  ///< where the keys come from; here they stand in the options
    std::string uri_style = "host";   ///< or "path"
    std::string kms_key_id{}, sse_customer_key{};
    std::string host{};  ///< to connect to; empty: the endpoint
    std::uint16_t port = 443;
    std::string ca_file{};
    bool verify_tls = true;
    std::uint64_t part_bytes = std::uint64_t{8} << 20;

    bool operator==(const BucketOptions&) const = default;
};

/// Of a repository or a cluster that another host has: repoN-host-…, pgN-host-…
struct HostOptions {
    std::string name{};  ///< host name or address; empty: it is this one
    std::uint16_t port = 8432;
    std::string type = "tls";
    std::string ca_file = "/etc/howdah/tls/ca.crt";
    std::string cert_file = "/etc/howdah/tls/host.crt";
    std::string key_file = "/etc/howdah/tls/host.key";

    bool operator==(const HostOptions&) const = default;
};

struct RepositoryOptions {
    std::uint32_t index = 1;
    std::string type = "posix";
    std::string path = "/var/lib/pgbackrest";
    std::string cipher_pass{};  ///< empty: not encrypted
    HostOptions host{};
    bool optional = false;  ///< repo-optional: WAL may come later
    bool bundle = false, block = false, hardlink = false, symlink = true;
    std::uint64_t bundle_size = std::uint64_t{20} << 20;  ///< bytes, as the next one
    std::uint64_t bundle_limit = std::uint64_t{2} << 20;
    repo::Retention retention{};
    std::optional<std::uint32_t> history_days{};  ///< repo-retention-history; nullopt: all stays
    BucketOptions bucket{};                       ///< of type s3
    Millis io_timeout = std::chrono::minutes(1);

    bool operator==(const RepositoryOptions&) const = default;
};

struct ClusterOptions {
    std::uint32_t index = 1;
    std::string path{};  ///< the data directory
    HostOptions host{};
    std::uint16_t port = 5432;
    std::string socket_path{}, user{}, database = "postgres";

    bool operator==(const ClusterOptions&) const = default;
};

/// Of `backup`; names as in pgBackRest's manual.
struct BackupOptions {
    std::string type = "incr";
    bool start_fast = false, delta = false, resume = true;
    bool archive_check = true, archive_copy = false, archive_mode_check = true;
    Millis archive_timeout = std::chrono::minutes(1);
    Millis db_timeout = std::chrono::minutes(30);
    std::string backup_standby = "n";     ///< or "y", "prefer"
    std::optional<bool> checksum_page{};  ///< nullopt: as the cluster has it
    std::vector<std::string> excludes{};
    std::map<std::string, std::string> annotations{};
    std::uint64_t manifest_save_threshold = std::uint64_t{1} << 30;  ///< bytes, as the next one
    bool expire_auto = true;
    bool all_repos = false;  ///< into every repository

    bool operator==(const BackupOptions&) const = default;
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

    bool operator==(const RestoreOptions&) const = default;
};

/// Levels: off, error, warn, info, detail, debug, trace.
struct LogOptions {
    std::string console = "warn", standard_error = "off", file = "info";
    std::string folder = "/var/log/pgbackrest";
    bool is_asked_for = false;  ///< a file that cannot be written is warned of
    bool timestamp = true;

    bool operator==(const LogOptions&) const = default;
};

/// Of repo-ls, repo-get, repo-put and repo-rm.
struct FileOptions {
    bool recurse = false, raw = false, ignore_missing = false;
    std::string filter{};  ///< a regular expression (POSIX extended) of names; empty: all
    std::string sort = "asc";

    bool operator==(const FileOptions&) const = default;
};

/// Of `archive-push` and `archive-get`; names as in pgBackRest's manual.
struct ArchiveOptions {
    bool async = false, missing_retry = true;
    std::string spool_path = "/var/spool/pgbackrest";
    Millis timeout = std::chrono::minutes(1);
    std::uint64_t get_queue_max = std::uint64_t{128} << 20;  ///< bytes, as the next two
    std::uint64_t push_batch_size = std::uint64_t{16} << 30;
    std::optional<std::uint64_t> push_queue_max{};  ///< nullopt: nothing is ever dropped

    bool operator==(const ArchiveOptions&) const = default;
};

struct Options {
    std::string command{}, stanza{};
    bool in_background = false;            ///< the command's second process: "archive-push:async"
    std::vector<std::string> arguments{};  ///< words that are no options, behind the command
    std::vector<RepositoryOptions> repositories{};  ///< by index; never empty
    std::vector<ClusterOptions> clusters{};         ///< by index
    std::optional<std::uint32_t> repo{};            ///< only this one
    std::optional<std::uint32_t> to_repo{};         ///< of repo-copy: the other end
    std::uint64_t rate_limit = 0;  ///< stored bytes a second of each repository; 0: none
    repo::CompressType compress = repo::CompressType::gz;
    std::optional<int> compress_level{};
    std::uint32_t process_max = 1;
    bool archive_header_check = true;
    bool online = true;
    bool force = false;
    bool dry_run = false;
    std::string expire_set{};  ///< --set of expire, annotate and info
    std::string info_type{};   ///< --type of info; empty: all backups
    std::string lock_path = "/tmp/pgbackrest";
    std::string scratch_path = "/tmp";  ///< of restore-test: where it restores to
    LogOptions log{};
    bool neutral_umask = true;
    std::string output = "text";
    FileOptions files{};
    BackupOptions backup{};
    RestoreOptions restore{};
    ArchiveOptions archive{};
    /// Of the command line: what a command that PostgreSQL runs later must say as well.
    std::vector<std::string> words_to_repeat{};
    /// All options of the command line, as "--repo1-path=/backups": for another process that goes
    /// on with this command.
    std::vector<std::string> option_words{};
    /// Names of the options on the command line, without numbers: "repo-path".
    std::vector<std::string> named{};
    /// All that differs from the defaults, as "--repo1-path=/backups", secrets hidden.
    std::vector<std::string> given{};
    /// The same as it stands, without secrets: "--exclude=a b", "--delta=y".
    std::vector<std::string> given_raw{};
    /// What stands in files or environment and does not count, each with its place.
    std::vector<std::string> warnings{};

    /// Errors: ExitCode::option_required when the configuration names no data directory.
    Result<ClusterOptions> cluster() const;
    /// Whether there are clusters, all of them on other hosts.
    bool clusters_are_elsewhere() const;
    /// Of the repository with that number, which is there.
    const RepositoryOptions& repository(std::uint32_t index) const;

    bool operator==(const Options&) const = default;
};

/// The first word that is no option; "": there is none. Errors: Errc::invalid for words that are
/// wrong by themselves.
Result<std::string> find_command(const std::vector<std::string>& words);

/// Only what the command acts on is looked at (option_table.h). Errors: Errc::invalid, naming the
/// option and where it stands, with a hint: unknown, or none of this command's, on the command
/// line; wrong value, given twice, missing, in a section where it may not be; with pgBackRest's
/// exit code for each. Also for a command that is not there.
Result<Options> read_options(const OptionSources& sources);

}  // namespace howdah::backup
