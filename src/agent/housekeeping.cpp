#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/agent.h"

// What the store and PostgreSQL's slots are told about this member. Nothing here decides anything.

namespace howdah::agent {
namespace {

constexpr auto patroni_version = "4.1.4";  // others parse it (patroni-compatibility.md 2.2)

std::string_view role_word(const ha::Local& local) {
    switch (local.role) {
        case ha::Role::primary:
            return "primary";
        case ha::Role::standby:
            return "replica";
        case ha::Role::none:
            return local.data_dir == ha::DataDir::initialized ? "replica" : "uninitialized";
    }
    return "uninitialized";
}

/// ISO 8601 with microseconds and zone, as Patroni writes it.
std::string timestamp(std::int64_t wall_nanos) {
    const std::time_t seconds = wall_nanos / 1'000'000'000;
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}+00:00", utc.tm_year + 1900,
                       utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                       wall_nanos % 1'000'000'000 / 1000);
}

}  // namespace

ha::Member Agent::self_member() const {
    const auto& pg = parts_.config.postgresql;
    const auto& api = parts_.config.restapi;
    ha::Member m{
        .name = parts_.identity.name,
        .conn_url = fmt::format("postgres://{}/{}", pg.connect_address.text(), pg.database),
        .api_url =
            fmt::format("{}://{}/patroni", api.tls ? "https" : "http", api.connect_address.text()),
        .state = std::string(ha::name_of(shown_state())),
        .role = std::string(role_word(local_)),
        .version = patroni_version,
        .tags_json = published_tags(),
        .pending_restart = !local_.pending_restart_json.empty(),
        .pending_restart_reason_json = local_.pending_restart_json,
        .scheduled_restart_json = scheduled_restart_json(),
        // Of the holder only when its PostgreSQL outlives this agent.
        .pause = dynamic_.pause && (!keeping_.tenure || keeping_.tenure->record.paused),
        .restored = local_.restored && !local_.restored->shuts_down && parts_.config.bootstrap &&
                    !parts_.config.nofailover,
        .settings_refused = local_.settings_refused,
        .file_errors = local_.file_errors,
        .recoverable_until = local_.recoverable_until,
        .archiving_off = archiving_off(),
        .copy_order = to_be_copied() ? standby_order_->id : "",
        .uuid = parts_.identity.uuid};
    // Also of what its directory held before it was copied anew.
    m.greatest_timeline = parts_.durable.greatest_timeline();
    if (local_.accepting) {
        m.xlog_location = local_.lsn.bytes();
        m.timeline = local_.timeline;
    }
    if (local_.accepting && local_.role == ha::Role::standby) {
        m.receive_lsn = local_.received.bytes();
        m.replay_lsn = local_.replayed.bytes();
        m.replication_state = local_.replication_state;
    }
    m.checkpoint_after_promote_pending =
        local_.role == ha::Role::primary && !local_.checkpointed_since_promote;
    return m;
}

io::Task<> Agent::publish_member() {
    if (member_lease_ == 0 || !parts_.feed.current()) {
        co_return;
    }
    auto member = self_member();
    auto shape = member;  // what is worth a write at once; positions wait for the next loop
    shape.xlog_location.reset();
    shape.receive_lsn.reset();
    shape.replay_lsn.reset();
    const auto now = parts_.clock.now();
    // Somebody may have deleted it. The store's word of the last write may be on its way.
    const auto* shown = std::as_const(*parts_.feed.current()).member(member.name);
    const auto deleted = shown == nullptr && now >= published_at_ + Seconds(1);
    if (shape == published_member_ && member_lease_ == published_lease_ && !deleted &&
        now < published_at_ + Nanos(dynamic_.loop_wait)) {
        co_return;
    }
    dcs::Txn txn;
    txn.then.emplace_back(dcs::Put{.key = prefix_ + "members/" + member.name,
                                   .value = ha::render(member),
                                   .lease = member_lease_});
    const auto done = co_await parts_.store.commit(
        std::move(txn), dcs::Patience{.total = Seconds(1), .hedge = Millis(300)});
    if (done) {
        published_member_ = std::move(shape);
        published_lease_ = member_lease_;
        published_at_ = now;
    } else if (done.error().code == Errc::not_found) {
        member_lease_ = 0;
    }
}

io::Task<> Agent::keep_member_lease() {
    while (true) {
        const auto ttl = dynamic_.lease.leader_key_ttl();
        const dcs::Patience patience{.total = Seconds(2)};
        const auto now = parts_.clock.now();
        if (member_lease_ != 0) {
            const auto kept = co_await parts_.store.keep_alive(member_lease_, patience);
            if (!kept && kept.error().code == Errc::not_found) {
                member_lease_ = 0;
            }
        }
        if (member_lease_ == 0) {
            const auto lease = co_await parts_.store.grant(ttl, patience);
            if (lease) {
                member_lease_ = lease->id;
                bell_.ring();
            }
        }
        const auto pause = member_lease_ != 0 ? Nanos(ttl) / 4 : Nanos(Seconds(1));
        if (!co_await parts_.clock.until(now + pause)) {
            co_return;
        }
    }
}

void Agent::publish_status() {
    const auto now = parts_.clock.now();
    if (now < status_published_at_ + Nanos(dynamic_.loop_wait)) {
        return;
    }
    status_published_at_ = now;
    parts_.keeper.carry(prefix_ + "status", nlohmann::json{{"optime", local_.lsn.bytes()}}.dump());
}

io::Task<> Agent::publish_history() {
    if (history_published_for_ == local_.timeline || !parts_.feed.current()) {
        co_return;
    }
    const auto text = co_await parts_.instance.timeline_history(local_.timeline);
    if (!text) {
        co_return;
    }
    auto rows = ha::history_rows(*text);
    for (auto& row : rows) {
        for (const auto& known : parts_.feed.current()->history) {
            if (known.parent == row.parent && known.switch_lsn == row.switch_lsn) {
                row = known;
            }
        }
    }
    if (!rows.empty() && rows.back().new_leader.empty()) {
        rows.back().new_leader = parts_.identity.name;
        rows.back().timestamp = timestamp(parts_.clock.wall_nanos());
    }
    parts_.keeper.carry(prefix_ + "history", ha::render_history(rows));
    history_published_for_ = local_.timeline;
}

std::vector<std::string> Agent::other_members() const {
    std::vector<std::string> names;
    for (const auto& m : std::as_const(*parts_.feed.current()).members) {
        if (m.name != parts_.identity.name) {
            names.push_back(m.name);
        }
    }
    return names;
}

/// Nobody streams from a standby. What it kept for others when it led would keep WAL for ever.
io::Task<> Agent::drop_old_slots() {
    const auto now = parts_.clock.now();
    if (local_.role != ha::Role::standby || !local_.accepting ||
        now < slots_dropped_at_ + Nanos(dynamic_.loop_wait)) {
        co_return;
    }
    slots_dropped_at_ = now;
    auto names = other_members();
    names.insert(names.end(), slots_made_for_.begin(), slots_made_for_.end());
    (void)co_await parts_.instance.drop_slots(std::move(names));
}

io::Task<> Agent::keep_slots() {
    const auto names = other_members();
    if (names == slots_for_) {
        co_return;
    }
    if (co_await parts_.instance.keep_slots(names)) {
        slots_for_ = slots_made_for_ = names;
    }
}

/// An etcd that the agents run compacts itself.
void Agent::compact_when_due() {
    const auto& etcd = parts_.config.etcd;
    if (etcd && !etcd->compact.value_or(!etcd->supervised)) {
        return;
    }
    const auto to = compaction_.due(parts_.clock.now(), parts_.feed.current()->revision);
    if (to) {
        background_->spawn([this, to = *to] { return compact(to); });
    }
}

io::Task<> Agent::compact(dcs::Revision to) {
    const dcs::Patience patience{.total = Seconds(5)};
    if (const auto done = co_await parts_.store.compact(to, patience); !done) {
        spdlog::warn("the store was not compacted revision={} why=\"{}\"", to,
                     done.error().message);
    }
    const auto space = co_await parts_.store.space(patience);
    const auto tight = space && space->used > space->limit / 2;
    if (tight && !told_of_space_) {
        spdlog::warn(
            "the store holds {} MB, half of what etcd takes by default: defragment it, or "
            "raise --quota-backend-bytes",
            space->used >> 20U);
    }
    told_of_space_ = tight;
}

io::Task<> Agent::keep_house() {
    const auto& cluster = parts_.feed.current();
    if (!cluster) {
        co_return;
    }
    seen_revision_ = std::max(seen_revision_, cluster->record.revision);
    co_await publish_member();
    // Standbys need their slots before the sync barrier can be passed.
    const auto leads = keeping_.tenure && ha::may_be_followed(keeping_.tenure->record) &&
                       local_.role == ha::Role::primary && local_.accepting;
    if (!leads) {
        slots_for_.clear();
        history_published_for_ = 0;
        co_await drop_old_slots();
        co_return;
    }
    publish_status();
    compact_when_due();
    co_await publish_history();
    co_await keep_slots();
}

}  // namespace howdah::agent
