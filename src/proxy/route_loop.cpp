#include "proxy/route_loop.h"

#include <spdlog/spdlog.h>

#include "proxy/cancelled.h"
#include "proxy/follower.h"

namespace howdah::proxy {
namespace {

constexpr std::size_t max_in_flight = 8;
constexpr Millis farewell_limit{500};

/// The record as `found` shows it. `before`: an earlier answer, of which it may be a renewal.
ha::Sighting sighting(const std::vector<dcs::KeyValue>& found, const std::string& prefix,
                      const ha::Sighting& before) {
    ha::Sighting seen;
    for (const auto& kv : found) {
        if (kv.key == prefix + "howdah") {
            seen.value = before.value;
            seen.record = before.record;
            seen.read(kv.mod_revision, kv.value);
        } else if (kv.key == prefix + "leader") {
            seen.leader_revision = kv.mod_revision;
            seen.leader = kv.value;
            seen.leader_lease = kv.lease;
        }
    }
    return seen;
}

}  // namespace

RouteLoop::RouteLoop(Parts parts)
    : parts_(std::move(parts)), scope_(parts_.executor), bell_(parts_.executor, parts_.clock) {}

std::string RouteLoop::key() const {
    return parts_.prefix + std::string(endpoint_folder) + parts_.id;
}

io::Task<> RouteLoop::run() {
    co_await io::asio::this_coro::throw_if_cancelled(false);
    while (!co_await cancelled()) {
        const auto next = parts_.clock.now() + gate_.attempt_every();
        if (in_flight_ < max_in_flight) {
            ++in_flight_;
            scope_.spawn([this] { return attempt(); });
        }
        if (!asking_members_ && needs_vouching()) {
            asking_members_ = true;
            scope_.spawn([this] { return ask_members(); });
        }
        parts_.on_change();
        (void)co_await bell_.wait_until(next);
        parts_.wake.overslept(next, parts_.clock.now(), 6 * gate_.attempt_every());
        heed_pauses();
    }
    ending_ = true;
    co_await scope_.close();
}

io::Task<> RouteLoop::farewell() {
    dcs::Txn txn{.then = {dcs::Delete{key()}}};
    const dcs::Patience patience{.total = farewell_limit};
    (void)co_await io::within(parts_.clock, farewell_limit,
                              parts_.attempts.commit(std::move(txn), patience));
}

io::Task<> RouteLoop::attempt() {
    // After T an answer could vouch for nothing any more; half of it leaves room for the next ones.
    const dcs::Patience patience{.total = 5 * Nanos(gate_.hedge_after()),
                                 .hedge = gate_.hedge_after()};
    const auto number = gate_.begin_attempt(parts_.clock.now());
    // The put sends it through Raft: without one it would be a read, which can be stale.
    dcs::Txn txn{.then = {dcs::Put{.key = key(), .value = std::to_string(number)},
                          dcs::Get{parts_.prefix + "howdah"}, dcs::Get{parts_.prefix + "leader"}}};
    auto answer = co_await io::within(parts_.clock, patience.total + patience.hedge,
                                      parts_.attempts.commit(std::move(txn), patience));
    --in_flight_;
    if (!answer && answer.error().code == Errc::cancelled) {
        co_return;
    }
    const bool answered = answer && answer->succeeded;
    if (answered != store_answers_) {
        store_answers_ = answered;
        answered ? spdlog::info("endpoint store answers again")
                 : spdlog::warn(
                       "endpoint store does not answer error=\"{}\"",
                       answer ? "a transaction without compares failed" : answer.error().message);
    }
    if (answered) {
        answered_at_ = parts_.clock.now();
        last_answer_ = sighting(answer->found, parts_.prefix, last_answer_);
        gate_.answer(number, {.record = last_answer_, .store_revision = answer->revision});
        parts_.on_change();
    }
}

/// The deadline comes near, or the store is silent and it will: the members may know better
/// (safety-model.md, G4).
bool RouteLoop::needs_vouching() const {
    const auto now = parts_.clock.now();
    const auto record = gate_.resting_on();
    if (!record) {
        return false;
    }
    const Nanos ttl = record->ttl;
    const auto route = gate_.route(now);
    const bool silent = now > answered_at_ + ttl / 4;
    return route.doubted || route.deadline < now + (silent ? ttl * 3 / 4 : ttl / 2);
}

/// Again and again: the members may promise only just before the deadline. A cancellation ends the
/// await under way, and only that one.
io::Task<> RouteLoop::ask_members() {
    while (!ending_ && needs_vouching()) {
        const Nanos ttl = gate_.resting_on()->ttl;
        const auto sent = parts_.clock.now();
        gate_.vouch(sent, co_await parts_.ask_members(ttl / 6));
        parts_.on_change();
        (void)co_await parts_.clock.until(sent + ttl / 24);
    }
    asking_members_ = false;
}

void RouteLoop::hint(const Seen& seen) {
    const auto before = gate_.newest();
    gate_.hint(seen);
    const auto& after = gate_.newest();
    const bool news = after && (!before || before->epoch != after->epoch ||
                                before->seq < after->seq || before->state != after->state);
    // A hint can't open. An own attempt now sees what it told, a sixth of T sooner than the next
    // would.
    if (news && !route().open) {
        bell_.ring();
    }
    parts_.on_change();
}

void RouteLoop::heed_pauses() {
    const auto now = parts_.clock.now();
    parts_.wake.wake(now, parts_.clock.wall_nanos());
    if (const auto pauses = parts_.wake.pauses(); pauses != heeded_pauses_) {
        heeded_pauses_ = pauses;
        gate_.doubt(now);
        spdlog::warn(
            "endpoint may have stood still: nothing moves until the primary has proved its term");
        bell_.ring();
    }
}

}  // namespace howdah::proxy
