#include <spdlog/spdlog.h>

#include <algorithm>

#include "agent/agent.h"

// N17: a walsender counts as a member once that member's own agent has confirmed the connection.

namespace howdah::agent {
namespace {

constexpr Millis ask_limit{500};
constexpr Nanos ask_again = Millis(150);
/// So long a connection is new: its member's agent may not have seen it yet.
constexpr Nanos new_for = Seconds(3);

}  // namespace

Agent::Connection Agent::connection_of(const ha::Walsender& w) {
    return {w.application_name, w.pid, w.client_port};
}

/// Notes in local_ what is known of the connections that PostgreSQL shows now, and forgets others.
void Agent::recognize_walsenders() {
    const auto now = parts_.clock.now();
    std::map<Connection, KnownConnection> here;
    for (auto& w : local_.walsenders) {
        const auto known = connections_.find(connection_of(w));
        const auto& one = here[connection_of(w)] =
            known == connections_.end() ? KnownConnection{.since = now} : known->second;
        w.member = one.member;
        w.since = one.since;
    }
    connections_ = std::move(here);
}

/// Members that have a walsender by their name which nobody confirmed yet.
std::vector<ha::Member> Agent::unconfirmed_standbys() const {
    std::vector<ha::Member> found;
    const auto& cluster = std::as_const(parts_.feed.current());
    const bool waits = keeping_.tenure && local_.role == ha::Role::primary && cluster &&
                       (dynamic_.synchronous_mode != ha::SyncMode::off ||
                        keeping_.tenure->record.sync.mode != ha::SyncMode::off);
    if (!waits) {
        return found;
    }
    for (const auto& m : cluster->members) {
        const auto nameless = std::ranges::any_of(local_.walsenders, [&](const ha::Walsender& w) {
            return w.member.empty() && w.application_name == m.name;
        });
        if (nameless && !m.is_patroni() && m.uuid != parts_.identity.uuid) {
            found.push_back(m);
        }
    }
    return found;
}

void Agent::confirm_standbys_when_due() {
    if (confirming_ || unconfirmed_standbys().empty()) {
        return;
    }
    confirming_ = true;
    background_->spawn([this] { return confirm_standbys(); });
}

io::Task<> Agent::confirm_standbys() {
    const auto until = parts_.clock.now() + new_for;
    do {
        const auto standings = co_await parts_.peers.ask(unconfirmed_standbys(), ask_limit);
        for (const auto& standing : standings) {
            take_confirmation(standing);
        }
        (void)co_await parts_.clock.until(parts_.clock.now() + ask_again);
    } while (!unconfirmed_standbys().empty() && parts_.clock.now() < until);
    confirming_ = false;
}

void Agent::take_confirmation(const ha::Standing& standing) {
    const auto& cluster = std::as_const(parts_.feed.current());
    const auto* member = cluster ? cluster->member_by_uuid(standing.uuid) : nullptr;
    if (member == nullptr || member->name != standing.name) {
        return;
    }
    for (auto& w : local_.walsenders) {
        if (w.member.empty() && confirms(standing, parts_.identity.name, w)) {
            w.member = standing.uuid;
            connections_[connection_of(w)].member = standing.uuid;
            bell_.ring();
        }
    }
}

}  // namespace howdah::agent
