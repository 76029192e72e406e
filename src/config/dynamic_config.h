#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "config/agent_config.h"
#include "ha/archive_gate.h"
#include "ha/settings.h"
#include "ha/sync.h"

namespace howdah::config {

/// `/config` (patroni-compatibility.md 1.11), typed; what is absent has Patroni's default.
struct DynamicConfig {
    Seconds loop_wait{10};
    Seconds retry_timeout{10};
    std::uint64_t maximum_lag_on_failover = 1048576;  ///< bytes
    Seconds primary_start_timeout{300};
    bool pause = false;
    bool standby_cluster = false;  ///< names a host, a port or a restore_command: not obeyed
    std::string refused{};         ///< keys that would do harm if read past, as a sentence
    bool failsafe_mode = false;    ///< the peer lease (safety-model.md, section 10)
    ha::SyncMode synchronous_mode = ha::SyncMode::off;
    bool synchronous_mode_strict = false;
    int synchronous_node_count = 1;
    std::int64_t maximum_lag_on_syncnode = -1;  ///< bytes; 0 or less: any
    ha::LeaseTimes
        lease{};  ///< from `howdah.lease` or `ttl` (1.14): ttl wins; neither: profile default
    std::string postgresql_json{};  ///< its `postgresql` section
    /// Physical slots not ours to drop: of ignore_slots and of the permanent ones; "*": all.
    std::vector<std::string> foreign_slots{};
    /// howdah.archive_into: the stanza that a cluster made from a backup may archive into.
    std::string archive_into{};
    /// howdah.archive_proven: values of archive_command that an agent has proven.
    std::vector<std::string> archive_proven{};
    std::optional<ha::Origin> origin{};  ///< howdah.origin: the cluster was made from a backup
};

/// Errors: Errc::invalid with the key and the allowed range.
Result<DynamicConfig> parse_dynamic_config(const std::string& json);

struct ReadDynamicConfig {
    DynamicConfig config{};
    std::vector<std::string> wrong{};  ///< what was left out or raised to its minimum, and why
    std::vector<std::string> odd{};    ///< what has no effect, and why
};
/// The same of a document that another tool may have written: a bad value counts as its minimum or
/// as absent (1.14). Errors: Errc::invalid when it is no JSON object.
Result<ReadDynamicConfig> read_dynamic_config(const std::string& json);
/// postgresql.pg_hba of a `/config` document; empty: it has none.
std::vector<std::string> pg_hba_of(const std::string& json);

/// A way to make a standby (patroni-compatibility.md 13.3).
struct ReplicaMethod {
    std::string name{};
    std::string command{};  ///< empty: pg_basebackup
    bool no_params = false;
    std::vector<std::string> parameters{};  ///< "--key=value", besides Patroni's own
    bool operator==(const ReplicaMethod&) const = default;
};

/// Names of create_replica_methods of a section `postgresql`, in their order.
std::vector<std::string> replica_method_names(const nlohmann::ordered_json& postgresql);

/// The configuration that the local PostgreSQL runs with: `/config` and the local file merged
/// by 1.1, and the controlled parameters of 1.12 settled.
struct EffectivePostgresql {
    Parameters parameters{};  ///< all that go to postgresql.conf, controlled ones included
    Parameters controlled{};  ///< those that also go on postgres' command line (1.12)
    Parameters recovery{};    ///< recovery_conf: restore_command, recovery_min_apply_delay, ...
    std::vector<std::string> pg_hba{};  ///< empty: the file is left alone
    std::vector<std::string> pg_ident{};
    bool use_pg_rewind = false;
    bool use_slots = true;
    std::vector<std::string> foreign_slots{};  ///< as DynamicConfig has them
    bool remove_data_directory_on_rewind_failure = false;
    bool remove_data_directory_on_diverged_timelines = false;
    std::string custom_conf{};
    std::map<std::string, std::string> callbacks{};  ///< commands, by event
    std::vector<std::string> basebackup{};           ///< extra arguments for pg_basebackup
    std::vector<ReplicaMethod> replica_methods{};    ///< in their order; empty: basebackup alone
    std::string archive_into{};                      ///< all three as DynamicConfig has them
    std::vector<std::string> archive_proven{};
    std::optional<ha::Origin> origin{};
    Seconds pg_ctl_timeout{60};
    std::vector<std::string> warnings{};  ///< e.g. wal_keep_segments converted to wal_keep_size
};

/// `server_version` is PG_VERSION's major number: 15. wal_keep_segments and wal_keep_size are
/// converted into each other at 16 MB a segment. Errors: Errc::invalid.
Result<EffectivePostgresql> effective_postgresql(const AgentConfig& local,
                                                 const DynamicConfig& dynamic, int server_version);

}  // namespace howdah::config
