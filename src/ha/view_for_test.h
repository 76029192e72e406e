#pragma once

#include <algorithm>

#include "ha/decide.h"

namespace howdah::ha {

using namespace std::chrono_literals;

template <class A>
bool does(const Plan& plan) {
    return std::any_of(plan.actions.begin(), plan.actions.end(),
                       [](const Action& a) { return std::holds_alternative<A>(a); });
}

inline constexpr Instant start{1000s};

inline Record a_record(RecordState state = RecordState::primary) {
    return Record{.epoch = 4,
                  .holder = "b",
                  .holder_name = "pgvm2",
                  .incarnation = "ib",
                  .ttl = 5s,
                  .state = state,
                  .claimers = {"a", "b", "c"},
                  .promoted = {.uuid = "b", .epoch = 4, .timeline = 3},
                  .system_id = "77",
                  .timeline = 3};
}

/// A standby of pgvm2 that just saw the record; each test changes what it is about.
struct AView {
    View v{};

    AView() {
        v.now = start;
        v.self = {.uuid = "a", .name = "pgvm1", .stored_epoch = 4};
        v.local = {.data_dir = DataDir::initialized,
                   .system_id = "77",
                   .postmaster = true,
                   .accepting = true,
                   .role = Role::standby,
                   .state = PgState::running,
                   .tree_dead = false,
                   .timeline = 3,
                   .lsn = pg::Lsn(1000)};
        v.local.following = Upstream{.name = "pgvm2", .host = "127.0.52.82", .port = 5432};
        v.local.streaming_from_following = true;
        v.cluster = Cluster{.initialize = "77", .config_json = "{}"};
        v.cluster->members = {Member{
            .name = "pgvm2", .conn_url = "postgres://127.0.52.82:5432/postgres", .uuid = "b"}};
        with_record(a_record());
    }
    AView& with_record(const Record& record, std::int64_t revision = 50) {
        v.cluster->record = Sighting{.revision = revision,
                                     .value = render(record),
                                     .leader_revision = revision,
                                     .leader = record.holder_name,
                                     .record = record};
        v.memory = decide(v).memory.value_or(Memory{});
        return *this;
    }
    AView& as_holder(RecordState state = RecordState::primary, Nanos term_left = 4s) {
        auto record = a_record(state);
        record.holder = "a";
        record.incarnation = "ia";
        record.promoted.uuid = "a";
        with_record(record);
        v.tenure = Tenure{.epoch = 4, .deadline = v.now + term_left, .record = record};
        return *this;
    }
    AView& as_primary() {
        v.local.role = Role::primary;
        v.local.following.reset();
        return *this;
    }
    AView& down() {
        v.local.postmaster = v.local.accepting = false;
        v.local.tree_dead = true;
        return *this;
    }
    AView& after(Nanos t) {
        v.now = v.now + t;
        return *this;
    }
    AView& asked(std::vector<Standing> standings = {}) {
        v.peers = {.about_revision = v.cluster->record.revision,
                   .asked = v.now,
                   .complete = true,
                   .standings = std::move(standings)};
        return *this;
    }
    Plan plan() const { return decide(v); }
};

}  // namespace howdah::ha
