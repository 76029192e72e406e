#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "instance/fake/fake_servers.h"
#include "instance/instance.h"
#include "io/virtual_clock.h"
#include "pg/sync_standbys.h"

namespace howdah::instance {

/// One stretch of WAL: the same id means the same bytes, whatever number the timeline has.
struct WalBranch {
    std::uint64_t id = 0;
    pg::Timeline timeline = 0;
    pg::Lsn begin{};
    bool operator==(const WalBranch&) const = default;
};
/// A server's history, oldest first. Shared, since it changes only with a promotion.
using WalHistory = std::shared_ptr<const std::vector<WalBranch>>;

/// A place in WAL that means the same on all servers.
struct WalMark {
    std::uint64_t branch = 0;
    pg::Lsn lsn{};
    bool operator==(const WalMark&) const = default;
};

/// How a client's commit ended, as the server told it.
enum class CommitEnd : std::uint8_t {
    done,     ///< success, after the wait for sync standbys where there is one
    warned,   ///< success, with the warning that the wait was cancelled (X3)
    refused,  ///< an error: nothing was committed
    lost,     ///< the connection broke: nobody knows
};
/// What `done` and `warned` stand for.
struct Committed {
    CommitEnd end = CommitEnd::refused;
    WalMark mark{};
    bool waited = false;  ///< for at least one sync standby
};

/// How long work takes in the model.
struct FakeTimes {
    Millis initdb{800}, clone{1500}, rewind{600}, start{200}, stop{80}, promote{120}, replicate{5};
    Millis archive_recovery{3000}, crash_recovery{}, flush{1}, reload{10}, fence{20}, orphans{},
        checkpoint{300};
};

/// A model of one local PostgreSQL with its fencer: timelines, WAL positions, replication with
/// flush behind write, sync waiters, orphaned backends, crashes. On a HostClock it moves by itself;
/// on another clock its owner calls step() often.
class FakeInstance final : public Instance {
public:
    FakeInstance(io::Clock& clock, FakeServers& servers, std::string name, std::string host,
                 std::uint16_t port);
    FakeInstance(io::HostClock& clock, FakeServers& servers, std::string name, std::string host,
                 std::uint16_t port);
    ~FakeInstance() override;

    // ---- what a world does to it
    void step();
    /// SIGKILL of the postmaster. Backends live on, and may commit, until `orphans` have been
    /// reaped by the fencer.
    void crash();
    /// The whole host loses power: what was not flushed is gone.
    void lose_power();
    /// The fencer's deadline has come.
    void fence_now();
    /// The agent's process died or restarts: jobs that it ran itself are lost, the server runs on.
    void lose_agent();
    /// The data directory of a foreign cluster lies in the place of its own, or its own again. For
    /// a server that is down.
    void mount(bool foreign);
    /// A restore made this server's directory, from a backup of a cluster elsewhere. For one that
    /// has no data.
    void restore_backup();
    /// So long this standby receives nothing, though it looks connected.
    void stall_receiving(Instant until) { receives_from_ = until; }
    /// Its storage stands still: nothing is flushed, no job ends, and what is killed is not proven
    /// dead (uninterruptible sleep) before it goes on.
    void freeze_storage();
    void thaw_storage();
    /// So long this standby flushes WAL and replays none.
    void pause_replay(Instant until);
    /// A client commits, without telling when. False when this server does not take writes.
    bool write(std::uint64_t bytes);
    /// WAL that no client waits for, as of a vacuum.
    void vacuum(std::uint64_t bytes);
    /// A session commits; `then` is told once how that ended.
    void commit(std::uint64_t bytes, std::function<void(Committed)> then);
    /// Somebody cancels all sessions that wait for sync standbys.
    void cancel_waits();
    /// Called when it becomes writable, or ceases to be.
    std::function<void()> on_writable{};
    /// Called when a job begins that overwrites or removes data.
    std::function<void(JobKind)> on_destructive{};
    FakeTimes times{};
    int number = 0;  ///< of its host, for FakeServers::delay
    /// The postmaster answers no new connection, or its disk takes no writes (what it says).
    bool hung = false;
    std::string disk_trouble{};

    /// Some session on it can commit, be it an orphan's.
    bool writable() const {
        return role_ == ha::Role::primary && accepting_ && (up_ || orphans_) && !frozen_;
    }
    pg::Lsn end() const { return end_; }
    pg::Lsn flushed() const { return flushed_; }
    const WalHistory& history() const { return branches_; }
    bool holds(const WalMark& mark) const { return contains(*branches_, mark, end_); }
    /// Its own data directory, be it mounted or not.
    bool has_flushed(const WalMark& mark) const {
        return own_data_ ? contains(*own_data_->branches, mark, own_data_->end)
                         : contains(*branches_, mark, flushed_);
    }
    /// Up to where sessions see what was committed.
    WalMark visible() const;
    std::vector<Walsender> walsenders() const;
    /// What commits wait for now.
    const std::string& names_in_force() const { return in_force_text_; }
    const std::string& name() const { return name_; }
    const std::string& system_id() const { return system_id_; }
    bool has_data() const { return initialized_ && !own_data_; }
    /// Takes new connections, as a primary or not.
    bool accepting() const { return up_ && accepting_ && !hung && !frozen_; }
    bool tree_dead() const { return !up_ && !orphans_ && !reaping_; }
    bool streaming() const { return streaming_; }
    ha::Role role() const { return role_; }
    /// Another number after each start and end: connections don't outlive it.
    std::uint64_t life() const { return life_; }

    // ---- Instance
    void on_change(std::function<void()> wake) override { wake_ = std::move(wake); }
    io::Task<Local> observe(Nanos limit) override;
    io::Task<Result<>> configure(config::EffectivePostgresql settings) override;
    io::Task<Result<>> adopt() override;
    Result<> initialize(config::Bootstrap how) override;
    io::Task<Result<>> adopt_restored(config::Bootstrap how) override;
    io::Task<Result<>> end_bootstrap() override;
    io::Task<Result<>> abandon_bootstrap() override;
    io::Task<Result<std::string>> ask_archive(std::vector<std::string> options) override;
    io::Task<Result<bool>> archive_has_claim(std::vector<std::string> options,
                                             std::string claim) override;
    io::Task<Result<>> claim_archive(std::vector<std::string> options, std::string claim) override;
    Result<> clone(Upstream from) override;
    Result<> reinitialize(Upstream from) override;
    Result<> rewind(Upstream from) override;
    Result<> start(StartAs as, std::optional<Upstream> follow) override;
    Result<> stop(StopMode mode) override;
    Result<> promote(pg::Timeline timeline) override;
    io::Task<Result<>> follow(std::optional<Upstream> from) override;
    io::Task<Result<WalPosition>> stop_receiving(Nanos limit) override;
    io::Task<Result<>> set_sync_standbys(std::optional<std::string> names, Nanos limit) override;
    io::Task<Result<>> await_sync_flush(pg::Lsn lsn, int count, std::vector<std::string> of,
                                        Nanos limit) override;
    io::Task<Result<>> fence(Nanos limit) override;
    io::Task<Result<>> create_users(config::Bootstrap how) override;
    io::Task<Result<>> checkpoint(Nanos limit) override;
    io::Task<Result<>> check_divergence(Upstream primary) override;
    void take_logins(const config::Postgresql& /*from*/) override {}
    io::Task<Result<std::vector<RefusedSetting>>> refused_settings(
        config::EffectivePostgresql settings) override;
    /// Names of parameters that it refuses.
    std::vector<std::string> refuses{};
    io::Task<Result<>> keep_slots(std::vector<std::string> member_names) override;
    io::Task<Result<>> end_walsender(int pid) override;
    io::Task<Result<>> drop_slots(std::vector<std::string> member_names) override;
    io::Task<Result<std::string>> timeline_history(pg::Timeline timeline) override;

private:
    using Callback = io::VirtualClock::Callback;
    /// The primary's side of one connection.
    struct Sender {
        FakeInstance* standby = nullptr;
        int pid = 0;
        std::uint64_t session = 0;
        pg::Lsn sent{}, write{}, flush{};
        bool in_flight = false;
        Instant owed_since{};  ///< never: it owes no answer
    };
    struct Waiter {
        pg::Lsn lsn{};
        std::function<void(Committed)> then{};
    };

    /// `then` runs on this host after `delay`, unless the server's processes have changed since.
    void later(Nanos delay, Callback then);
    void arrive(const FakeInstance& from, Nanos delay, Callback then);

    Result<> begin(JobKind kind, Millis lasts, std::function<Result<>()> then);
    void end_job(std::uint64_t job);
    Result<> finish_stop(Instant until);
    void end_archive_recovery();
    static bool contains(const std::vector<WalBranch>& all, const WalMark& mark, pg::Lsn end);
    void die(bool crashed);
    void set_writable(bool before) const;
    void changed() const;
    const FakeInstance* reach(const Upstream& upstream) const;
    const FakeInstance* source(const Upstream& from) const;
    bool on_history_of(const FakeInstance& other) const;
    void copy_data(const FakeInstance& from);

    // fake_replication.cpp
    void connect();
    void connect_later(Nanos delay);
    void disconnect();
    void serve(FakeInstance& standby, std::uint64_t session, pg::Lsn from);
    void hang_up(const std::string& standby, std::uint64_t session);
    void upstream_gone(std::uint64_t session);
    void pump();
    void pump(const std::string& name, Sender& sender);
    pg::Lsn replayed() const;
    void flush_received(FakeInstance& from, std::uint64_t session, pg::Lsn lsn);
    void receive(FakeInstance& from, std::uint64_t session, WalHistory history, pg::Lsn lsn);
    void confirmed(const std::string& name, std::uint64_t session, pg::Lsn lsn);
    void listen_to_upstream(std::uint64_t session);

    // fake_sync.cpp
    void reload(std::string names);
    bool satisfied(pg::Lsn lsn) const;
    void release();
    void end_waits(CommitEnd how);

    io::Clock& clock_;
    io::HostClock* host_clock_ = nullptr;
    std::multimap<Instant, Callback> due_{};  ///< without a HostClock
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    FakeServers& servers_;
    std::string name_;
    std::function<void()> wake_{};

    struct Data {
        bool initialized = false;
        std::string system_id{};
        WalHistory branches{};
        pg::Lsn end{};
        bool needs_rewind = false;
    };
    std::optional<Data> own_data_{};  ///< while a foreign directory is in its place

    bool initialized_ = false;
    bool restored_ = false, bootstrap_begun_ = false;
    std::string system_id_{};
    WalHistory branches_ = std::make_shared<const std::vector<WalBranch>>();
    pg::Lsn end_{};      ///< written
    pg::Lsn flushed_{};  ///< on disk for good
    pg::Lsn visible_{};

    bool up_ = false, accepting_ = false, crashed_ = false, orphans_ = false, reaping_ = false,
         needs_rewind_ = false, checkpointed_ = true;
    std::uint64_t life_ = 0;  ///< counts ends of the server
    ha::Role role_ = ha::Role::none;
    std::optional<Upstream> following_{};
    std::uint64_t session_ = 0;  ///< of this standby with its upstream, the newest
    bool streaming_ = false, connecting_ = false;
    std::map<std::string, Sender> senders_{};
    int last_pid_ = 0;
    std::deque<Waiter> waiters_{};
    std::optional<std::string> sync_standbys_{};
    std::string in_force_text_{};
    pg::SyncStandbys in_force_{};
    Instant answered_{};
    Instant receives_from_{};
    Instant replays_from_{};
    pg::Lsn replayed_{};  ///< while replay is paused
    bool frozen_ = false;
    Instant frozen_since_{};
    pg::Lsn unflushed_{};  ///< what waits for frozen storage
    Job job_{};
    std::uint64_t job_number_ = 0;
    std::function<Result<>()> job_then_{};
};

}  // namespace howdah::instance
