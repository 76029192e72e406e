#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "agent/callbacks.h"
#include "agent/compaction.h"
#include "agent/control.h"
#include "agent/lease_keeper.h"
#include "agent/ports.h"
#include "config/agent_config.h"
#include "config/dynamic_config.h"
#include "dcs/scope.h"
#include "ha/decide.h"
#include "instance/instance.h"
#include "io/task.h"

namespace howdah::agent {

/// What the agent is made of; all outlive it. `keeper` may live on another thread.
struct Parts {
    io::Executor executor{};
    io::Clock& clock;
    config::AgentConfig config{};
    Identity identity{};
    instance::Instance& instance;
    LeaseKeeper& keeper;
    dcs::KeyValueStore& store;
    dcs::ClusterFeed& feed;
    PeerQuestions& peers;
    Durable& durable;
    Deadlines& deadlines;
    Watchdog& watchdog;
    ha::WakeWatch& wake;
    /// Reads the file again and calls Agent::take_file; none: there is no file.
    std::function<void()> reread{};
};

/// The loop: observe, decide, act (architecture.md, section 4). All policy is in ha::decide; what
/// is here gathers the View, carries out the Plan and tells the store and the log.
class Agent final : public Control {
public:
    explicit Agent(Parts parts);
    ~Agent() override;

    /// Runs until stop(), or until cancelled. Errors: Errc::unsafe with the reason when a rule says
    /// Halt.
    io::Task<Result<>> run();
    /// Lets run() return after the cycle that it is in. Cancelling it may be swallowed by what it
    /// waits for.
    void stop() {
        stopping_ = true;
        bell_.ring();
    }
    /// Ends what run() left in the background. Await it after run() has ended or was cancelled.
    io::Task<> close();
    /// Stops PostgreSQL (fast), gives the record up, tells the store. For SIGTERM; after close().
    io::Task<> shut_down();

    /// What the keeper tells; on the agent's executor.
    void heed(Keeping keeping);
    /// Decide again now.
    void wake() { bell_.ring(); }
    /// What a file that was read again says: tags, and the section postgresql but for its
    /// addresses, directories and logins.
    void take_file(const config::AgentConfig& config);
    /// Called after each decision; for the simulator and for tests.
    void on_plan(std::function<void(const ha::View&, const ha::Plan&)> watch) {
        watch_plan_ = std::move(watch);
    }

    Status status() const override;
    Standing standing() const override;
    std::vector<std::string> obstacles() const override;
    io::Task<Answer> switchover(SwitchoverRequest request) override;
    io::Task<Answer> cancel_switchover() override;
    io::Task<Answer> restart(RestartRequest request) override;
    Answer cancel_restart() override;
    Answer reinitialize(bool force) override;
    Answer reload() override;
    io::Task<Result<StoredConfig>> read_config() override;
    io::Task<Result<std::vector<instance::RefusedSetting>>> refused_settings(
        std::string before, std::string after) override;
    std::optional<std::string> lockout(const std::string& before,
                                       const std::string& after) const override;
    io::Task<Result<>> write_config(std::string text, std::optional<std::int64_t> seen) override;
    io::Task<ha::Vote> seal(ha::SealRequest request) override;
    ha::PromiseAnswer promise(const ha::PromiseRequest& request) override;
    ha::Vouch vouch() const override;
    Answer recover(ha::RecoverOrder order) override;

private:
    struct Doing;  // one overload per action, in actions.cpp
    friend struct Doing;

    io::Task<> cycle();
    void forget_old_orders();
    void keep_pause();
    io::Task<> keep_turning();
    bool holds_for_certain() const;
    pg::Timeline greatest_timeline() const;
    std::vector<std::string> not_counted() const;
    bool paused() const;
    bool is_initialized() const;
    std::string hint_after_halt() const;
    io::Task<Result<>> act(const ha::Plan& plan);
    ha::View look() const;
    void take_configuration();
    io::Task<> configure_instance();
    void log_plan(const ha::Plan& plan);
    void take_failover_key();

    io::Task<Result<>> claim(bool take_over);
    io::Task<Result<>> race_initialize();
    io::Task<Result<>> finish_bootstrap();
    io::Task<> forget_bootstrap();
    io::Task<Result<>> yield_bootstrap();
    io::Task<Result<>> tell_timeline(pg::Timeline timeline, ha::RecordState state);
    std::map<std::string, std::string> sync_of_new_leader() const;
    io::Task<Result<>> publish_sync(ha::SyncSet set);
    io::Task<Result<>> set_standby_names(std::optional<std::string> text);
    io::Task<> ask_peers(ha::AskPeers question);
    io::Task<> checkpoint();
    void begin_switchover(ha::SwitchoverOrder order);

    // switchover.cpp
    io::Task<Answer> pass_on(SwitchoverRequest request);
    io::Task<Answer> lead_with_loss(SwitchoverRequest request);
    io::Task<Answer> await_new_leader(SwitchoverRequest request, std::string candidate,
                                      ha::Epoch epoch);
    io::Task<Answer> schedule_switchover(SwitchoverRequest request);
    io::Task<Result<>> write_failover(std::string text, std::optional<std::int64_t> seen);

    void run_callbacks();
    // restarting.cpp: what is asked of this member's PostgreSQL alone
    struct ScheduledRestart {
        RestartRequest request{};
        std::string postmaster_start_time{};
    };
    std::string busy() const;
    bool meets(const RestartRequest& request) const;
    io::Task<Answer> restart_now(RestartRequest request);
    io::Task<Answer> await_restart(std::string started, Instant until);
    Answer schedule_restart(RestartRequest request);
    void take_scheduled_restart();
    std::string scheduled_restart_json() const;
    ha::PgState shown_state() const;
    bool to_be_copied() const;
    std::string published_tags() const;

    // proving.cpp: which walsender is which member's
    using Connection = std::tuple<std::string, int, std::uint64_t>;
    struct KnownConnection {
        Instant since{};
        ha::Uuid member{};
    };
    static Connection connection_of(const ha::Walsender& w);
    void recognize_walsenders();
    std::vector<ha::Member> unconfirmed_standbys() const;
    void confirm_standbys_when_due();
    io::Task<> confirm_standbys();
    void take_confirmation(const ha::Standing& standing);

    // promising.cpp: the peer lease
    void recall_promise();
    std::string keep_promise(const ha::PromiseRequest& request, const Stored& stored);
    void tell_keeper_of_peers();

    // voting.cpp: epochs and seals
    struct PendingSeal {
        ha::SealRequest request{};
        io::Bell answered;
        std::optional<ha::Vote> vote{};
    };
    /// What history_epoch_ was computed from.
    struct Ranked {
        pg::Timeline timeline = 0;
        std::size_t epochs = 0;
        std::string system_id{};
        bool operator==(const Ranked&) const = default;
    };
    Result<> learn_names();
    ha::MemberNames names_of_lost_record() const;
    io::Task<Result<>> learn_epochs();
    io::Task<> rank_history();
    io::Task<Result<ha::EpochStart>> own_epoch_start(pg::Timeline timeline);
    io::Task<Result<>> stand_still(ha::Vote& vote);
    ha::Vote blank_vote() const;
    std::string objection_to(const ha::SealRequest& request) const;
    io::Task<ha::Vote> cast_vote(ha::SealRequest request);
    io::Task<> answer_seals();
    io::Task<Result<>> begin_seal(ha::Seal order);
    void note_held_wal();
    io::Task<> remove_damaged_record(ha::RecoverOrder order);
    Result<> note_opening(pg::Timeline timeline);
    std::optional<ha::Record> lost_record() const;
    void learn(const std::optional<ha::Record>& seen);
    io::Task<> collect_votes(ha::Seal order);

    // archiving.cpp: where a cluster that was made from a backup may archive
    void prove_archive_when_due();
    io::Task<> prove_archive();
    io::Task<Result<bool>> leads_to_own_archive(ha::ArchiveGate gate);
    std::string claim_of_this_scope(const std::string& claim) const;
    io::Task<Result<>> claim_archive(ha::ArchiveGate gate);
    io::Task<Result<std::string>> own_claim();
    io::Task<Result<>> change_howdah_config(
        std::function<void(nlohmann::ordered_json& howdah)> change);
    std::string archiving_off() const;

    // housekeeping.cpp: what the store is told
    io::Task<> keep_house();
    io::Task<> publish_member();
    ha::Member self_member() const;
    io::Task<> keep_member_lease();
    void publish_status();
    io::Task<> publish_history();
    io::Task<> keep_slots();
    io::Task<> drop_old_slots();
    std::vector<std::string> other_members() const;
    void compact_when_due();
    io::Task<> compact(dcs::Revision to);

    Parts parts_;
    std::string prefix_;
    config::DynamicConfig dynamic_{};
    std::string dynamic_text_{};
    bool configuration_seen_ = false;  ///< `/config` was there once
    std::optional<ha::RecoverOrder> recover_{};
    Instant recover_asked_{};
    std::optional<ha::LossAccepted> loss_accepted_{};
    std::string configured_for_{};
    ha::Memory memory_{};
    ha::Local local_{};
    Keeping keeping_{};
    ha::Peers peers_{};
    ha::Votes votes_{};
    std::optional<std::string> confirmed_names_{};
    std::vector<std::shared_ptr<PendingSeal>> pending_seals_{};
    ha::Place place_{};      ///< of the WAL in the data directory
    std::string history_{};  ///< text of the local timeline's history file
    Instant promised_until_{};
    std::optional<ha::StoredPromise> promise_{};
    std::vector<ha::Uuid> promise_set_{};
    bool claiming_ = false;  ///< a claim is on its way
    std::map<Connection, KnownConnection> connections_{};
    bool confirming_ = false;
    std::vector<ha::Member> known_members_{};
    std::optional<bool> told_keeper_{};
    bool told_paused_ = false;
    Ranked ranked_{};
    /// What this member reserved for a promotion of its own, perhaps in an earlier run: a timeline
    /// of that number here is that epoch's, though nobody may have been told.
    ha::Reserved opening_{};
    std::optional<ha::SwitchoverOrder> order_{};
    std::string switchover_failure_{};
    std::optional<ha::StandbyOrder> standby_order_{};
    std::uint64_t copy_orders_ = 0;
    std::optional<ScheduledRestart> scheduled_restart_{};
    bool restarting_ = false;  ///< restart() waits for PostgreSQL
    CallbackWatch callback_watch_{};
    CallbackRunner callbacks_{};
    std::map<std::string, std::string> callback_commands_{};  ///< postgresql.callbacks
    bool reinitializing_ = false;                             ///< until the new copy runs
    bool won_initialize_ = false;
    bool race_unresolved_ = false;  ///< nobody answered this member's race for `/initialize`
    std::string last_rule_{}, last_why_{};
    std::optional<Error> halted_{};
    bool stopping_ = false;
    Instant cycle_begun_{};
    Instant next_cycle_{};

    dcs::LeaseId member_lease_ = 0;
    Instant member_lease_kept_{};
    ha::Member published_member_{};
    dcs::LeaseId published_lease_ = 0;
    Instant published_at_{};
    Instant status_published_at_{};
    pg::Timeline history_published_for_ = 0;
    std::vector<std::string> slots_for_{};       ///< in this term
    std::vector<std::string> slots_made_for_{};  ///< in this or an earlier one
    Instant slots_dropped_at_{};
    std::int64_t seen_revision_ = 0;
    Compaction compaction_{};
    bool told_of_space_ = false;
    bool proving_archive_ = false;
    Instant archive_proof_due_{};
    std::string archive_unproven_{};  ///< what the last proof ended with
    std::string told_archiving_{};    ///< what the log said last of why nothing is archived
    std::int64_t handled_failover_ = 0;

    io::Bell bell_;
    std::unique_ptr<io::Scope> background_;
    std::optional<ha::Record> last_record_{};
    std::function<void(const ha::View&, const ha::Plan&)> watch_plan_{};
};

}  // namespace howdah::agent
