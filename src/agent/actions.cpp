#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/agent.h"

// Acting is dull on purpose: one function an action, no policy.

namespace howdah::agent {
namespace {

constexpr Nanos fence_limit = Seconds(3);

/// New clusters have the peer lease on, unless they say otherwise (safety-model.md, section 10).
/// What a cluster was made from stands in its configuration before it has a second member: one that
/// brings a directory of its own must not archive where this one may not.
std::string first_configuration(const std::string& dcs_json,
                                const std::optional<ha::Origin>& origin = {}) {
    auto doc = nlohmann::ordered_json::parse(dcs_json.empty() ? "{}" : dcs_json, nullptr, false);
    if (doc.is_object() && !doc.contains("failsafe_mode")) {
        doc["failsafe_mode"] = true;
    }
    if (doc.is_object() && origin) {
        if (!doc.contains("howdah") || !doc["howdah"].is_object()) {
            doc["howdah"] = nlohmann::ordered_json::object();
        }
        doc["howdah"]["origin"] = origin->stanzas;
    }
    return doc.dump();
}

io::Task<Result<>> ready(Result<> result) {
    co_return result;
}

}  // namespace

struct Agent::Doing {
    Agent& agent;
    instance::Instance& pg = agent.parts_.instance;
    LeaseKeeper& keeper = agent.parts_.keeper;
    Nanos patience() const { return agent.dynamic_.lease.ttl; }

    io::Task<Result<>> change(std::function<void(ha::Record&)> edit,
                              std::map<std::string, std::string> with = {}) {
        return io::on(keeper.executor(),
                      keeper.change(std::move(edit), patience() / 2, std::move(with)));
    }
    io::Task<Result<>> give_up(std::function<void(ha::Record&)> edit) {
        return io::on(keeper.executor(), keeper.leave(std::move(edit), patience()));
    }

    io::Task<Result<>> operator()(ha::ClaimRecord) { return agent.claim(false); }
    io::Task<Result<>> operator()(ha::TakeOver) { return agent.claim(true); }
    io::Task<Result<>> operator()(ha::AskPeers question) {
        agent.peers_ = {.about_revision = question.about_revision,
                        .asked = agent.parts_.clock.now()};
        agent.background_->spawn([a = &agent, question] { return a->ask_peers(question); });
        return ready({});
    }
    io::Task<Result<>> operator()(ha::Seal seal) { return agent.begin_seal(std::move(seal)); }
    io::Task<Result<>> operator()(ha::EndWalsender end) {
        spdlog::warn("ending a connection that calls itself like a member name={} pid={}", end.name,
                     end.pid);
        return pg.end_walsender(end.pid);
    }
    io::Task<Result<>> operator()(ha::SetStandbyNames names) {
        return agent.set_standby_names(std::move(names.text));
    }
    io::Task<Result<>> operator()(ha::PublishSync publish) {
        return agent.publish_sync(std::move(publish.set));
    }
    io::Task<Result<>> operator()(ha::ShowTimeline show) {
        return agent.tell_timeline(show.timeline, ha::RecordState::claimed);
    }
    io::Task<Result<>> operator()(ha::ReserveTimeline reserve) {
        return change([reserve](ha::Record& record) {
            record.reserved = {.epoch = record.epoch, .timeline = reserve.timeline};
        });
    }
    io::Task<Result<>> operator()(ha::Promote promote) {
        if (auto noted = agent.note_opening(promote.timeline); !noted) {
            return ready(std::move(noted));
        }
        agent.parts_.deadlines.guard();
        return ready(pg.promote(promote.timeline));
    }
    io::Task<Result<>> operator()(ha::Fence) { return pg.fence(fence_limit); }
    io::Task<Result<>> operator()(ha::Stop stop) {
        return ready(
            pg.stop(stop.immediate ? instance::StopMode::immediate : instance::StopMode::fast));
    }
    io::Task<Result<>> operator()(ha::StartStandby start) {
        agent.parts_.deadlines.release();
        return ready(pg.start(instance::StartAs::standby, start.follow));
    }
    io::Task<Result<>> operator()(ha::StartPrimary) {
        agent.parts_.deadlines.guard();
        return ready(pg.start(instance::StartAs::primary, std::nullopt));
    }
    io::Task<Result<>> operator()(ha::Follow follow) { return pg.follow(follow.from); }
    io::Task<Result<>> operator()(ha::RaceInitialize) { return agent.race_initialize(); }
    io::Task<Result<>> operator()(ha::Initialize) {
        return ready(pg.initialize(*agent.parts_.config.bootstrap));
    }
    io::Task<Result<>> operator()(ha::AdoptRestored) {
        return pg.adopt_restored(*agent.parts_.config.bootstrap);
    }
    io::Task<Result<>> operator()(ha::YieldBootstrap) { return agent.yield_bootstrap(); }
    io::Task<Result<>> operator()(ha::ResumeBootstrap) {
        agent.won_initialize_ = true;
        return ready({});
    }
    io::Task<Result<>> operator()(ha::RecoverRestored) {
        agent.parts_.deadlines.guard();
        return ready(pg.start(instance::StartAs::restored, std::nullopt));
    }
    io::Task<Result<>> operator()(ha::FinishBootstrap) { return agent.finish_bootstrap(); }
    io::Task<Result<>> operator()(ha::Clone clone) { return ready(pg.clone(clone.from)); }
    io::Task<Result<>> operator()(ha::Reinitialize copy) {
        return ready(pg.reinitialize(copy.from));
    }
    io::Task<Result<>> operator()(ha::EndStandbyOrder) {
        agent.standby_order_.reset();
        return ready({});
    }
    io::Task<Result<>> operator()(ha::CheckDivergence check) {
        return pg.check_divergence(check.from);
    }
    io::Task<Result<>> operator()(ha::Rewind rewind) { return ready(pg.rewind(rewind.from)); }
    io::Task<Result<>> operator()(ha::MarkPrimary mark) {
        return agent.tell_timeline(mark.timeline, ha::RecordState::primary);
    }
    io::Task<Result<>> operator()(ha::Release release) {
        return give_up([release](ha::Record& record) {
            record.state = ha::RecordState::released;
            record.lsn = release.lsn;
        });
    }
    io::Task<Result<>> operator()(ha::HandOver hand_over) {
        return give_up([hand_over](ha::Record& record) {
            record.state = ha::RecordState::handover;
            record.handover_to = hand_over.to;
            record.lsn = hand_over.lsn;
        });
    }
    io::Task<Result<>> operator()(ha::LetTermEnd) {
        return io::on(keeper.executor(), keeper.let_term_end());
    }
    io::Task<Result<>> operator()(ha::RestoreScope) {
        std::map<std::string, std::string> with{
            {agent.prefix_ + "initialize", agent.local_.system_id}};
        const auto& cluster = agent.parts_.feed.current();
        if (cluster && std::as_const(cluster)->config_json.empty()) {
            with[agent.prefix_ + "config"] =
                agent.dynamic_text_.empty() ? first_configuration("{}") : agent.dynamic_text_;
        }
        return change([](ha::Record&) {}, std::move(with));
    }
    io::Task<Result<>> operator()(ha::BeginCheckpoint) {
        agent.order_->checkpoint = ha::SwitchoverOrder::Checkpoint::running;
        agent.background_->spawn([a = &agent] { return a->checkpoint(); });
        return ready({});
    }
    io::Task<Result<>> operator()(ha::EndSwitchover end) {
        agent.switchover_failure_ = end.done ? "" : end.why;
        agent.order_.reset();
        return ready({});
    }
    io::Task<Result<>> operator()(ha::SetClaimers set) {
        std::map<std::string, std::string> with;
        if (set.failsafe) {
            with[agent.prefix_ + "failsafe"] = *set.failsafe;
        }
        return change(
            [claimers = std::move(set.claimers)](ha::Record& record) {
                record.set_version += record.claimers == claimers ? 0 : 1;
                record.claimers = claimers;
            },
            std::move(with));
    }
    io::Task<Result<>> operator()(ha::Halt) {
        agent.halted_ = Error{
            .code = Errc::unsafe, .message = agent.last_why_, .hint = agent.hint_after_halt()};
        return ready({});
    }
};

std::string Agent::hint_after_halt() const {
    const auto& data_dir = parts_.config.postgresql.data_dir;
    return won_initialize_
               ? fmt::format("correct {}, empty {} and start the agent again", parts_.config.file,
                             data_dir)
               : fmt::format("nothing was touched; check scope, namespace and data_dir ({}) in {}",
                             data_dir, parts_.config.file);
}

io::Task<Result<>> Agent::act(const ha::Plan& plan) {
    Doing doing{*this};
    const auto actions = plan.actions;
    for (const auto& action : actions) {
        auto step = std::visit([&doing](const auto& a) { return doing(a); }, action);
        HD_CO_TRY_VOID(co_await std::move(step));
    }
    if (!actions.empty()) {
        bell_.ring();  // look at what it changed
    }
    co_return Result<>{};
}

io::Task<Result<>> Agent::tell_timeline(pg::Timeline timeline, ha::RecordState state) {
    HD_CO_TRY(const auto start, co_await own_epoch_start(timeline));
    co_return co_await io::on(parts_.keeper.executor(),
                              parts_.keeper.change(
                                  [start, state, uuid = parts_.identity.uuid](ha::Record& record) {
                                      record.state = state;
                                      record.timeline = start.timeline;
                                      record.lsn = start.begin;
                                      record.last_start = start;
                                      if (state == ha::RecordState::primary) {
                                          record.promoted = {.uuid = uuid,
                                                             .epoch = record.epoch,
                                                             .timeline = start.timeline};
                                      }
                                  },
                                  Nanos(dynamic_.lease.ttl) / 2, sync_of_new_leader()));
}

/// `/sync` goes on naming the leader before this one until somebody writes it.
std::map<std::string, std::string> Agent::sync_of_new_leader() const {
    const auto& cluster = std::as_const(parts_.feed.current());
    if (!keeping_.tenure || !cluster ||
        (keeping_.tenure->record.sync == ha::SyncSet{} && cluster->sync_json.empty())) {
        return {};
    }
    auto document = ha::sync_document(keeping_.tenure->record.sync, parts_.identity.name);
    if (document == cluster->sync_json) {
        return {};
    }
    return {{prefix_ + "sync", std::move(document)}};
}

io::Task<Result<>> Agent::set_standby_names(std::optional<std::string> text) {
    confirmed_names_.reset();
    HD_CO_TRY_VOID(co_await parts_.instance.set_sync_standbys(text, Nanos(dynamic_.lease.ttl) / 2));
    spdlog::info("synchronous_standby_names is in force names=\"{}\"",
                 text.value_or("as configured"));
    confirmed_names_ = std::move(text);
    co_return Result<>{};
}

io::Task<Result<>> Agent::publish_sync(ha::SyncSet set) {
    const auto document = ha::sync_document(set, parts_.identity.name);
    spdlog::info("publishing the sync set {} mode={} copies={}", document, ha::name_of(set.mode),
                 set.copies);
    auto& keeper = parts_.keeper;
    co_return co_await io::on(keeper.executor(),
                              keeper.change(
                                  [set](ha::Record& record) {
                                      record.sync = set;
                                      ++record.sync_version;
                                  },
                                  Nanos(dynamic_.lease.ttl) / 2, {{prefix_ + "sync", document}}));
}

io::Task<Result<>> Agent::claim(bool take_over) {
    const auto& cluster = *parts_.feed.current();
    auto epoch = parts_.durable.load().epoch;
    if (cluster.record.record) {
        epoch = std::max(epoch, cluster.record.record->epoch);
    }
    // The store may have lost epochs that somebody has seen (N8).
    if (last_record_) {
        epoch = std::max(epoch, last_record_->epoch);
    }
    for (const auto& standing : peers_.standings) {
        epoch = std::max({epoch, standing.stored_epoch, standing.seen_epoch});
    }
    for (const auto& vote : votes_.votes) {
        epoch = std::max(epoch, vote.stored_epoch);
    }
    Claim order{.over = cluster.record,
                .epoch = epoch + 1,
                .times = dynamic_.lease,
                .system_id = local_.system_id};
    if (cluster.record.absent() && !won_initialize_) {
        order.lost = ha::revived(last_record_, votes_.votes, parts_.identity.uuid);
    }
    claiming_ = true;
    auto tenure = co_await io::on(parts_.keeper.executor(), parts_.keeper.claim(std::move(order)));
    claiming_ = false;
    if (!tenure) {
        co_return std::unexpected(std::move(tenure).error());
    }
    keeping_.tenure = *tenure;
    keeping_.claim_unresolved = false;
    spdlog::info("{} epoch={}", take_over ? "took over the own earlier term" : "claimed the record",
                 tenure->epoch);
    co_return Result<>{};
}

io::Task<Result<>> Agent::race_initialize() {
    if (member_lease_ == 0) {
        co_return fail(Errc::unavailable, "bootstrap: no lease from the store yet");
    }
    const dcs::Patience patience{.total = Seconds(2), .hedge = Millis(500)};
    // Under the member's lease, so that a bootstrap that dies does not block the scope for ever.
    dcs::Txn txn{.when = {dcs::Compare::absent(prefix_ + "initialize"),
                          dcs::Compare::absent(prefix_ + "howdah"),
                          dcs::Compare::absent(prefix_ + "leader")}};
    txn.then.emplace_back(dcs::Put{.key = prefix_ + "initialize", .lease = member_lease_});
    txn.otherwise.emplace_back(dcs::Get{prefix_ + "initialize"});
    const auto answer = co_await parts_.store.commit(std::move(txn), patience);
    race_unresolved_ = !answer;
    if (!answer) {
        co_return std::unexpected(answer.error());
    }
    // An earlier sending may have won unseen: then the key is under this member's lease.
    const auto won_unseen = !answer->succeeded && !answer->found.empty() &&
                            answer->found[0].value.empty() && member_lease_ != 0 &&
                            answer->found[0].lease == member_lease_;
    won_initialize_ = answer->succeeded || won_unseen;
    co_return Result<>{};
}

io::Task<Result<>> Agent::yield_bootstrap() {
    HD_CO_TRY_VOID(co_await parts_.instance.abandon_bootstrap());
    const auto key = prefix_ + "initialize";
    const dcs::Patience patience{.total = Seconds(2), .hedge = Millis(500)};
    HD_CO_TRY(const auto snapshot, co_await parts_.store.get(key, false, patience));
    for (const auto& kv : snapshot.keys) {
        if (kv.key != key || !kv.value.empty() || kv.lease != member_lease_) {
            continue;
        }
        dcs::Txn txn{.when = {dcs::Compare::unchanged(kv)}};
        txn.then.emplace_back(dcs::Delete{.key = key});
        if (const auto answer = co_await parts_.store.commit(std::move(txn), patience); !answer) {
            co_return std::unexpected(answer.error());
        }
    }
    won_initialize_ = false;
    co_return Result<>{};
}

io::Task<Result<>> Agent::finish_bootstrap() {
    HD_CO_TRY_VOID(co_await parts_.instance.create_users(*parts_.config.bootstrap));
    const dcs::Patience patience{.total = Seconds(2), .hedge = Millis(500)};
    dcs::Txn txn;
    txn.then.emplace_back(dcs::Put{.key = prefix_ + "initialize", .value = local_.system_id});
    const auto& there = std::as_const(parts_.feed.current())->config_json;
    if (there.empty() || local_.origin) {
        const auto& text = there.empty() ? parts_.config.bootstrap->dcs_json : there;
        txn.then.emplace_back(
            dcs::Put{.key = prefix_ + "config", .value = first_configuration(text, local_.origin)});
    }
    const auto answer = co_await parts_.store.commit(std::move(txn), patience);
    if (!answer) {
        co_return std::unexpected(answer.error());
    }
    won_initialize_ = false;
    spdlog::info("bootstrapped the cluster system_id={}", local_.system_id);
    co_await forget_bootstrap();
    co_return Result<>{};
}

/// The scope has its cluster: a mark that says otherwise would only lead the next run astray.
io::Task<> Agent::forget_bootstrap() {
    if (const auto done = co_await parts_.instance.end_bootstrap(); !done) {
        spdlog::warn("the mark of the bootstrap is left in the data directory why=\"{}\"",
                     done.error().message);
    }
}

io::Task<> Agent::ask_peers(ha::AskPeers question) {
    std::vector<ha::Member> others;
    if (const auto& cluster = parts_.feed.current()) {
        std::copy_if(cluster->members.begin(), cluster->members.end(), std::back_inserter(others),
                     [this](const ha::Member& m) { return m.name != parts_.identity.name; });
    }
    auto standings = co_await parts_.peers.ask(std::move(others), question.limit);
    for (const auto& standing : standings) {
        learn(standing.lost);
    }
    if (peers_.about_revision == question.about_revision) {
        peers_.standings = std::move(standings);
        peers_.complete = true;
    }
    bell_.ring();
}

io::Task<> Agent::checkpoint() {
    const auto done = co_await parts_.instance.checkpoint(Seconds(50));
    if (order_) {
        if (!done) {
            spdlog::warn("checkpoint before the switchover failed why=\"{}\"",
                         done.error().message);
        }
        order_->checkpoint = ha::SwitchoverOrder::Checkpoint::done;
    }
    bell_.ring();
}

}  // namespace howdah::agent
