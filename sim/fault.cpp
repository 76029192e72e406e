#include "fault.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

namespace howdah::sim {
namespace {

struct Words {
    std::string_view name, words;
};
constexpr std::array<Words, fault_kinds> all{{
    {"kill_postmaster", "the postmaster is killed"},
    {"kill_agent", "the agent is killed"},
    {"kill_both", "agent and postmaster are killed"},
    {"lose_power", "the host loses power"},
    {"stop_agent", "the agent is stopped (SIGSTOP)"},
    {"pause_host", "the host stands still"},
    {"pause_host_hidden", "the host stands still, and its clock with it"},
    {"isolate", "the host is cut off from everything"},
    {"cut_store", "the host is cut off from etcd"},
    {"cut_to_store", "nothing from the host reaches etcd"},
    {"cut_from_store", "nothing from etcd reaches the host"},
    {"cut_at_change",
     "the next change of the record cuts its holder off from etcd and one host off from it"},
    {"cut_peer", "nothing from the host reaches one other"},
    {"cut_endpoint", "host and endpoint are cut off from each other"},
    {"cut_endpoint_store", "the endpoint is cut off from etcd"},
    {"slow_network", "the host's network is slow"},
    {"lossy_network", "the host's network loses packets"},
    {"slow_answers", "answers of etcd reach the host late"},
    {"etcd_stall", "the disk of a member of etcd stands still"},
    {"etcd_down", "a member of etcd is down"},
    {"etcd_election", "etcd has no leader"},
    {"etcd_lie", "a member of etcd answers with what it had before a pause"},
    {"etcd_compact", "etcd forgets its history"},
    {"etcd_forgets_answers", "answers of etcd get lost, requests are applied late"},
    {"etcd_repeats_events", "watches bring events twice"},
    {"etcd_late_expiry", "leases of etcd end late"},
    {"etcd_roll_back", "etcd is restored from a backup"},
    {"etcd_lose_data", "etcd lost its data"},
    {"fill_disk", "the disk takes no writes"},
    {"foreign_data", "the host comes back with the data of another cluster"},
    {"hang_postmaster", "the postmaster hangs"},
    {"slow_recovery", "crash recovery is slow"},
    {"stall_receiving", "the standby receives no WAL, though it looks connected"},
    {"cancel_waits", "somebody cancels all sessions that wait for a standby"},
    {"vacuum", "a vacuum writes much WAL"},
    {"write_config", "an operator writes another configuration"},
    {"delete_record", "an operator deletes the leader record"},
    {"restart_server", "an operator asks for a restart of PostgreSQL"},
    {"reinitialize", "an operator asks for a new copy of the data"},
    {"switchover", "an operator asks for a switchover"},
    {"pause_cluster", "an operator pauses the cluster"},
    {"tag_nofailover", "a member is tagged nofailover"},
    {"freeze_storage", "the storage of the host stands still"},
    {"pause_replay", "the standby replays nothing"},
}};

Result<Fault> parse(const std::string& line) {
    std::istringstream in(line);
    double at = 0;
    double lasts = 0;
    std::string kind;
    std::string who;
    std::string word;
    Fault fault;
    if (!(in >> at >> kind >> who >> fault.other >> word >> lasts)) {
        return fail(Errc::invalid, fmt::format("no fault: \"{}\"", line),
                    "write: SECONDS KIND holder|NUMBER NUMBER for SECONDS");
    }
    const auto known = kind_of(kind);
    if (!known) {
        return fail(Errc::invalid, fmt::format("no such kind of fault: {}", kind));
    }
    fault.kind = *known;
    fault.at = Nanos(std::llround(at * 1e9));
    fault.lasts = Nanos(std::llround(lasts * 1e9));
    fault.who = who == "holder" ? Fault::holder : std::atoi(who.c_str());
    return fault;
}

}  // namespace

std::string_view name_of(FaultKind kind) {
    return all.at(static_cast<std::size_t>(kind)).name;
}
std::optional<FaultKind> kind_of(std::string_view name) {
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const Words& w) { return w.name == name; });
    return found == all.end() ? std::nullopt
                              : std::optional(static_cast<FaultKind>(found - all.begin()));
}
std::string_view words_for(FaultKind kind) {
    return all.at(static_cast<std::size_t>(kind)).words;
}

std::string render(const std::vector<Fault>& schedule) {
    std::string text;
    for (const auto& f : schedule) {
        text += fmt::format("{:.9f} {} {} {} for {:.9f}\n", to_seconds(f.at), name_of(f.kind),
                            f.who == Fault::holder ? "holder" : std::to_string(f.who), f.other,
                            to_seconds(f.lasts));
    }
    return text;
}

Result<std::vector<Fault>> parse_schedule(const std::string& text) {
    std::vector<Fault> schedule;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
        if (!line.empty() && line.front() != '#') {
            HD_TRY(schedule.emplace_back(), parse(line));
        }
    }
    return schedule;
}

}  // namespace howdah::sim
