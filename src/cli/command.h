#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace howdah::cli {

// What the command line asks for, one type a verb.

struct AgentCommand {
    std::string file{};
};
struct ProxyCommand {
    std::string file{};
    std::string pid_file{};
};
struct ListCommand {
    std::vector<std::string> clusters{};  ///< empty: the configuration's scope
    std::string format = "pretty";
    bool classic = false;
    bool extended = false;
    bool timestamp = false;
    bool topology = false;  ///< as a tree
    std::optional<double> watch_seconds{};
};
struct ShowConfigCommand {
    std::string cluster{};  ///< empty: the configuration's scope
};
struct EditConfigCommand {
    std::string cluster{};           ///< empty: the configuration's scope
    std::vector<std::string> set{};  ///< "a.b=VALUE"
    std::vector<std::string> pg{};   ///< "parameter=VALUE"
    std::string apply{}, replace{};  ///< files; "-": the input
    bool quiet = false;
    bool force = false;
};
struct PauseCommand {
    std::string cluster{};  ///< empty: the configuration's scope
    bool pause = true;      ///< false: resume
    bool wait = false;
};
struct DsnCommand {
    std::string cluster{};  ///< empty: the configuration's scope
    std::string role{};
    std::string member{};
};
struct QueryCommand {
    std::string cluster{};  ///< empty: the configuration's scope
    std::string format = "tsv";
    std::string delimiter = "\t";
    std::string sql{}, file{};  ///< one of them
    std::string user{}, database{};
    bool password = false;  ///< ask for it
    std::string role{}, member{};
    std::optional<double> watch_seconds{};
};
struct RemoveCommand {
    std::string cluster{};
    std::string format = "pretty";
};
struct HistoryCommand {
    std::string cluster{};  ///< empty: the configuration's scope
    std::string format = "pretty";
};
struct ExplainCommand {
    std::string member{};  ///< empty: all
    bool json = false;
};
/// Members of a cluster that a verb acts on.
struct MemberChoice {
    std::string cluster{};
    std::vector<std::string> members{};  ///< empty: all with that role
    std::string role{};                  ///< empty: any
    bool force = false;                  ///< don't ask
};
struct RestartCommand {
    MemberChoice of{};
    bool any = false;         ///< one of them
    std::string scheduled{};  ///< empty: ask, with --force now
    std::optional<std::string> below_version{};
    bool pending = false;
    std::string timeout{};
};
struct ReloadCommand {
    MemberChoice of{};
};
struct ReinitCommand {
    MemberChoice of{.role = "replica"};
    bool from_leader = false;
    bool wait = false;
};
struct FlushCommand {
    MemberChoice of{};
    std::string target{};  ///< restart or switchover
};
struct SwitchoverCommand {
    bool failover = false;  ///< to a named candidate, with or without a leader
    std::string cluster{};  ///< empty: the configuration's scope
    std::string leader{};
    std::string candidate{};
    std::string scheduled{};
    bool force = false;
    /// The candidate leads whatever others may hold; asked for in words, also with `force`.
    bool accept_loss = false;
};
/// `config validate FILE`, `config explain KEY`, `config keys`.
struct ConfigCommand {
    enum class What : std::uint8_t { validate, explain, keys };
    What what = What::validate;
    std::string file{};  ///< empty: -c, or the environment
    std::string key{};   ///< empty: all
    bool print = false;
    bool ignore_ports = false;
    bool json = false;
    bool as_patroni = false;  ///< patroni --validate-config, which ends with 0 or 1
};
struct DcsStatusCommand {
    bool json = false;
};
struct DcsRecoverCommand {
    std::vector<std::string> missing{};  ///< members that will not come back
    bool force = false;
    bool dry_run = false;
};
struct VersionCommand {
    std::string cluster{};  ///< empty: this program alone
    std::vector<std::string> members{};
};
/// A verb of the backup side: it reads its own options.
struct BackupCommand {
    std::vector<std::string> words{};  ///< the verb and all behind it
};
/// A new cluster from a backup.
struct BootstrapCommand {
    std::string from_stanza{};
    std::string backup_config{};  ///< pgbackrest.conf; empty: its usual places
    std::string set{}, repo{}, process_max{};
    std::string target_time{}, target_lsn{}, target_xid{}, target_name{};  ///< one of them
    bool target_immediate = false, target_exclusive = false;
    std::string target_timeline{};
    bool dry_run = false;
    bool json = false;
};
struct UpCommand {
    std::string dir{};  ///< empty: default_up_dir()
    bool detach = false;
    int etcd_members = 3;
    std::string sync = "off";
    std::string profile = "default";
    bool no_load = false;
    std::string network = "127.0.52";  ///< first three parts of every address
};
struct RepoCommand {
    std::string file{};
    bool once = false;     ///< run what is due, and leave
    bool dry_run = false;  ///< tell what would be run
};
struct BackupJobsCommand {
    std::string file{};
    int parent = 0;  ///< ends with this process; 0: with none
};
struct CertCommand {
    std::string dir{};
    bool ca = false;
    std::vector<std::string> hosts{};  ///< "NAME,ADDRESS", the first is the file's name
    int days = 3650;
};
struct DownCommand {
    std::string dir{};
};
using Command =
    std::variant<AgentCommand, ProxyCommand, ListCommand, HistoryCommand, ExplainCommand,
                 SwitchoverCommand, DcsStatusCommand, DcsRecoverCommand, VersionCommand, UpCommand,
                 DownCommand, ShowConfigCommand, EditConfigCommand, PauseCommand, DsnCommand,
                 QueryCommand, RemoveCommand, RestartCommand, ReloadCommand, ReinitCommand,
                 FlushCommand, ConfigCommand, BackupCommand, RepoCommand, CertCommand,
                 BackupJobsCommand, BootstrapCommand>;

struct CommandLine {
    std::string verb{};          ///< for messages: "list", "dcs status"
    std::string config_file{};   ///< -c; empty: not given
    std::string dcs_url{};       ///< -d; empty: not given
    bool insecure = false;       ///< -k
    bool as_patronictl = false;  ///< called under that name
    Command command{};
};

}  // namespace howdah::cli
