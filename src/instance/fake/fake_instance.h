#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "instance/instance.h"
#include "pg/sync_standbys.h"

namespace howdah::instance {

class FakeInstance;

/// One stretch of WAL: the same id means the same bytes, whatever number the timeline has.
struct WalBranch {
    std::uint64_t id = 0;
    pg::Timeline timeline = 0;
    pg::Lsn begin{};
    bool operator==(const WalBranch&) const = default;
};

/// What all servers of a simulated world share: who listens where, who reaches whom, ids of
/// branches.
class FakeServers {
public:
    FakeInstance* at(const std::string& host, std::uint16_t port) const;
    std::vector<FakeInstance*> all() const;
    void listen(const std::string& host, std::uint16_t port, FakeInstance& server);
    std::uint64_t next_branch() { return ++branches_; }
    /// (from, to), by name; default: always.
    std::function<bool(const std::string&, const std::string&)> reaches =
        [](const auto&, const auto&) { return true; };

private:
    std::map<std::string, FakeInstance*> servers_{};
    std::uint64_t branches_ = 0;
};

/// How long work takes in the model.
struct FakeTimes {
    Millis initdb{800}, clone{1500}, rewind{600}, start{200}, stop{80}, promote{120}, replicate{5};
};

/// A model of one local PostgreSQL with its fencer: timelines, WAL positions, replication, crashes.
/// It moves on by step(), which the owner calls often (every few milliseconds of its clock).
class FakeInstance final : public Instance {
public:
    FakeInstance(io::Clock& clock, FakeServers& servers, std::string name, std::string host,
                 std::uint16_t port);

    // ---- what a world does to it
    void step();
    /// The fencer's page: kills at that moment, whatever the agent does.
    std::function<Instant()> kill_at = [] { return Instant{}; };
    /// SIGKILL of the postmaster; the fencer reaps the rest at once.
    void crash();
    /// The agent's process died or restarts: jobs that it ran itself are lost, the server runs on.
    void lose_agent();
    /// So long this standby receives nothing, though it looks connected.
    void stall_receiving(Instant until) { receives_from_ = until; }
    /// Commits that end up to here are acknowledged to their clients by now.
    pg::Lsn acknowledged() const;
    /// A client commits. False when this server does not take writes.
    bool write(std::uint64_t bytes);
    bool writable() const { return up_ && accepting_ && role_ == ha::Role::primary; }
    const std::vector<WalBranch>& branches() const { return branches_; }
    pg::Lsn end() const { return end_; }
    const std::string& name() const { return name_; }
    FakeTimes times{};
    /// The postmaster answers no new connection, or its disk takes no writes (what it says).
    bool hung = false;
    std::string disk_trouble{};

    // ---- Instance
    void on_change(std::function<void()> wake) override { wake_ = std::move(wake); }
    io::Task<Local> observe(Nanos limit) override;
    io::Task<Result<>> configure(config::EffectivePostgresql settings) override;
    io::Task<Result<>> adopt() override;
    Result<> initialize(config::Bootstrap how) override;
    Result<> clone(Upstream from) override;
    Result<> rewind(Upstream from) override;
    Result<> start(StartAs as, std::optional<Upstream> follow) override;
    Result<> stop(StopMode mode) override;
    Result<> promote() override;
    io::Task<Result<>> follow(std::optional<Upstream> from) override;
    io::Task<Result<WalPosition>> stop_receiving(Nanos limit) override;
    io::Task<Result<>> set_sync_standbys(std::optional<std::string> names, Nanos limit) override;
    io::Task<Result<>> await_sync_flush(pg::Lsn lsn, int count, std::vector<std::string> of,
                                        Nanos limit) override;
    io::Task<Result<>> fence(Nanos limit) override;
    io::Task<Result<>> create_users(config::Bootstrap how) override;
    io::Task<Result<>> checkpoint(Nanos limit) override;
    io::Task<Result<>> check_divergence(Upstream primary) override;
    io::Task<Result<>> keep_slots(std::vector<std::string> member_names) override;
    io::Task<Result<std::string>> timeline_history(pg::Timeline timeline) override;

private:
    Result<> begin(JobKind kind, Millis lasts, std::function<Result<>()> then);
    void die(bool crashed);
    void replicate();
    bool streams_from_here(const FakeInstance& other) const;
    FakeInstance* reach(const Upstream& upstream) const;
    bool on_history_of(const FakeInstance& other) const;
    void copy_data(const FakeInstance& from);
    void changed() const;
    std::vector<Walsender> walsenders() const;

    io::Clock& clock_;
    FakeServers& servers_;
    std::string name_;
    std::function<void()> wake_{};

    bool initialized_ = false;
    std::string system_id_{};
    std::vector<WalBranch> branches_{};
    pg::Lsn end_{};

    bool up_ = false, accepting_ = false, crashed_ = false, streaming_ = false,
         needs_rewind_ = false;
    ha::Role role_ = ha::Role::none;
    Instant receives_from_{};
    std::optional<Upstream> following_{};
    std::string sync_standbys_{};
    pg::SyncStandbys names_{};  // sync_standbys_, taken apart
    Instant answered_{};
    Job job_{};
    Instant job_ends_{};
    std::function<Result<>()> job_then_{};
};

}  // namespace howdah::instance
