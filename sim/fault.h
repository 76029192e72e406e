#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.h"
#include "base/random.h"
#include "base/result.h"

namespace howdah::sim {

enum class FaultKind : std::uint8_t {
    kill_postmaster,  ///< its backends live on until the fencer has reaped them
    kill_agent,
    kill_both,
    lose_power,
    stop_agent,         ///< SIGSTOP: PostgreSQL and the fencer run on
    pause_host,         ///< everything on it; its clock shows it
    pause_host_hidden,  ///< its clock doesn't
    isolate,            ///< the host from everything
    cut_store,          ///< the host from etcd
    cut_to_store,       ///< one way
    cut_from_store,
    cut_at_change,  ///< at the next change of the record, with the answer lost
    cut_peer,       ///< the host from another host, one way
    cut_endpoint,
    cut_endpoint_store,  ///< the endpoint from etcd
    slow_network,        ///< of the host
    lossy_network,
    slow_answers,   ///< of etcd to the host, while what it asks arrives fast
    etcd_stall,     ///< a member's disk stands still
    etcd_down,      ///< a member is down
    etcd_election,  ///< nobody answers
    etcd_lie,       ///< a member comes back from a pause and answers with what it had
    etcd_compact,
    etcd_forgets_answers,  ///< outcomes unknown: lost, or applied late
    etcd_repeats_events,
    etcd_late_expiry,
    etcd_roll_back,  ///< the store is restored from a backup
    etcd_lose_data,
    fill_disk,
    foreign_data,  ///< it comes back with the data directory of another cluster
    hang_postmaster,
    slow_recovery,
    stall_receiving,  ///< a standby looks connected and receives nothing
    cancel_waits,
    vacuum,          ///< much WAL that no client waits for
    write_config,    ///< an operator writes another synchronous mode
    delete_record,   ///< an operator deletes what he should not
    restart_server,  ///< an operator asks a member to restart its PostgreSQL
    reinitialize,    ///< an operator asks a member for a new copy of its data
    switchover,
    // Those below came later: what they draw is drawn last, so that older seeds stay what they
    // were.
    pause_cluster,   ///< an operator pauses the cluster, and resumes it
    tag_nofailover,  ///< a member gets the tag, and loses it
    freeze_storage,  ///< of a host: nothing is flushed, and what is killed does not die
    pause_replay,    ///< a standby flushes WAL and replays none
};
inline constexpr int first_kinds = static_cast<int>(FaultKind::switchover) + 1;
inline constexpr int fault_kinds = static_cast<int>(FaultKind::pause_replay) + 1;
std::string_view name_of(FaultKind kind);
std::optional<FaultKind> kind_of(std::string_view name);
/// In words for a transcript.
std::string_view words_for(FaultKind kind);

/// One thing that goes wrong. A schedule of these is data: it can be printed, read and shortened.
struct Fault {
    static constexpr int holder = -1;  ///< whoever can take writes at that moment
    FaultKind kind{};
    Nanos at{};        ///< since the run began
    Nanos lasts{};     ///< 0 where it is over at once
    int who = holder;  ///< number of a host, or of a member of etcd
    int other = 0;     ///< another host; a size
    bool operator==(const Fault&) const = default;
};

/// One line each: "12.345 kill_agent holder 0 for 3.2".
std::string render(const std::vector<Fault>& schedule);
/// Errors: Errc::invalid with the line.
Result<std::vector<Fault>> parse_schedule(const std::string& text);

}  // namespace howdah::sim
