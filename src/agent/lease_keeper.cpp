#include "agent/lease_keeper.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/mutant.h"

namespace howdah::agent {
namespace {

constexpr std::size_t unresolved_at_most = 8;

/// A version of the record that must still stand: mod_revision *and* exact value, and the state of
/// `leader` (L2).
std::vector<dcs::Compare> version_stands(const ha::Sighting& over, const std::string& record_key,
                                         const std::string& leader_key) {
    std::vector<dcs::Compare> all;
    if (over.absent()) {
        all.push_back(dcs::Compare::absent(record_key));
    } else {
        all.push_back({.key = record_key,
                       .field = dcs::Compare::Field::mod_revision,
                       .revision = over.revision});
        all.push_back(dcs::Compare::equals(record_key, over.value));
    }
    if (over.bare()) {
        all.push_back(dcs::Compare::absent(leader_key));
    } else {
        all.push_back({.key = leader_key,
                       .field = dcs::Compare::Field::mod_revision,
                       .revision = over.leader_revision});
    }
    return all;
}

}  // namespace

ha::Sighting sighting(const std::vector<dcs::KeyValue>& found, const std::string& record_key,
                      const std::string& leader_key) {
    ha::Sighting seen;
    for (const auto& kv : found) {
        if (kv.key == record_key) {
            seen.read(kv.mod_revision, kv.value);
        } else if (kv.key == leader_key) {
            seen.leader_revision = kv.mod_revision;
            seen.leader = kv.value;
            seen.leader_lease = kv.lease;
        }
    }
    return seen;
}

LeaseKeeper::LeaseKeeper(io::Executor executor, io::Clock& clock, dcs::KeyValueStore& store,
                         std::string prefix, Identity identity, Deadlines& deadlines,
                         Durable& durable, PromisePeers& peers, Watchdog& watchdog,
                         ha::WakeWatch& wake, std::function<void(Keeping)> publish)
    : executor_(executor),
      clock_(clock),
      store_(store),
      record_key_(prefix + "howdah"),
      leader_key_(prefix + "leader"),
      identity_(std::move(identity)),
      deadlines_(deadlines),
      durable_(durable),
      publish_(std::move(publish)),
      promise_peers_(peers),
      watchdog_(watchdog),
      wake_(wake),
      bell_(executor, clock),
      turnstile_(executor) {}

void LeaseKeeper::update() {
    Keeping now{
        .why_over = keeping_.why_over, .on_promises = on_promises_, .proved_after = proved_after_};
    if (term_) {
        now.tenure = term_->tenure();
        now.claim_unresolved = term_->state() == ha::Term::State::claiming;
        if (term_->state() == ha::Term::State::over) {
            now.why_over = term_->why_over();
        }
    }
    if (now.tenure) {
        now.promisers = term_->promisers();
        deadlines_.arm(has_no_deadline() ? Instant{} : now.tenure->deadline - times_.fence_budget);
    }
    keeping_ = now;
    publish_(keeping_);
}

/// Whoever finds this agent silent must read in the record that PostgreSQL may live on (N13).
bool LeaseKeeper::has_no_deadline() const {
    return paused_ && term_->tenure()->record.paused &&
           std::ranges::all_of(term_->unresolved(),
                               [](const ha::Attempt& attempt) { return attempt.record.paused; });
}

void LeaseKeeper::end_term(std::string why) {
    if (term_ && term_->state() != ha::Term::State::over) {
        term_->end(std::move(why));
    }
    if (keeping_.tenure) {
        spdlog::warn("term ended epoch={} why=\"{}\"", keeping_.tenure->epoch, term_->why_over());
    }
    wanted_.clear();
    carried_.clear();
    on_promises_ = false;
    update();
}

Nanos LeaseKeeper::time_left() const {
    const auto tenure = term_ ? term_->tenure() : std::nullopt;
    return tenure ? tenure->deadline - clock_.now() : Nanos{};
}

dcs::Txn LeaseKeeper::transaction(const ha::Attempt& attempt, bool keep_leader) const {
    dcs::Txn txn{.when = version_stands(attempt.over, record_key_, leader_key_),
                 .otherwise = {dcs::Get{record_key_}, dcs::Get{leader_key_}}};
    txn.then.emplace_back(dcs::Put{.key = record_key_, .value = attempt.value});
    if (keep_leader) {
        txn.then.emplace_back(dcs::Put{
            .key = leader_key_, .value = attempt.record.holder_name, .lease = attempt.lease.id});
        for (const auto& [key, value] : carried_) {
            txn.then.emplace_back(dcs::Put{.key = key, .value = value});
        }
    } else {
        txn.then.emplace_back(dcs::Delete{leader_key_});
    }
    return txn;
}

io::Task<Result<>> LeaseKeeper::send(ha::Attempt attempt, dcs::Txn txn, Nanos limit) {
    last_sent_ = attempt.sent;
    const auto pauses = wake_.pauses();
    const dcs::Patience patience{.total = limit, .hedge = times_.hedge_after()};
    auto answer = co_await store_.commit(std::move(txn), patience);
    if (!answer) {
        if (answer.error().code == Errc::not_found) {
            lease_ =
                {};  // it ran out: the whole transaction failed, and the next one brings another
        }
        co_return std::unexpected(std::move(answer).error());
    }
    if (answer->succeeded) {
        if (HD_MUTANT(deadline_from_response)) {
            attempt.sent = clock_.now();
        }
        term_->answered(attempt, ha::Committed{.revision = answer->revision});
        confirmed_ = attempt.sent;
        proved(attempt.sent, pauses);
    } else {
        term_->answered(attempt,
                        ha::Refused{.found = sighting(answer->found, record_key_, leader_key_),
                                    .received = clock_.now()});
    }
    co_return Result<>{};
}

io::Task<Result<>> LeaseKeeper::refresh_lease() {
    const auto now = clock_.now();
    if (lease_.id != 0 && now < lease_.granted + Nanos(lease_.ttl) / 3) {
        co_return Result<>{};
    }
    const auto ttl = times_.leader_key_ttl();
    const dcs::Patience patience{.total = times_.ttl / (on_promises_ ? 10 : 5),
                                 .hedge = times_.hedge_after()};
    auto granted = co_await store_.grant(ttl, patience);
    if (!granted) {
        co_return std::unexpected(std::move(granted).error());
    }
    left_lease_ = lease_.id;
    // The larger TTL that a store may grant is ignored.
    lease_ = {.id = granted->id, .ttl = std::min(ttl, granted->ttl), .granted = now};
    co_return Result<>{};
}

io::Task<> LeaseKeeper::revoke_left_lease() {
    // Only after the key has moved off it; otherwise it is left to expire (L1).
    if (left_lease_ != 0 && term_ && term_->tenure() && term_->lease().id == lease_.id) {
        const auto old = std::exchange(left_lease_, 0);
        (void)co_await store_.revoke(old, dcs::Patience{.total = times_.hedge_after()});
    }
}

ha::Record LeaseKeeper::fresh_record(const Claim& order) const {
    ha::Record next;
    const auto& copied = order.over.record ? order.over.record : order.lost;
    if (copied) {
        const auto& old = *copied;
        next.claimers = old.claimers;
        next.set_version = old.set_version;
        next.sync_version = old.sync_version;
        next.sync = old.sync;
        next.promoted = old.promoted;
        next.last_start = old.last_start;
        next.reserved = old.reserved;
        next.system_id = old.system_id;
    }
    if (next.claimers.empty()) {
        next.claimers = {identity_.uuid};
        next.set_version = 1;
    }
    if (next.system_id.empty()) {
        next.system_id = order.system_id;
    }
    next.epoch = order.epoch;
    next.holder = identity_.uuid;
    next.holder_name = identity_.name;
    next.incarnation = identity_.incarnation;
    next.seq = 1;
    next.ttl = order.times.ttl;
    next.state = ha::RecordState::claimed;
    next.paused = paused_;
    return next;
}

io::Task<Result<ha::Tenure>> LeaseKeeper::claim(Claim order) {
    if (leaving_) {
        co_return fail(Errc::conflict, "the end of the last term is not confirmed yet");
    }
    const auto turn = co_await turnstile_.take();
    times_ = order.times;
    HD_CO_TRY_VOID(watchdog_.start(times_));
    lease_ = {};
    wanted_.clear();
    carried_.clear();
    HD_CO_TRY_VOID(co_await refresh_lease());
    left_lease_ = 0;
    let_go_ = false;
    term_.emplace(order.over, times_);
    const auto first_sent = clock_.now();
    auto attempt = term_->prepare(fresh_record(order), lease_, first_sent);
    update();
    while (term_->state() == ha::Term::State::claiming) {
        const auto left = first_sent + times_.ttl - clock_.now();
        if (left <= Nanos{}) {
            end_term("nobody answered the claim in time");
            co_return fail(Errc::unavailable, "claim: no answer from the store");
        }
        const auto sent = co_await send(attempt, transaction(attempt, true),
                                        std::min<Nanos>(left, times_.ttl / 2));
        if (!sent && sent.error().code == Errc::invalid) {
            end_term("the store refused the claim");
            co_return std::unexpected(Error(sent.error()).within("claim"));
        }
        if (!sent && sent.error().code == Errc::not_found) {
            end_term("the lease of the claim was gone");
            co_return std::unexpected(Error(sent.error()).within("claim"));
        }
        if (!sent) {
            (void)co_await clock_.until(clock_.now() + times_.hedge_after());
            attempt = term_->again(clock_.now());
        }
    }
    co_return co_await finish_claim(order.epoch);
}

io::Task<Result<ha::Tenure>> LeaseKeeper::finish_claim(ha::Epoch epoch) {
    if (term_->state() != ha::Term::State::held) {
        update();
        co_return fail(Errc::conflict, term_->why_over());
    }
    const Stored stored{.epoch = epoch,
                        .incarnation = identity_.incarnation,
                        .revision = term_->version().revision};
    if (auto kept = durable_.store(stored); !kept) {
        end_term("the epoch could not be stored");
        co_return std::unexpected(std::move(kept).error());
    }
    update();
    bell_.ring();
    co_return *term_->tenure();
}

io::Task<Result<>> LeaseKeeper::renew() {
    const auto turn = co_await turnstile_.take();
    const auto tenure = term_ ? term_->tenure() : std::nullopt;
    if (!tenure) {
        co_return fail(Errc::conflict, "no term is held");
    }
    if (time_left() <= Nanos{}) {
        end_term("its deadline passed without a confirmed renewal");
        co_return fail(Errc::conflict, term_->why_over());
    }
    if (let_go_) {
        co_return fail(Errc::conflict, "the term is left to end");
    }
    // Without a new grant the old lease still bounds the deadline correctly.
    (void)co_await refresh_lease();
    if (term_->state() != ha::Term::State::held) {
        co_return fail(Errc::conflict, term_->why_over());  // given up meanwhile
    }
    if (lease_.id == 0) {
        co_return fail(Errc::unavailable, "no lease for the leader key");
    }
    auto next = tenure->record;
    for (const auto& change : wanted_) {
        change->edit(next);
    }
    next.seq = tenure->record.seq + 1 + term_->unresolved().size();
    next.ttl = times_.ttl;
    next.paused = paused_;
    const auto carried = carried_;
    // While the store is silent the same value goes again and again: what may have committed unseen
    // stays a handful.
    const auto again = on_promises_ && term_->unresolved().size() >= unresolved_at_most &&
                       term_->unresolved().back().lease.id == lease_.id &&
                       term_->unresolved().back().over.same_version(term_->version());
    const auto attempt =
        again ? term_->again(clock_.now()) : term_->prepare(std::move(next), lease_, clock_.now());
    if (!again) {
        for (const auto& change : wanted_) {
            change->sent.push_back(attempt.value);
        }
    }
    const auto limit = std::max<Nanos>(std::min(patience_of_renewal(), time_left()), Millis(50));
    auto sent = co_await send(attempt, transaction(attempt, true), limit);
    if (term_->state() == ha::Term::State::over) {
        end_term({});
        co_return fail(Errc::conflict, term_->why_over());
    }
    if (HD_MUTANT(keepalive_as_proof) && !sent && co_await store_.keep_alive(lease_.id, {limit})) {
        term_->promised({{.epoch = tenure->epoch}, {}, attempt.sent}, clock_.now());
    }
    if (sent && term_->store_went_back()) {
        sent = fail(Errc::unavailable, "the store has lost this term's record");
    }
    if (sent && on_promises_) {
        spdlog::info("the store answers again");
        on_promises_ = false;
    }
    if (sent) {
        drop_what_stands();
    }
    if (sent && term_->version().value == attempt.value) {
        for (const auto& [key, value] : carried) {
            if (const auto it = carried_.find(key); it != carried_.end() && it->second == value) {
                carried_.erase(it);
            }
        }
    }
    update();
    co_await revoke_left_lease();
    co_return sent;
}

void LeaseKeeper::drop_what_stands() {
    std::erase_if(wanted_, [&](const auto& change) {
        return std::ranges::find(change->sent, term_->version().value) != change->sent.end();
    });
}

/// The store or every claimer has confirmed the term by what was sent at `sent`.
void LeaseKeeper::proved(Instant sent, std::uint64_t pauses) {
    proved_after_ = std::max(proved_after_, pauses);
    watchdog_.pet(sent, clock_.now());
}

/// While promises carry the term, their next round must not come too late.
Nanos LeaseKeeper::patience_of_renewal() const {
    return Nanos(times_.ttl) / (on_promises_ ? 6 : 3);
}

void LeaseKeeper::know_peers(std::vector<ha::Member> members, bool may_ask) {
    io::asio::post(executor_, [this, m = std::move(members), may_ask]() mutable {
        peers_ = std::move(m);
        may_ask_ = may_ask;
    });
}

/// G2, G3: one round, when no renewal has been confirmed for a third of T.
io::Task<> LeaseKeeper::ask_for_promises() {
    const auto tenure = term_ ? term_->tenure() : std::nullopt;
    const auto sent = clock_.now();
    if (!may_ask_ || !tenure || tenure->record.state != ha::RecordState::primary ||
        sent < confirmed_ + Nanos(times_.ttl) / 3) {
        co_return;
    }
    const auto last = tenure->deadline - times_.fence_budget - times_.graceful_budget;
    const auto limit = std::min(Nanos(times_.ttl) / 4, last - sent);
    if (limit <= Nanos{}) {
        co_return;
    }
    const auto others = term_->promisers();
    const auto pauses = wake_.pauses();
    const ha::PromiseRequest request{.epoch = tenure->epoch,
                                     .incarnation = identity_.incarnation,
                                     .holder = identity_.uuid,
                                     .holder_name = identity_.name,
                                     .round = ++round_,
                                     .set = others,
                                     .set_version = tenure->record.set_version,
                                     .ttl = tenure->record.ttl};
    std::vector<ha::Member> asked;
    std::copy_if(peers_.begin(), peers_.end(), std::back_inserter(asked), [&](const auto& m) {
        return std::find(others.begin(), others.end(), m.uuid) != others.end();
    });
    ha::PromiseRound round(request, others, sent);
    for (const auto& answer : co_await promise_peers_.promise(std::move(asked), request, limit)) {
        round.take(answer);
    }
    if (!round.complete()) {
        spdlog::warn("the store is silent, and the term can't go on by promises why=\"{}\"",
                     round.why_not());
        co_return;
    }
    const auto still = term_ ? term_->tenure() : std::nullopt;
    if (!still || still->epoch != tenure->epoch) {
        co_return;  // given up meanwhile
    }
    if (!on_promises_) {
        spdlog::warn(
            "the store is silent; every claimer promised to wait: the term goes on epoch={}",
            tenure->epoch);
    }
    on_promises_ = true;
    term_->promised(round, clock_.now());
    proved(sent, pauses);
    update();
}

io::Task<> LeaseKeeper::run() {
    int failures = 0;
    while (true) {
        const auto held = term_ && term_->state() == ha::Term::State::held;
        // After a failure the next attempt comes at once: the store's patience has been waited for
        // already.
        const auto pause =
            failures > 0 ? Nanos(times_.renew_every()) / 4 : Nanos(times_.renew_every());
        const auto next = held ? std::min(last_sent_ + pause, term_->tenure()->deadline)
                               : clock_.now() + Seconds(3600);
        const auto meant = std::max(next, clock_.now() + Millis(1));
        (void)co_await bell_.wait_until(meant);
        if (held) {
            wake_.overslept(meant, clock_.now(), times_.ttl);
        }
        wake_.wake(clock_.now(), clock_.wall_nanos());
        if (farewell_) {
            co_await say_farewell();
        }
        if (!term_ || term_->state() != ha::Term::State::held) {
            continue;
        }
        if (lets_term_end() && time_left() > Nanos{}) {
            last_sent_ = clock_.now();
            continue;
        }
        const auto renewed = co_await renew();
        failures = renewed ? 0 : failures + 1;
        if (!renewed) {
            co_await ask_for_promises();
        }
        if (!renewed && failures == 1) {
            spdlog::warn("renewal not confirmed why=\"{}\" term_left_ms={}",
                         renewed.error().message, to_millis(time_left()).count());
        }
    }
}

io::Task<Result<>> LeaseKeeper::change(std::function<void(ha::Record&)> edit, Nanos limit,
                                       std::map<std::string, std::string> with) {
    const auto until = clock_.now() + limit;
    if (!term_ || !term_->tenure()) {
        co_return fail(Errc::conflict, "no term is held");
    }
    if (on_promises_) {
        co_return fail(Errc::unavailable, "the store is silent: nothing is changed meanwhile");
    }
    const auto change = wanted_.emplace_back(std::make_shared<Wanted>(Wanted{std::move(edit), {}}));
    const auto waits = [&] { return std::ranges::find(wanted_, change) != wanted_.end(); };
    const auto asked = with;
    with.merge(carried_);
    carried_ = std::move(with);
    while (waits()) {
        (void)co_await renew();
        if (!term_ || !term_->tenure()) {
            co_return fail(Errc::conflict, "the term is over: " + keeping_.why_over);
        }
        if (waits() && (let_go_ || clock_.now() >= until)) {
            // Who asked will decide anew. What was sent may have committed: Tenure says so.
            std::erase(wanted_, change);
            std::erase_if(carried_, [&](const auto& key) { return asked.contains(key.first); });
            co_return fail(Errc::unavailable, "the store did not confirm the change");
        }
    }
    co_return Result<>{};
}

Result<LeaseKeeper::Farewell> LeaseKeeper::end_with(std::function<void(ha::Record&)> edit,
                                                    Nanos limit) {
    const auto tenure = term_ ? term_->tenure() : std::nullopt;
    if (!tenure) {
        return fail(Errc::conflict, "no term is held");
    }
    auto last = tenure->record;
    last.paused = false;  // no PostgreSQL that may be writable stands behind it any more
    edit(last);
    last.seq = tenure->record.seq + 1 + term_->unresolved().size();
    Farewell farewell{.attempt = term_->prepare(std::move(last), lease_, clock_.now()),
                      .edit = std::move(edit),
                      .epoch = tenure->epoch,
                      .until = clock_.now() + limit};
    farewell.attempt.record.lease = 0;
    farewell.attempt.value = ha::render(farewell.attempt.record);
    if (!HD_MUTANT(term_after_handover)) {
        end_term(fmt::format("gave it up as {}", ha::name_of(farewell.attempt.record.state)));
    }
    return farewell;
}

io::Task<Result<>> LeaseKeeper::give_up(std::function<void(ha::Record&)> edit, Nanos limit) {
    HD_CO_TRY(auto farewell, end_with(std::move(edit), limit));
    co_return co_await confirm(std::move(farewell));
}

io::Task<Result<>> LeaseKeeper::leave(std::function<void(ha::Record&)> edit, Nanos limit) {
    if (leaving_) {
        co_return fail(Errc::conflict, "the record is being given up already");
    }
    HD_CO_TRY(farewell_, end_with(std::move(edit), limit));
    leaving_ = true;
    bell_.ring();
    co_return Result<>{};
}

io::Task<> LeaseKeeper::left(Nanos limit) {
    const auto until = clock_.now() + limit;
    while (leaving_ && clock_.now() < until) {
        (void)co_await clock_.until(clock_.now() + Millis(20));
    }
}

io::Task<> LeaseKeeper::say_farewell() {
    auto farewell = *std::exchange(farewell_, std::nullopt);
    if (const auto done = co_await confirm(std::move(farewell)); !done) {
        spdlog::warn("the record was given up, unconfirmed why=\"{}\"", done.error().message);
    }
    leaving_ = false;
    update();
}

/// A renewal or a change of this term had committed unseen, or the leader key went by itself: what
/// that version says goes on, who was promoted above all. False: it is somebody else's.
bool LeaseKeeper::goes_on_from(Farewell& farewell, const ha::Sighting& found) const {
    if (found.foreign() || !found.record || found.record->epoch != farewell.epoch ||
        found.record->incarnation != identity_.incarnation) {
        return false;
    }
    auto& attempt = farewell.attempt;
    attempt.over = found;
    attempt.record = *found.record;
    farewell.edit(attempt.record);
    attempt.record.seq = found.record->seq + 1;
    attempt.record.lease = 0;
    attempt.value = ha::render(attempt.record);
    return true;
}

io::Task<Result<>> LeaseKeeper::confirm(Farewell farewell) {
    const auto turn = co_await turnstile_.take();
    const dcs::Patience patience{.total = times_.ttl / 3, .hedge = times_.hedge_after()};
    while (true) {
        auto txn = transaction(farewell.attempt, false);
        const auto answer = co_await store_.commit(std::move(txn), patience);
        if (answer && answer->succeeded) {
            co_return Result<>{};
        }
        if (answer) {
            const auto found = sighting(answer->found, record_key_, leader_key_);
            if (found.value == farewell.attempt.value) {
                co_return Result<>{};
            }
            if (!goes_on_from(farewell, found)) {
                co_return fail(Errc::conflict, "the record changed before it could be given up");
            }
        }
        if (clock_.now() >= farewell.until) {
            co_return fail(Errc::unavailable, "the store did not confirm it");
        }
    }
}

void LeaseKeeper::pause(bool paused) {
    io::asio::post(executor_, [this, paused] {
        if (std::exchange(paused_, paused) != paused && term_ && term_->tenure()) {
            update();
            last_sent_ = {};
            bell_.ring();  // the record says it at once
        }
    });
}

io::Task<Result<>> LeaseKeeper::let_term_end() {
    let_go_ = true;
    co_return Result<>{};
}

void LeaseKeeper::turned() {
    turned_ = clock_.now().since_boot.count();
}

/// The holder does no work: the others must not wait for it longer than its term lasts (N3).
bool LeaseKeeper::lets_term_end() {
    const Instant turned{Nanos(turned_)};
    const bool stuck = !turned.never() && clock_.now() > turned + Nanos(times_.ttl) / 2;
    if (stuck && !std::exchange(told_of_it_, true)) {
        spdlog::error("the agent's loop stands still: its term is not renewed");
    }
    told_of_it_ = told_of_it_ && stuck;
    return stuck || let_go_;
}

void LeaseKeeper::carry(std::string key, std::string value) {
    io::asio::post(executor_, [this, k = std::move(key), v = std::move(value)]() mutable {
        carried_[std::move(k)] = std::move(v);
    });
}

}  // namespace howdah::agent
