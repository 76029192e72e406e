#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "agent/agent.h"
#include "base/mutant.h"
#include "dcs/fake/fake_store.h"
#include "instance/fake/fake_instance.h"
#include "io/virtual_clock.h"

namespace howdah::sim {

class World;
class Host;

/// What survives an agent on its host: the state directory and the fencer's page. What was not
/// synced when the host lost power is gone.
class Disk final : public agent::Durable, public agent::Deadlines {
public:
    agent::Stored load() const override { return stored_; }
    Result<> store(const agent::Stored& stored) override {
        if (stored.epoch < stored_.epoch) {
            return fail(Errc::conflict, "the epoch is below the stored one");
        }
        if (full) {
            return fail(Errc::io, "the epoch was not written: no space left on device");
        }
        stored_ = stored;
        if (!HD_MUTANT(no_epoch_fsync)) {
            synced_ = stored_;
        }
        greatest_ = std::max(greatest_, stored.epoch);
        if (on_store) {
            on_store();
        }
        return {};
    }
    void lose_power() {
        stored_ = synced_;
        held_wal_ = held_earlier_;  // the only part that is not synced
        release();
    }
    /// The greatest epoch that store() ever took, whatever became of it.
    ha::Epoch greatest() const { return greatest_; }
    std::vector<ha::EpochStart> epochs() const override { return epochs_; }
    Result<> remember(ha::EpochStart start) override {
        if (std::find(epochs_.begin(), epochs_.end(), start) == epochs_.end()) {
            epochs_.push_back(start);
        }
        return {};
    }
    std::optional<ha::Record> last_record() const override { return record_; }
    Result<> keep(const ha::Record& record) override {
        record_ = record;
        return {};
    }
    ha::MemberNames names() const override { return names_; }
    Result<> keep_names(const ha::MemberNames& names) override {
        names_ = names;
        return {};
    }
    pg::Timeline greatest_timeline() const override { return greatest_timeline_; }
    Result<> keep_timeline(pg::Timeline timeline) override {
        greatest_timeline_ = std::max(greatest_timeline_, timeline);
        return {};
    }
    std::optional<ha::StoredPromise> promise() const override { return promise_; }
    Result<> store_promise(const ha::StoredPromise& promise) override {
        if (full) {
            return fail(Errc::io, "the promise was not written: no space left on device");
        }
        promise_ = promise;
        return {};
    }
    ha::HeldWal held_wal() const override { return held_wal_; }
    Result<> keep_held_wal(const ha::HeldWal& held) override {
        held_earlier_ = std::exchange(held_wal_, held);
        return {};
    }
    bool paused() const override { return paused_; }
    Result<> keep_paused(bool paused) override {
        paused_ = paused;
        return {};
    }
    void write(Instant kill_at) override {
        kill_at_ = kill_at;
        if (on_arm) {
            on_arm();
        }
    }
    Instant read() const override { return kill_at_; }

    std::function<void()> on_arm{};
    std::function<void()> on_store{};
    bool full = false;

private:
    agent::Stored stored_{}, synced_{};
    ha::Epoch greatest_ = 0;
    std::vector<ha::EpochStart> epochs_{};
    std::optional<ha::Record> record_{};
    ha::MemberNames names_{};
    pg::Timeline greatest_timeline_ = 0;
    std::optional<ha::StoredPromise> promise_{};
    ha::HeldWal held_wal_{}, held_earlier_{};
    bool paused_ = false;
    Instant kill_at_{};
};

/// One run of an agent: the product's own keeper and loop over models.
struct AgentRun {
    AgentRun(World& world, Host& host, std::uint64_t number);
    void begin();

    dcs::fake::FakeStore store;
    dcs::fake::FakeStore keeper_store;
    dcs::ClusterFeed feed;
    agent::NoWatchdog watchdog{};
    ha::WakeWatch wake{};
    agent::LeaseKeeper keeper;
    agent::Agent agent;
    io::Scope scope;
    std::string incarnation;
    bool over = false;  ///< its process has ended by itself

private:
    io::Task<> live();
};

/// A database host of the simulated world.
class Host final : public agent::PeerQuestions, public agent::PromisePeers {
public:
    /// `offset` and `ppm`: how its clock differs from true time.
    Host(World& world, int number, Nanos offset, std::int64_t ppm);
    ~Host() override;

    // ---- what happens to it
    void start_agent();
    /// As by SIGKILL: from here on nothing of it reaches anybody.
    io::Task<> kill_agent();
    void stop_agent() { agent_clock.hold(); }
    void continue_agent() { agent_clock.release(); }
    void pause(bool hidden);
    void resume(bool hidden);
    io::Task<> lose_power();
    void power_on();
    /// An operator's order; its answer is nobody's concern: what must hold are the invariants.
    void order_switchover(std::string candidate);
    void order_restart();
    void order_copy(bool force);
    void tag_nofailover(bool on);
    bool nofailover = false;

    /// Its data directory is replaced by that of a cluster that nobody knows here, or comes back.
    io::Task<> mount(bool foreign);

    bool agent_lives() const { return run_ && !run_->over; }
    agent::Agent& agent() { return run_->agent; }
    bool holds() const { return run_ && run_->agent.standing().holds; }
    const std::string& incarnation() const { return run_ ? run_->incarnation : last_incarnation_; }

    io::Task<std::vector<ha::Standing>> ask(std::vector<ha::Member> members, Nanos limit) override;
    io::Task<std::vector<ha::Vote>> seal(std::vector<ha::Member> members, ha::SealRequest request,
                                         Nanos limit) override;
    io::Task<std::vector<ha::PromiseAnswer>> promise(std::vector<ha::Member> members,
                                                     ha::PromiseRequest request,
                                                     Nanos limit) override;

    World& world;
    const int node;
    const std::string name;
    const std::string uuid;
    const std::string address;
    io::HostClock clock;        ///< of PostgreSQL and the fencer
    io::HostClock agent_clock;  ///< the same time, but the agent may be stopped alone
    Disk disk{};
    instance::FakeInstance postgres;

private:
    std::vector<Host*> others(const std::vector<ha::Member>& members) const;
    void arm_fencer();

    std::unique_ptr<AgentRun> run_{};
    std::uint64_t runs_ = 0;
    std::string last_incarnation_{};
    std::vector<ha::PromiseAnswer> earlier_{};  ///< of earlier rounds, to come once more
    bool powered_ = true;
    Instant fencer_armed_for_{};
    io::HostClock::Handle kill_ = 0, overdue_ = 0;
};

}  // namespace howdah::sim
