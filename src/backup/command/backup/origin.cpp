#include "backup/command/backup/origin.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "backup/cluster_facts.h"
#include "backup/command/backup/stored_copy.h"
#include "backup/local_file.h"
#include "backup/options/exit_code.h"
#include "io/task.h"
#include "pg/control_file.h"
#include "pg/wal_segment.h"

namespace howdah::backup {
namespace {

namespace fs = std::filesystem;

constexpr Millis between_looks{100};

Result<> check_stopped(const Site& site, const std::string& data) {
    HD_TRY(const auto may_run, is_there(data + "/postmaster.pid"));
    if (const auto process = may_run ? 0 : server_in(data); process != 0) {
        return fail_with(ExitCode::pg_running, Errc::conflict,
                         fmt::format("--no-online passed but PostgreSQL runs in {} as process {}, "
                                     "though postmaster.pid is gone",
                                     data, process),
                         "stop it, or back up without --no-online");
    }
    if (!may_run) {
        return {};
    }
    if (site.options.force) {
        site.notes.warn(
            "--no-online passed and postmaster.pid exists but --force was passed so backup will "
            "continue though it looks like PostgreSQL is running and the backup will probably not "
            "be consistent");
        return {};
    }
    return fail_with(ExitCode::pg_running, Errc::conflict,
                     fmt::format("--no-online passed but {}/postmaster.pid exists - looks like "
                                 "PostgreSQL is running",
                                 data),
                     "stop it, or back up without --no-online");
}

/// The server that a cluster's options lead to, if it is the one of its data directory.
Result<std::pair<Session, ServerFacts>> open_server(const ClusterOptions& cluster, Nanos limit) {
    HD_TRY(auto session, Session::open(cluster, limit));
    HD_TRY(auto facts, session.facts());
    std::error_code error;
    if (facts.data_directory != cluster.path &&
        !fs::equivalent(facts.data_directory, cluster.path, error)) {
        return fail_with(ExitCode::db_mismatch, Errc::invalid,
                         fmt::format("PostgreSQL's data_directory is '{}', pg{}-path is '{}'",
                                     facts.data_directory, cluster.index, cluster.path),
                         "they must be one: check pg-path, pg-port and pg-socket-path");
    }
    return std::pair(std::move(session), std::move(facts));
}

/// Looks at the clusters of this host until it has what it needs.
class Search {
public:
    explicit Search(const Site& site)
        : site_(site), wants_standby_(site.options.backup.backup_standby != "n") {}

    Result<Origin> run() {
        for (const auto& cluster : site_.options.clusters) {
            if (!complete() && !cluster.path.empty()) {
                HD_TRY_VOID(look_at(cluster));
            }
        }
        if (!origin_.primary) {
            return failed_ ? Result<Origin>(std::unexpected(*failed_))
                           : fail_with(ExitCode::db_connect, Errc::unavailable,
                                       "unable to find primary cluster - cannot proceed",
                                       "name the primary's data directory and port with pg1-path, "
                                       "pg1-port");
        }
        if (wants_standby_ && !origin_.standby) {
            HD_TRY_VOID(miss_standby());
        }
        return std::move(origin_);
    }

private:
    bool complete() const { return origin_.primary && (!wants_standby_ || origin_.standby); }

    Result<> look_at(const ClusterOptions& cluster) {
        if (!cluster.host.name.empty()) {
            site_.notes.warn(
                fmt::format("pg{}-host={}: it is left out, since another cluster of this stanza is "
                            "on this host",
                            cluster.index, cluster.host.name));
            return {};
        }
        auto opened = open_server(cluster, site_.options.backup.db_timeout);
        if (!opened && exit_code_of(opened.error()) == ExitCode::db_connect) {
            failed_ = opened.error();
            return {};
        }
        if (!opened) {
            return std::unexpected(std::move(opened).error());
        }
        auto& [session, facts] = *opened;
        if (!facts.in_recovery && !origin_.primary) {
            origin_.data = cluster.path;
            origin_.primary.emplace(std::move(session));
            origin_.facts = facts;
        } else if (facts.in_recovery && wants_standby_ && !origin_.standby) {
            origin_.standby_data = cluster.path;
            origin_.standby.emplace(std::move(session));
        }
        return {};
    }

    Result<> miss_standby() const {
        constexpr std::string_view text =
            "option backup-standby is enabled but standby is not properly configured";
        if (site_.options.backup.backup_standby == "prefer") {
            site_.notes.warn(
                "unable to find a standby to perform the backup, using primary "
                "instead");
            return {};
        }
        return fail_with(ExitCode::db_connect, Errc::unavailable, std::string(text),
                         failed_ ? failed_->message : "name its data directory with pg2-path");
    }

    const Site& site_;
    bool wants_standby_;
    Origin origin_{};
    std::optional<Error> failed_{};
};

}  // namespace

Result<Origin> open_origin(const Site& site) {
    HD_TRY(auto data, site.data_directory());
    if (site.options.online) {
        return Search(site).run();
    }
    HD_TRY_VOID(check_stopped(site, data));
    Origin origin;
    origin.data = std::move(data);
    return origin;
}

Result<> check_archiving(const ServerFacts& server, bool mode_check) {
    if (server.archive_mode == "off") {
        return fail_with(ExitCode::archive_disabled, Errc::invalid, "archive_mode must be enabled",
                         "set archive_mode=on in postgresql.conf, or back up with "
                         "--no-archive-check");
    }
    if (server.archive_mode == "always" && mode_check) {
        return fail_with(ExitCode::feature_not_supported, Errc::invalid,
                         "archive_mode=always not supported",
                         "set archive_mode=on, or --no-archive-mode-check");
    }
    const auto& command = server.archive_command;
    if (!command.contains("pgbackrest") && !command.contains("howdah")) {
        return fail_with(ExitCode::archive_command_invalid, Errc::invalid,
                         fmt::format("archive_command '{}' must contain pgbackrest or howdah",
                                     command.empty() ? "[none]" : command),
                         "archive with 'howdah archive-push %p', or back up with "
                         "--no-archive-check");
    }
    return {};
}

Result<> wait_for_standby(const Site& site, Origin& origin, const WalPlace& start) {
    const io::SystemClock clock;
    const auto limit = site.options.backup.archive_timeout;
    site.notes.info(fmt::format("wait for replay on the standby to reach {}", start.lsn.text()));
    pg::Lsn reached;
    for (auto end = clock.now() + limit; reached < start.lsn;) {
        HD_TRY(const auto replayed, origin.standby->replayed());
        end = replayed > reached ? clock.now() + limit : end;
        reached = replayed;
        if (reached < start.lsn && clock.now() >= end) {
            return fail_with(ExitCode::archive_timeout, Errc::timeout,
                             fmt::format("timeout before standby replayed to {} - only reached {}",
                                         start.lsn.text(), reached.text()),
                             "is replication running, and does it keep up with the primary?");
        }
        std::this_thread::sleep_for(reached < start.lsn ? between_looks : Millis{});
    }
    HD_TRY_VOID(origin.standby->checkpoint());
    HD_TRY(const auto content, read_control(origin.standby_data));
    HD_TRY(const auto control, pg::ControlFile::parse(bytes_of(content)));
    HD_TRY(const auto segment, pg::WalSegment::parse(start.segment));
    if (control.timeline != segment.timeline || control.checkpoint < start.lsn) {
        return fail_with(ExitCode::db_mismatch, Errc::conflict,
                         fmt::format("standby is on timeline {} with checkpoint {}, the backup "
                                     "began on timeline {} at {}",
                                     control.timeline, control.checkpoint.text(), segment.timeline,
                                     start.lsn.text()),
                         "is it a standby of this primary?");
    }
    site.notes.info(fmt::format("replay on the standby reached {}", reached.text()));
    return {};
}

Result<> check_still_standby(Origin& origin) {
    HD_TRY(const auto facts, origin.standby->facts());
    return facts.in_recovery
               ? Result<>{}
               : fail_with(ExitCode::db_mismatch, Errc::conflict,
                           fmt::format("the standby in {} was promoted while its files were "
                                       "copied: they may hold what the primary never had",
                                       origin.standby_data),
                           "take the backup again, from a standby or from the primary");
}

}  // namespace howdah::backup
