#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/agent_config.h"
#include "config/dynamic_config.h"
#include "ha/local.h"

namespace howdah::instance {

/// What a standby's lines of postgresql.conf are made of.
struct Following {
    std::optional<ha::Upstream> upstream{};
    std::string member{};  ///< own name: application_name
    std::string pgpass{};
    config::Credentials replication{};
};
/// key='value' pairs of libpq, with quoting.
std::string render_conninfo(const std::vector<std::pair<std::string, std::string>>& pairs);
std::string render_primary_conninfo(const Following& following);

/// "name = 'value'" as postgresql.conf takes it, with a newline.
std::string conf_line(const std::string& name, const std::string& value);

/// postgresql.conf, whole (section 14): `base` is the file it includes. Where they aren't set, it
/// chooses wal_retrieve_retry_interval and, from 14, recovery_init_sync_method.
std::string render_postgresql_conf(const config::EffectivePostgresql& settings,
                                   const Following& following, const std::string& base,
                                   const std::string& config_dir, int major_version);
/// One line per server, host:port:*:user:password, escaped as libpq reads it.
std::string render_pgpass(const ha::Upstream& upstream, const config::Credentials& who);
/// postgresql.auto.conf without recovery parameters, which would win over ours, and `also` these.
/// `recovers`: without those that a recovery under recovery.signal has no use for.
std::string without_recovery_parameters(const std::string& auto_conf,
                                        const std::vector<std::string>& also = {},
                                        bool recovers = false);

/// The files of one PostgreSQL. Every write is atomic and durable.
class PgFiles {
public:
    /// `member`: whose work a mark of unfinished work names.
    PgFiles(const config::Postgresql& paths, std::string state_dir, const std::string& member = {});

    ha::DataDir classify() const;
    int major_version() const;  ///< of PG_VERSION; 0: unknown

    /// Of a cluster that was made from a backup, what its archive_command on the command line runs,
    /// in the state directory: nothing else lets WAL into an archive, or keeps it back. Whether the
    /// file was missing or another. Errors: those of writing it.
    Result<bool> write_held_archive(const config::EffectivePostgresql& settings) const;
    /// All configuration; true when a file changed. `sync_standbys`, where it is set, is the value
    /// of synchronous_standby_names whoever else sets it. Errors: Errc::io.
    Result<bool> write_configuration(const config::EffectivePostgresql& settings,
                                     const Following& following,
                                     const std::optional<std::string>& sync_standbys) const;
    /// Without it no standby logs in at its upstream by password.
    Result<> forget_upstream_password() const;
    /// L11. Errors: Errc::io.
    /// What a restore left to do; nullopt: no recovery.signal, or a standby's signal, which counts
    /// more.
    std::optional<ha::Restored> restored() const;
    /// PostgreSQL reads them when it recovers: postgresql.auto.conf and recovery.signal. Errors:
    /// Errc::io.
    Result<> write_recovery(const config::Parameters& settings) const;
    /// Lines that pg_hba.conf does not have yet.
    Result<> add_to_hba(const std::vector<std::string>& lines) const;

    /// The archives that this cluster was restored from, in the data directory, so that copies of
    /// it know them too; nullopt: it was not made from a backup.
    std::optional<ha::Origin> origin() const;
    /// Adds these stanzas, if there are any; the cluster is one made from a backup without, too.
    Result<> remember_origin(const ha::Origin& more) const;
    /// `settings`: whose origin, that of the scope's configuration, counts as well.
    ha::ArchiveGate archive_gate(const config::EffectivePostgresql& settings) const;
    /// For the command line of a cluster that was made from a backup (held_archive.h): nothing
    /// beats it there. Empty: of another one, or one that may archive by archive_library.
    config::Parameters held_archive(const config::EffectivePostgresql& settings,
                                    const std::string& howdah) const;

    /// Whether the postmaster, or the last one, was started with these.
    bool runs_held() const;

    /// Whether this server archives: as primary that the agent started or promoted. One that was
    /// promoted by hand has no history that the archive should know (I9). Across restarts of the
    /// agent (<state_dir>/archives).
    Result<> remember_archiving(bool archives) const;
    bool archives() const;
    /// The value in the configuration files that are not written here, and in `settings`; empty:
    /// none.
    std::string configured(const config::EffectivePostgresql& settings,
                           const std::string& name) const;

    /// While this mark stands in the data directory, this member's bootstrap of it is unfinished.
    Result<> mark_bootstrap() const;
    Result<> clear_bootstrap() const;
    bool bootstrap_begun() const;
    /// A copy of a backup that has not recovered to its end yet.
    bool begins_at_a_backup() const;
    /// While this mark stands in the state directory, a command of the configuration's works, or
    /// broke off, in the data directory. Its work is nobody's to remove: classify() says broken.
    Result<> mark_command() const;
    Result<> clear_command() const;

    Result<> place_standby_signal() const;
    Result<> remove_recovery_signals() const;
    bool has_standby_signal() const;

    /// What the configuration follows, across restarts of the agent (<state_dir>/following).
    Result<> remember_following(const std::optional<ha::Upstream>& upstream) const;
    std::optional<ha::Upstream> remembered_following() const;

    /// What synchronous_standby_names was last set to, across restarts of the agent; nullopt: not
    /// set but left to the configuration (<state_dir>/sync_standbys).
    Result<> remember_sync_standbys(const std::optional<std::string>& names) const;
    std::optional<std::string> remembered_sync_standbys() const;

    /// While this mark stands in the data directory, that holds an unfinished copy of this
    /// member's, worth nothing. The directory is made where it is missing. Errors: Errc::io.
    Result<> mark_unfinished() const;
    Result<> clear_unfinished() const;
    bool unfinished() const;
    /// Programs that demand an empty directory make their copy in here, beside the mark; move_up()
    /// puts what is in it into the data directory itself, whose mode becomes the copy's.
    std::string unfinished_copy() const { return data_dir_ + "/howdah.copy"; }
    Result<> move_up() const;
    /// Everything in the data directory but the mark and lost+found, and what its links to WAL and
    /// tablespaces lead to. The directory itself may be a mount point.
    std::vector<std::string> contents() const;

    Result<std::string> timeline_history(pg::Timeline timeline) const;
    /// The highest timeline that has a segment in pg_wal, and the start of its first segment there.
    struct NewestWal {
        pg::Timeline timeline = 0;
        pg::Lsn first{};
    };
    NewestWal newest_wal(std::uint32_t segment_bytes) const;

    const std::string& data_dir() const { return data_dir_; }
    const std::string& state_dir() const { return state_dir_; }
    std::string config_file() const { return config_dir_ + "/postgresql.conf"; }
    std::string log() const { return state_dir_ + "/postgresql.log"; }

private:
    void hold_archive(config::EffectivePostgresql& settings, std::vector<std::string>& owned) const;
    Result<std::string> settle_base(const config::EffectivePostgresql& settings) const;
    bool restore_was_broken_off() const;

    bool command_was_broken_off() const;
    std::optional<ha::Origin> origin_by(const config::EffectivePostgresql& settings) const;

    std::string mark() const { return data_dir_ + "/howdah.unfinished"; }
    std::string bootstrap_mark() const { return data_dir_ + "/howdah.bootstrap"; }
    std::string command_mark() const { return state_dir_ + "/command-unfinished"; }
    std::string origin_file() const { return data_dir_ + "/howdah.origin"; }
    std::string held_archive_file() const { return state_dir_ + "/archive_command"; }
    std::string archives_file() const { return state_dir_ + "/archives"; }
    std::string base_conf() const { return config_dir_ + "/postgresql.base.conf"; }
    std::string auto_conf() const { return data_dir_ + "/postgresql.auto.conf"; }

    std::string data_dir_, config_dir_, pgpass_, state_dir_;
    std::string job_;  ///< what the mark says
};

}  // namespace howdah::instance
