#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ha/member.h"
#include "ha/record.h"

namespace howdah::ha {

/// `/failover` (patroni-compatibility.md 2.4).
struct FailoverRequest {
    std::string leader{};
    std::string candidate{};     ///< JSON: member
    std::string scheduled_at{};  ///< ISO 8601 with zone, or empty
    std::int64_t revision = 0;
    bool empty() const { return leader.empty() && candidate.empty(); }
    bool operator==(const FailoverRequest&) const = default;
};

/// One row of `/history` (2.5).
struct HistoryRow {
    pg::Timeline parent = 0;
    pg::Lsn switch_lsn{};
    std::string reason{};
    std::string timestamp{};
    std::string new_leader{};
    bool operator==(const HistoryRow&) const = default;
};

/// One consistent read of everything under `/<namespace>/<scope>/`.
struct Cluster {
    Sighting record{};                        ///< keys `howdah` and `leader`
    std::optional<std::string> initialize{};  ///< "" while the first bootstrap runs
    std::string config_json{};                ///< `/config`, or empty
    std::int64_t config_revision = 0;
    std::vector<Member> members{};  ///< sorted by name
    FailoverRequest failover{};
    std::vector<HistoryRow> history{};
    std::optional<std::uint64_t> optime{};     ///< `/status`.optime (or optime/leader)
    std::string sync_json{}, failsafe_json{};  ///< `/sync` and `/failsafe`, or empty
    std::int64_t revision = 0;                 ///< of the store at that read
    bool operator==(const Cluster&) const = default;

    const Member* member(std::string_view name) const;
    const Member* member_by_uuid(std::string_view uuid) const;
    /// Name in the `leader` key, or empty.
    const std::string& leader_name() const { return record.leader; }
};

/// One key below the scope's prefix (`leader`, `members/pgvm1`, ...) as the store gave it.
struct ScopeKey {
    std::string name{};  ///< relative: "leader", "members/pgvm1"
    std::string value{};
    std::int64_t mod_revision = 0;
    std::int64_t lease = 0;
};
/// Tolerant of what it does not know. `keys` in any order.
Cluster parse_cluster(const std::vector<ScopeKey>& keys, std::int64_t revision);
/// The same with one key written anew. False, and nothing is changed, when only all keys together
/// tell what it says.
bool update(Cluster& cluster, const ScopeKey& key);
/// False for keys that no Cluster shows.
bool is_shown(std::string_view name);
/// `now` says that the holder of `before` goes on, and nothing else.
bool is_renewal(const Sighting& before, const Sighting& now);

/// Rows of a timeline history file (pg_wal/<TLI>.history): "parent<TAB>X/Y<TAB>reason" a line;
/// others are skipped, as PostgreSQL skips comments. Source: PostgreSQL docs, 26.3.6.
std::vector<HistoryRow> history_rows(const std::string& history_file);
std::string render_history(const std::vector<HistoryRow>& rows);
std::string render(const FailoverRequest& request);

}  // namespace howdah::ha
