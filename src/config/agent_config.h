#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/instant.h"
#include "base/result.h"
#include "config/addresses.h"
#include "io/tls.h"

namespace howdah::config {

/// Something in a file that was read past: shown as a warning, changes nothing else.
struct Diagnostic {
    std::string file{};
    int line = 0;           ///< 1-based
    std::string key{};      ///< dotted path: "postgresql.archive_mode"
    std::string message{};  ///< "unknown key; did you mean postgresql.parameters.archive_mode?"
    bool without_effect = false;  ///< the key is read past
    /// "FILE:LINE: KEY: MESSAGE"
    std::string text() const;
};

struct Credentials {
    std::string username{};
    std::string password{};
    std::map<std::string, std::string> options{};  ///< sslmode, sslcert, ... (1.8)
    bool operator==(const Credentials&) const = default;
};

struct RestApi {
    HostPort listen{};
    HostPort connect_address{};  ///< default: listen
    std::optional<Credentials> authentication{};
    std::optional<io::TlsFiles> tls{};  ///< set: HTTPS
    io::ClientCertificates verify_client = io::ClientCertificates::none;
    std::vector<std::string> allowlist{};  ///< hosts, addresses, CIDR; empty: everybody
    bool allowlist_include_members = false;
    std::map<std::string, std::string> extra_headers{};  ///< in every answer
};

/// patroni-compatibility.md, 1.9.
struct Watchdog {
    enum class Mode : std::uint8_t { off, automatic, required };
    Mode mode = Mode::automatic;
    std::string device = "/dev/watchdog";
    Seconds safety_margin{5};  ///< below zero: half of T is the timeout
};

/// A member of the etcd cluster that the agents run themselves (architecture.md, decision 1).
struct SupervisedEtcd {
    std::string name{};
    std::string data_dir{};
    std::string client{};                          ///< URL that it listens on and advertises
    std::string peer{};                            ///< URL
    std::map<std::string, std::string> members{};  ///< name -> peer URL of all, itself included
};

struct Etcd {
    std::vector<HostPort> hosts{};
    bool tls = false;
    std::string username{}, password{}, cacert{}, cert{}, key{};
    bool v2_section = false;  ///< written under `etcd:`: the trap of patroni-compatibility.md 1.6
    std::optional<SupervisedEtcd> supervised{};
    std::optional<bool> compact{};  ///< L14
};

/// A role of bootstrap.users: options are CREATE ROLE's words (createdb, createrole, ...).
struct BootstrapUser {
    std::string name{};
    std::string password{};
    std::vector<std::string> options{};
};

/// A custom way to make the first data directory (1.7, 13.2).
struct BootstrapMethod {
    std::string name{};
    std::vector<std::string> command{};     ///< words, as a shell would split them
    std::vector<std::string> parameters{};  ///< "--key=value", besides --scope and --datadir
    bool no_params = false;
    bool keep_existing_recovery_conf = false;
    std::map<std::string, std::string> recovery_conf{};  ///< what PostgreSQL recovers with
};

struct Bootstrap {
    std::string dcs_json{};             ///< initial `/config`, compact JSON
    std::vector<std::string> initdb{};  ///< ready arguments: "--encoding=UTF8", "--data-checksums"
    std::vector<std::string> pg_hba{};
    std::vector<BootstrapUser> users{};
    std::string post_bootstrap{};
    std::optional<BootstrapMethod> method{};  ///< nullopt: initdb
};

/// Parameters by name; values as PostgreSQL's configuration file takes them, unquoted.
using Parameters = std::map<std::string, std::string>;

struct Postgresql {
    std::string listen_addresses{};  ///< comma-separated, as PostgreSQL wants it
    std::uint16_t port = 5432;
    HostPort connect_address{};  ///< default: the first listen address
    std::string data_dir{};
    std::string config_dir{};  ///< default: data_dir
    std::string bin_dir{};     ///< "" : PATH, then /usr/lib/postgresql/N/bin
    std::string pgpass{};      ///< default ~/pgpass
    std::string database = "postgres";
    Credentials superuser{};
    Credentials replication{};
    std::optional<Credentials> rewind{};
    std::vector<std::string> pg_hba{};  ///< whole content of the file; empty: not managed
    std::vector<std::string> pg_ident{};
    /// `postgresql` of the file, as JSON, to be merged over the dynamic one (1.1): a local key
    /// replaces the dynamic key as a whole, `parameters` per parameter.
    std::string local_json{};
    bool use_unix_socket = false;
};

/// Optional section `proxy` of patroni.yml; `howdah proxy FILE` needs it.
struct Proxy {
    std::optional<HostPort> read_write{};  ///< key `listen`
    std::optional<HostPort> read_only{};   ///< key `listen_read_only`
    Millis hold_limit{30000};              ///< key `hold_limit`, seconds
};

/// patroni.yml, typed.
struct AgentConfig {
    std::string file{};
    std::string scope{};
    std::string name{};
    std::string namespace_path =
        "/service";           ///< "/" + namespace, repeated slashes collapsed, no final one
    std::string state_dir{};  ///< default <data_dir>.howdah
    RestApi restapi{};
    std::optional<Credentials> ctl_authentication{};  ///< operators' verbs; default: restapi's
    io::TlsFiles peer_tls{};      ///< the agent's and the endpoint's, when they ask members
    io::TlsFiles operator_tls{};  ///< operators' verbs; verifies unless ctl.insecure
    std::optional<Etcd> etcd{};
    std::optional<Bootstrap> bootstrap{};
    Postgresql postgresql{};
    Watchdog watchdog{};
    std::string tags_json{};  ///< object, or empty
    bool nofailover = false;  ///< by either tag (ha::Member::Tags)
    int failover_priority = 1;
    std::optional<Proxy> proxy{};
    bool backup_jobs = false;  ///< has that section (repo_config.h)
    std::vector<Diagnostic> warnings{};

    /// "/<namespace>/<scope>/", the prefix of all keys.
    std::string prefix() const { return namespace_path + "/" + scope + "/"; }
};

/// "/" + `text` with repeated slashes collapsed and no final one; "/" is "".
std::string namespace_path(const std::string& text);

struct Sources;

/// What a file is read for: it decides which sections must be there.
enum class Purpose : std::uint8_t { agent, proxy, operator_verb };

/// `file` may be a directory, or empty for the environment (sources.h).
/// Errors: Errc::invalid (wrong type, missing or impossible value) and Errc::not_found (no such
/// file), each one line with file, line and key, and a hint. Unknown and misplaced keys are
/// warnings, as Patroni ignores them; the most likely place is named.
Result<AgentConfig> load_agent_config(const std::string& file, Purpose purpose);
/// The same for text; `file` is only named in messages.
Result<AgentConfig> parse_agent_config(const std::string& text, const std::string& file,
                                       Purpose purpose);

/// A configuration with everything that is wrong with it; with faults, only what could be read.
struct Checked {
    AgentConfig config{};
    std::vector<Error> wrong{};
};
Checked check_agent_config(const Sources& sources, const std::string& file);

}  // namespace howdah::config
