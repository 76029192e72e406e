#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ha/cluster.h"

namespace howdah::api {

/// What `/config` says about the shape of the cluster; absent or invalid keys have Patroni's
/// default.
struct ClusterMode {
    bool pause = false;
    bool standby_cluster = false;
    bool synchronous = false;  ///< synchronous_mode on or quorum
    bool quorum = false;
    std::int64_t ttl_seconds = 30;
};
ClusterMode mode_of(const ha::Cluster& cluster);

/// True when `/sync` names `name` as a standby, ignoring case (patroni-compatibility.md 2.6).
bool is_sync_standby(const ha::Cluster& cluster, std::string_view name);

/// Some member is Patroni's: its guarantees count for all (safety-model.md, section 9).
bool is_mixed(const ha::Cluster& cluster);

/// A position in the WAL as `/cluster` shows it; both absent: the member publishes none.
struct Position {
    std::optional<std::uint64_t> lsn{};
    std::uint64_t lag_bytes = 0;  ///< behind `/status`.optime
};

/// One member as `GET /cluster` and `list` show it.
struct MemberView {
    std::string name{};
    std::string role{};       ///< leader, standby_leader, sync_standby, quorum_standby, replica
    std::string state{};      ///< as 4.1.4 shows it: streaming, running, ...
    std::string raw_state{};  ///< state of the member key (what 3.0.2 shows)
    std::string api_url{};
    std::string host{};
    std::uint16_t port = 0;
    std::uint32_t timeline = 0;
    bool leads = false;
    bool pending_restart = false;
    std::string pending_restart_reason_json{};
    std::string scheduled_restart_json{};
    std::string tags_json{};
    Position received{}, replayed{}, reached{};
};
/// Sorted by name (patroni-compatibility.md 3.5).
std::vector<MemberView> overview(const ha::Cluster& cluster);

/// Body of `GET /cluster`.
nlohmann::ordered_json cluster_json(const ha::Cluster& cluster, const std::string& scope);

/// `text` parsed; anything but an object gives an empty object.
nlohmann::ordered_json object_of(const std::string& text);

}  // namespace howdah::api
