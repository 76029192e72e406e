#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/agent.h"

// What is asked of this member's PostgreSQL alone: restart, at once or later; a new copy; the file
// read again. A restart of the primary is a switchover to itself: a new epoch, by the same rules.

namespace howdah::agent {
namespace {

constexpr Nanos poll = Millis(10);

const char* name_of(ha::JobKind kind) {
    switch (kind) {
        case ha::JobKind::initdb:
            return "bootstrap";
        case ha::JobKind::clone:
            return "reinitialize";
        case ha::JobKind::rewind:
            return "pg_rewind";
        case ha::JobKind::promote:
            return "promote";
        default:
            return "restarting after failure";
    }
}

Answer refused(std::string text) {
    return {.code = 503, .text = std::move(text)};
}

}  // namespace

/// What a restart or a switchover would cut into; empty: nothing.
std::string Agent::busy() const {
    if (restarting_) {
        return "restart";
    }
    if (reinitializing_) {
        return "reinitialize";
    }
    if (order_) {
        return "switchover";
    }
    return local_.job.running ? name_of(local_.job.kind) : "";
}

bool Agent::meets(const RestartRequest& request) const {
    const auto* role = local_.role == ha::Role::primary ? "primary" : "replica";
    return (request.role.empty() || request.role == role) &&
           (request.below_version == 0 || local_.server_version < request.below_version) &&
           (!request.if_pending || !local_.pending_restart_json.empty());
}

io::Task<Answer> Agent::restart(RestartRequest request) {
    if (request.at != 0) {
        co_return schedule_restart(std::move(request));
    }
    if (auto doing = busy(); !doing.empty()) {
        co_return refused(doing + " already in progress");
    }
    if (!local_.postmaster || !local_.accepting) {
        co_return refused("postgres is still starting");
    }
    if (!meets(request)) {
        co_return refused("restart conditions are not satisfied");
    }
    if (keeping_.on_promises || !parts_.feed.current()) {
        co_return refused("restart failed: DCS is not accessible");
    }
    restarting_ = true;
    auto answer = co_await restart_now(std::move(request));
    restarting_ = false;
    co_return answer;
}

io::Task<Answer> Agent::restart_now(RestartRequest request) {
    const auto started = local_.postmaster_start_time;
    const auto limit =
        request.timeout > Seconds{} ? request.timeout : dynamic_.primary_start_timeout;
    spdlog::info("a restart was asked for role={}",
                 local_.role == ha::Role::primary ? "primary" : "standby");
    if (local_.role == ha::Role::primary) {
        begin_switchover({.candidate = parts_.identity.uuid,
                          .candidate_name = parts_.identity.name,
                          .restart = true});
    } else {
        standby_order_ = {.what = ha::StandbyOrder::What::restart, .asked = parts_.clock.now()};
        bell_.ring();
    }
    co_return co_await await_restart(started, parts_.clock.now() + Nanos(limit));
}

io::Task<Answer> Agent::await_restart(std::string started, Instant until) {
    const auto is_over = [&] {
        const bool pending =
            order_ || standby_order_ ||
            (keeping_.tenure && keeping_.tenure->record.state != ha::RecordState::primary);
        return !pending && local_.accepting && local_.postmaster_start_time != started;
    };
    while (parts_.clock.now() < until && co_await parts_.clock.until(parts_.clock.now() + poll)) {
        if (is_over()) {
            co_return Answer{.text = "restarted successfully"};
        }
        if (!order_ && !switchover_failure_.empty()) {
            co_return refused("restart failed: " + switchover_failure_);
        }
        const auto& job = local_.job;
        if (ha::gave_up_starting(job)) {
            co_return refused("restart failed: " + job.error);
        }
    }
    co_return refused("restart failed");
}

Answer Agent::schedule_restart(RestartRequest request) {
    if (scheduled_restart_) {
        return {.code = 409, .text = "Another restart is already scheduled"};
    }
    spdlog::info("a restart was scheduled request={}", request.json);
    scheduled_restart_ = {.request = std::move(request),
                          .postmaster_start_time = local_.postmaster_start_time};
    bell_.ring();
    return {.code = 202, .text = "Restart scheduled"};
}

Answer Agent::cancel_restart() {
    if (!scheduled_restart_) {
        return {.code = 404, .text = "no restarts are scheduled"};
    }
    scheduled_restart_.reset();
    bell_.ring();
    return {.text = "scheduled restart deleted"};
}

/// A server that was started anew meanwhile has had its restart.
void Agent::take_scheduled_restart() {
    if (!scheduled_restart_ || dynamic_.pause || !local_.accepting) {
        return;
    }
    if (scheduled_restart_->postmaster_start_time != local_.postmaster_start_time) {
        spdlog::info("scheduled restart dropped: PostgreSQL was restarted meanwhile");
        scheduled_restart_.reset();
        return;
    }
    if (parts_.clock.wall_nanos() / 1'000'000'000 < scheduled_restart_->request.at) {
        return;
    }
    auto request = scheduled_restart_->request;
    scheduled_restart_.reset();
    request.at = 0;
    background_->spawn([this, request] {
        return [](Agent* agent, RestartRequest what) -> io::Task<> {
            const auto answer = co_await agent->restart(std::move(what));
            spdlog::info("scheduled restart: {}", answer.text);
        }(this, request);
    });
}

std::string Agent::scheduled_restart_json() const {
    if (!scheduled_restart_) {
        return {};
    }
    auto doc = nlohmann::ordered_json::parse(scheduled_restart_->request.json, nullptr, false);
    doc["postmaster_start_time"] = scheduled_restart_->postmaster_start_time;
    return doc.dump();
}

Answer Agent::reinitialize(bool force) {
    const auto& cluster = parts_.feed.current();
    const auto leader = cluster ? std::as_const(cluster)->leader_name() : std::string();
    if (leader == parts_.identity.name || keeping_.tenure) {
        return refused("I am the leader, can not reinitialize");
    }
    if (leader.empty()) {
        return refused("Cluster has no leader, can not reinitialize");
    }
    if (auto doing = busy(); !doing.empty() && !force) {
        return refused(doing + " already in progress");
    }
    reinitializing_ = true;
    if (local_.data_dir == ha::DataDir::initialized) {
        spdlog::warn("a new copy of the data directory was asked for");
        standby_order_ = {.what = ha::StandbyOrder::What::reinitialize,
                          .asked = parts_.clock.now(),
                          .id = fmt::format("{}-{}", parts_.identity.incarnation, ++copy_orders_)};
        bell_.ring();
    }
    return {.text = "reinitialize started"};
}

bool Agent::to_be_copied() const {
    return standby_order_ && standby_order_->what == ha::StandbyOrder::What::reinitialize;
}

/// With `nosync` as long as the primary must not count on what is here, and `nofailover`, too,
/// while Patroni members would wait for this one to take Patroni's key: as the only synchronous
/// standby of a Patroni primary it would hold commits that nobody who may lead has.
std::string Agent::published_tags() const {
    const auto& cluster = parts_.feed.current();
    const bool among_patronis =
        cluster && std::ranges::any_of(cluster->members, [this](const ha::Member& m) {
            return m.is_patroni() && m.name != parts_.identity.name;
        });
    if (!to_be_copied() && !among_patronis) {
        return parts_.config.tags_json;
    }
    const auto& own = parts_.config.tags_json;
    auto tags = nlohmann::ordered_json::parse(own.empty() ? "{}" : own, nullptr, false);
    tags["nosync"] = true;
    tags["sync_priority"] = 0;
    if (among_patronis) {
        tags["nofailover"] = true;
    }
    return tags.dump();
}

/// As the member key and REST tell it.
ha::PgState Agent::shown_state() const {
    const bool between = local_.state == ha::PgState::stopping ||
                         local_.state == ha::PgState::stopped ||
                         local_.state == ha::PgState::starting;
    if (to_be_copied()) {
        return ha::PgState::creating_replica;
    }
    return restarting_ && between ? ha::PgState::restarting : local_.state;
}

Answer Agent::reload() {
    if (parts_.reread) {
        parts_.reread();
    }
    return {.code = 202, .text = "reload scheduled"};
}

void Agent::take_file(const config::AgentConfig& config) {
    auto& ours = parts_.config;
    ours.tags_json = config.tags_json;
    ours.nofailover = config.nofailover;
    ours.failover_priority = config.failover_priority;
    ours.postgresql.local_json = config.postgresql.local_json;
    ours.postgresql.pg_hba = config.postgresql.pg_hba;
    ours.postgresql.pg_ident = config.postgresql.pg_ident;
    ours.postgresql.superuser = config.postgresql.superuser;
    ours.postgresql.replication = config.postgresql.replication;
    ours.postgresql.rewind = config.postgresql.rewind;
    parts_.instance.take_logins(ours.postgresql);
    configured_for_.clear();
    callbacks_.run(callback_commands_, {"on_reload", callback_watch_.role()}, ours.scope);
    bell_.ring();
}

}  // namespace howdah::agent
