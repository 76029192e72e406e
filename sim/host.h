#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include "agent/agent.h"
#include "dcs/fake/fake_store.h"
#include "instance/fake/fake_instance.h"
#include "io/virtual_clock.h"

namespace howdah::sim {

class World;

/// What survives an agent on its host: the state directory and the fencer's page.
class Disk final : public agent::Durable, public agent::Deadlines {
public:
    agent::Stored load() const override { return stored_; }
    Result<> store(const agent::Stored& stored) override {
        stored_ = stored;
        return {};
    }
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
    std::optional<ha::StoredPromise> promise() const override { return promise_; }
    Result<> store_promise(const ha::StoredPromise& promise) override {
        promise_ = promise;
        return {};
    }
    void arm(Instant kill_at) override { kill_at_ = kill_at; }
    Instant armed() const override { return kill_at_; }

private:
    agent::Stored stored_{};
    std::vector<ha::EpochStart> epochs_{};
    std::optional<ha::Record> record_{};
    std::optional<ha::StoredPromise> promise_{};
    Instant kill_at_{};
};

/// One run of an agent: the product's own keeper and loop over models.
struct AgentRun {
    AgentRun(World& world, class Host& host, std::uint64_t incarnation);
    void begin();

    dcs::fake::FakeStore store;
    dcs::fake::FakeStore keeper_store;
    dcs::ClusterFeed feed;
    agent::LeaseKeeper keeper;
    agent::Agent agent;
    io::Scope scope;
};

/// A database host of the simulated world.
class Host final : public agent::PeerQuestions, public agent::PromisePeers {
public:
    Host(World& world, int number);

    void start_agent();
    /// As by SIGKILL: from here on nothing of it reaches anybody.
    io::Task<> kill_agent();
    bool agent_lives() const { return run_ != nullptr; }
    agent::Agent& agent() { return run_->agent; }
    /// An operator's order; its answer is nobody's concern: what must hold are the invariants.
    void order_switchover(std::string candidate);
    bool holds() const { return run_ && run_->agent.standing().holds; }

    /// Cut from the store and from the other hosts, or not.
    void isolate(bool cut);
    bool isolated() const { return isolated_; }

    io::Task<std::vector<ha::Standing>> ask(std::vector<ha::Member> members, Nanos limit) override;
    io::Task<std::vector<ha::Vote>> seal(std::vector<ha::Member> members, ha::SealRequest request,
                                         Nanos limit) override;
    io::Task<std::vector<ha::PromiseAnswer>> promise(std::vector<ha::Member> members,
                                                     ha::PromiseRequest request,
                                                     Nanos limit) override;

    World& world;
    const std::string name;
    const std::string address;
    Disk disk{};
    instance::FakeInstance postgres;

private:
    std::unique_ptr<AgentRun> run_{};
    std::uint64_t incarnations_ = 0;
    bool isolated_ = false;
};

}  // namespace howdah::sim
