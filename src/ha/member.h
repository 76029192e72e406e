#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "base/result.h"
#include "ha/record.h"
#include "pg/lsn.h"

namespace howdah::ha {

/// What PostgreSQL is here. Outside (Patroni's JSON) a standby is called `replica`.
enum class Role : std::uint8_t { none, primary, standby };

/// States of patroni-compatibility.md 2.7; name_of() gives Patroni's words.
enum class PgState : std::uint8_t {
    initializing,
    initdb_failed,
    custom_bootstrap,
    custom_bootstrap_failed,
    creating_replica,
    running,
    starting,
    starting_after_custom_bootstrap,
    start_failed,
    restarting,
    restart_failed,
    stopping,
    stopped,
    stop_failed,
    crashed,
};
std::string_view name_of(PgState state);
std::optional<PgState> parse_pg_state(std::string_view text);

/// Value of `members/<name>` (patroni-compatibility.md 2.2), with what Howdah adds under `howdah`.
struct Member {
    std::string name{};      ///< from the key, not in the JSON
    std::string conn_url{};  ///< postgres://host:port/database
    std::string api_url{};   ///< http[s]://host:port/patroni
    std::string state{};     ///< Patroni's word, kept as text so that unknown ones survive
    std::string
        role{};  ///< Patroni's word: primary, replica, demoted, ... (`master` reads as primary)
    std::string version{};
    std::string tags_json{};  ///< object, or empty
    std::optional<std::uint64_t> xlog_location{};
    std::optional<std::uint64_t> receive_lsn{};
    std::optional<std::uint64_t> replay_lsn{};
    std::string replication_state{};
    pg::Timeline timeline = 0;
    bool checkpoint_after_promote_pending = false;  ///< JSON: checkpoint_after_promote: false
    bool pending_restart = false;
    std::string pending_restart_reason_json{};  ///< object, or empty
    std::string scheduled_restart_json{};       ///< object, or empty
    bool pause = false;
    /// howdah.restored: a restore left a cluster with it that may begin the scope.
    bool restored = false;
    std::string settings_refused{};      ///< howdah.settings_refused: as Local has it
    std::string file_errors{};           ///< howdah.file_errors: as Local has it
    std::int64_t recoverable_until = 0;  ///< howdah.recoverable_until: as Local has it
    std::string archiving_off{};  ///< howdah.archiving_off: why; empty: nothing holds it back
    /// howdah.greatest_timeline: of the numbers that it has known of, where above `timeline`
    pg::Timeline greatest_timeline = 0;
    std::string copy_order{};  ///< howdah.copy_order: wants a new copy, and in which order
    Uuid uuid{};  ///< howdah.uuid; empty: a Patroni member (safety-model.md, section 9)
    bool operator==(const Member&) const = default;

    /// Patroni's keys say where the member can be reached; what somebody wrote by hand does not.
    bool is_patroni() const { return uuid.empty() && !(conn_url.empty() && api_url.empty()); }
    /// Those tags that decisions depend on (patroni-compatibility.md 1.10), however they are
    /// written
    /// ('true', "0"). A priority of 0 or less says nofailover or nosync, which beat it where they
    /// are set, also to false.
    struct Tags {
        bool nofailover = false;
        int failover_priority = 1;  ///< among equals the greatest goes first
        bool noloadbalance = false;
        bool nosync = false;
        int sync_priority = 1;
    };
    Tags tags() const;
    /// Host and port of conn_url, of api_url. Errors: Errc::invalid.
    struct Address {
        std::string host{};
        std::uint16_t port = 0;
        bool tls = false;  ///< https
    };
    Result<Address> postgres_address() const;
    Result<Address> api_address() const;
};

/// Tolerant, as 2.2 asks: missing fields and non-objects give an empty member, never an error.
Member parse_member(std::string name, const std::string& json);
std::string render(const Member& member);

}  // namespace howdah::ha
