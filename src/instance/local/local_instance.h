#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/agent_config.h"
#include "fencer/client.h"
#include "ha/archive_call.h"
#include "instance/instance.h"
#include "instance/local/disk_probe.h"
#include "instance/local/pg_files.h"
#include "instance/local/pg_tools.h"
#include "instance/local/started_settings.h"
#include "io/task.h"
#include "pg/sync_standbys.h"
#include "pg/timeline_history.h"
#include "pgclient/connection.h"

namespace howdah::instance {

using pgclient::Connection;
using pgclient::Row;
using pgclient::Rows;

/// PostgreSQL's programs that the agent needs are where `config` says.
/// Errors: Errc::not_found with the program, and what to install or correct.
Result<> check_binaries(const config::AgentConfig& config);

/// What a user without privileges may still write to the file system of `folder`. Errors: Errc::io.
Result<std::uint64_t> free_bytes_at(const std::string& folder);

/// A real PostgreSQL, whose parent is the fencer. The deadline page is `<state_dir>/deadline`; this
/// class never writes it. PostgreSQL's stderr goes to `<state_dir>/postgresql.log`. close() must be
/// awaited before it is destroyed; PostgreSQL runs on.
class LocalInstance final : public Instance {
public:
    LocalInstance(io::Executor executor, io::Clock& clock, config::AgentConfig config,
                  std::string howdah_binary);
    ~LocalInstance() override;

    void on_change(std::function<void()> wake) override { wake_ = std::move(wake); }
    io::Task<Local> observe(Nanos limit) override;
    io::Task<Result<>> configure(config::EffectivePostgresql settings) override;
    void take_logins(const config::Postgresql& from) override;
    io::Task<Result<std::vector<RefusedSetting>>> refused_settings(
        config::EffectivePostgresql settings) override;
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
    io::Task<Result<>> keep_slots(std::vector<std::string> member_names) override;
    io::Task<Result<>> end_walsender(int pid) override;
    io::Task<Result<>> drop_slots(std::vector<std::string> member_names) override;
    io::Task<Result<std::string>> timeline_history(pg::Timeline timeline) override;

    /// Another measure of the room beside a data directory, for tests.
    void measure_room_with(std::function<Result<std::uint64_t>(const std::string&)> measure) {
        free_bytes_ = std::move(measure);
    }

    /// Ends what this object does; PostgreSQL and its fencer go on.
    io::Task<> close();
    /// What the operating system granted the fencer; empty without one (a postmaster that was
    /// adopted).
    const std::optional<fencer::Status>& fencer_status() const { return fencer_status_; }

private:
    using Work = io::Task<Result<>>;

    /// Who answers at an upstream's address.
    struct Identity {
        std::string system_id{};
        pg::Timeline timeline = 0;
        pg::Lsn flush{};
        std::vector<pg::Branch> history{};  ///< of `timeline`
    };

    // ---- local_instance.cpp: jobs, the server's life, what is seen of it
    Result<> begin(JobKind kind, std::function<Work()> work);
    io::Task<> run_job(std::function<Work()> work);
    void changed() const;
    ha::PgState state() const;
    void look_at_disk();
    io::Task<Result<>> ask_server(Nanos limit);
    io::Task<Result<>> ensure_connection(Nanos limit);
    void suppose_writable();
    void take_answer(const Row& row);
    void take_walsenders(const std::string& json);
    void take_receiver(pid_t pid, std::uint16_t sender_port);
    void note_position();
    Result<> must_run(const char* what) const;
    Result<> must_be_idle(const char* what) const;
    io::Task<Result<>> reload();
    io::Task<> look_at_files(Nanos limit);
    Result<PgTools> tools() const;
    io::Task<> leave_out_refused_settings();
    bool fall_back_to_started_settings(const Error& why);
    io::Task<> keep_started_settings(bool started);
    io::Task<Result<>> start_once(StartAs as);

    // ---- local_life.cpp: start, stop, fence, promote, death
    Work do_start(StartAs as);
    Work launch_postmaster(StartAs as);
    Work connect_fencer();
    Work wait_until_accepting(StartAs as, std::uint64_t log_from);
    Work do_stop(StopMode mode);
    Work do_promote(pg::Timeline timeline);
    Work begin_archiving();
    io::Task<> look_for_shutdown();
    Work signal_postmaster(std::string name);
    Work kill_with_fencer(std::shared_ptr<fencer::FencerClient> fencer, Nanos limit);
    Work kill_without_fencer(Nanos limit);
    io::Task<bool> wait_dead(Nanos limit);
    void server_ended();
    void begin_settling();
    io::Task<> settle();
    io::Task<> watch_streaming(std::shared_ptr<fencer::FencerClient> fencer);
    io::Task<> watch_fencer(std::shared_ptr<fencer::FencerClient> fencer);
    io::Task<> read_down_state();
    io::Task<> watch_foreign(pid_t pid);
    io::Task<> finish_promotion(pg::Timeline timeline);
    io::Task<Result<>> offer_last_segment(pg::Timeline timeline);
    Error start_failure(std::uint64_t log_from) const;
    std::string deadline_page() const { return files_.state_dir() + "/deadline"; }

    // ---- local_health.cpp: a postmaster that hangs, a sick disk
    void begin_probing();
    io::Task<> probe(int life);
    Result<> may_connect() const;
    io::Task<> watch_disk();

    // ---- local_data.cpp: initdb, clone, rewind
    Work do_initialize(config::Bootstrap how);
    Work run_initdb(config::Bootstrap how);
    Work run_bootstrap_method(config::Bootstrap how);
    Result<> write_recovery_settings(const config::BootstrapMethod& method) const;
    Work do_clone(Upstream from);
    Work copy_by_methods(Upstream from);
    Work copy_by_command(config::ReplicaMethod method, Upstream from);
    Work copy_from(Upstream from);
    Work sync_data_dir();
    io::Task<> await_replay();
    Work do_reinitialize(Upstream from);
    Work do_rewind(Upstream from);
    Work run_pg_rewind(Upstream from);
    Work await_source_checkpoint(Upstream from, pg::Timeline timeline);
    Work keep_divergent_wal();
    Result<> may_rewind(const Identity& there) const;
    Work prove_rewound(Upstream from);
    io::Task<std::vector<config::ReplicaMethod>> usual_methods(Upstream from);
    io::Task<Result<config::ReplicaMethod>> method_by_repository(ha::ArchiveCall call,
                                                                 Upstream from);
    std::vector<std::string> archive_program(std::vector<std::string> options) const;
    std::string divergence_from(const Identity& there) const;
    io::Task<Result<std::string>> missing_wal(Upstream primary, Identity there);
    io::Task<Result<bool>> archive_lacks(std::string name);
    void forget_wal();
    Work replace_by_clone(Upstream from, Error why);
    Work room_for_both(Upstream from);
    Work empty_data_dir();

    // ---- local_sync.cpp: the seal, synchronous standbys
    Result<> may_stop_receiving() const;
    Work await_launch(Instant end);
    Work await_setting(std::string name, std::string value, Instant end);
    Work await_no_receiver(Instant end);
    io::Task<Result<WalPosition>> position_running(Instant end);
    io::Task<Result<WalPosition>> position_down(Instant end);
    Work await_sync_taken(pg::SyncStandbys wanted, Instant end);

    // ---- local_sql.cpp: connections and statements
    pgclient::Keywords local_keywords(const std::string& options) const;
    pgclient::Keywords remote_keywords(const Upstream& at, const config::Credentials& who) const;
    /// Errors: Errc::conflict or Errc::unsafe: it is not the primary that `at` speaks of.
    io::Task<Result<Identity>> identify(Upstream at);
    static Result<> prove_source(const Upstream& at, const Identity& there, bool in_recovery);
    io::Task<Result<Rows>> query_once(pgclient::Keywords keywords, std::string sql, Nanos limit);
    Work create_slot_at(Upstream at);
    Work run_post_bootstrap(std::string command);

    io::Executor executor_;
    io::Clock& clock_;
    config::AgentConfig config_;
    std::string binary_;
    PgFiles files_;
    io::Scope scope_;
    io::Turnstile one_query_;
    io::Turnstile one_trial_;
    std::function<void()> wake_{};
    std::optional<config::EffectivePostgresql> settings_{};  ///< without what PostgreSQL refuses
    std::optional<config::EffectivePostgresql> given_settings_{};
    /// What PostgreSQL did not start with: until others are given those of its last start count.
    struct BadSettings {
        StartedSettings given{}, good{};
        std::string why{};
    };
    std::optional<BadSettings> bad_settings_{};
    std::uint64_t given_count_ = 0;
    std::vector<RefusedSetting> refused_settings_{};  ///< of those tried last
    std::string settings_tried_{};                    ///< which settings, with which program

    std::vector<std::string> files_read_{};  ///< by PostgreSQL, when it was asked for their errors
    std::string files_seen_{};               ///< how they were then; empty: ask again
    Instant look_at_files_after_{};

    Local local_{};  ///< what is known; observe() hands out a copy
    Control control_{};
    bool control_known_ = false;
    std::optional<Upstream> following_{};
    std::optional<std::string> sync_standbys_{};  ///< nullopt: as the configuration says
    std::unique_ptr<Connection> connection_{};
    std::shared_ptr<fencer::FencerClient> fencer_{};
    std::optional<fencer::Status> fencer_status_{};
    bool reload_owed_ = false;       ///< a reload failed after it had written files
    bool fencer_disagrees_ = false;  ///< it is armed for another instant than the page shows
    pid_t foreign_postmaster_ = 0;
    pid_t receiver_pid_ = 0;
    std::function<Result<std::uint64_t>(const std::string&)> free_bytes_ = free_bytes_at;
    bool divergent_wal_kept_ = false;  ///< of the divergence at hand
    bool lacks_wal_ = false;           ///< it can't follow for want of WAL, not for its history
    /// Timeline of the source of the last rewind that ended well; nullopt: it has streamed since.
    std::optional<pg::Timeline> rewound_to_{};
    DiskProbe disk_probe_{};
    bool watches_disk_ = false;
    int life_ = 0;             ///< counts postmasters that were seen
    Instant probing_since_{};  ///< a new connection waits for its answer
    bool asked_to_stop_ = false;
    bool launching_ =
        false;  ///< a start job is between its last look at `start_revoked_` and its fencer
    bool settling_ = false;  ///< between the postmaster's end and the proof that its tree is dead
    bool start_revoked_ = false;  ///< fence() came while a start job ran
    pg::Lsn mark_{},
        older_mark_{};  ///< flushed positions seen lately: where the search for the end begins
};

}  // namespace howdah::instance
