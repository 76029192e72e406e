#include "backup/command/backup/backup.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <ctime>
#include <functional>
#include <list>
#include <thread>

#include "backup/command/backup/progress_in_lock.h"
#include "backup/command/backup/repository_backup.h"
#include "backup/options/exit_code.h"
#include "pg/control_file.h"
#include "repo/info/label.h"

namespace howdah::backup {
namespace {

/// One backup, step by step, into one repository or several: the server is told once, and each
/// repository takes part on its own.
class Backup {
public:
    Backup(Site& site, std::vector<Repository*> into) : site_(site) {
        for (auto* repository : into) {
            parts_.emplace_back(site, *repository, facts_);
        }
    }

    /// Returns the numbers of the repositories that have it.
    Result<std::vector<std::uint32_t>> run() {
        HD_TRY_VOID(check_options());
        HD_TRY_VOID(each([](auto& part) { return part.open(); }));
        HD_TRY(auto origin, open_origin(site_));
        facts_.origin.emplace(std::move(origin));
        HD_TRY_VOID(online() && order().archive_check
                        ? check_archiving(server(), order().archive_mode_check)
                        : Result<>{});
        HD_TRY(facts_.cluster, cluster_facts(facts_.origin->data));
        HD_TRY_VOID(each([](auto& part) { return part.prepare(); }));
        HD_TRY_VOID(online() ? start() : Result<>{});
        HD_TRY_VOID(list());
        HD_TRY_VOID(each([](auto& part) { return part.copy(); }));
        HD_TRY_VOID(online() ? stop() : Result<>{});
        HD_TRY_VOID(each([](auto& part) { return part.finish(); }));
        return finished();
    }

private:
    const BackupOptions& order() const { return site_.options.backup; }
    bool online() const { return facts_.online(); }
    Session& session() { return *facts_.origin->primary; }
    const ServerFacts& server() const { return facts_.origin->facts; }

    Result<> check_options();
    Result<> start();
    Result<> check_prior_segment(const std::string& before);
    Result<> list();
    Result<> wait_for_next_second();
    Result<> stop();
    Result<> each(const std::function<Result<>(RepositoryBackup&)>& step);
    Result<std::vector<std::uint32_t>> finished() const;

    Site& site_;
    BackupFacts facts_{};
    std::list<RepositoryBackup> parts_{};  ///< of those repositories that have not failed
    std::optional<Error> failed_{};        ///< of one that must have the backup
};

/// A step in each repository. One that fails drops out, so that the others get their backup.
/// Errors: when none is left.
Result<> Backup::each(const std::function<Result<>(RepositoryBackup&)>& step) {
    const bool alone = parts_.size() == 1 && !failed_;
    for (auto part = parts_.begin(); part != parts_.end();) {
        const auto done = step(*part);
        if (done) {
            ++part;
            continue;
        }
        if (alone) {
            return std::unexpected(done.error());
        }
        const auto& repository = part->repository();
        auto error = Error(done.error()).within(repository.name());
        const bool optional = site_.options.repository(repository.index()).optional;
        site_.notes.warn(fmt::format("{}{}: the backup goes on without it", error.message,
                                     optional ? " (optional)" : ""));
        if (!optional && !failed_) {
            failed_ = std::move(error);
        }
        part = parts_.erase(part);
    }
    if (!parts_.empty()) {
        return {};
    }
    return failed_ ? std::unexpected(*failed_)
                   : Result<>(fail(Errc::unavailable, "no repository is left to back up into"));
}

Result<std::vector<std::uint32_t>> Backup::finished() const {
    if (failed_) {
        std::vector<std::string> names;
        for (const auto& part : parts_) {
            names.push_back(part.repository().name());
        }
        auto error = *failed_;
        error.message += fmt::format("; {} got the backup", fmt::join(names, ", "));
        return std::unexpected(std::move(error));
    }
    std::vector<std::uint32_t> all;
    for (const auto& part : parts_) {
        all.push_back(part.repository().index());
    }
    return all;
}

Result<> Backup::check_options() {
    const auto type = repo::backup_type(order().type);
    if (!type) {
        return fail_with(ExitCode::option_invalid_value, Errc::invalid,
                         fmt::format("'{}' is no value of option 'type' of backup", order().type),
                         "allowed: full, diff, incr");
    }
    facts_.type = *type;
    if (!site_.options.online && order().backup_standby != "n") {
        site_.notes.warn(
            "option backup-standby is enabled but backup is offline - backups will be "
            "performed from the primary");
    }
    return {};
}

Result<> Backup::start() {
    if (!order().start_fast && order().db_timeout <= server().checkpoint_timeout) {
        site_.notes.warn(fmt::format(
            "start-fast is disabled and db-timeout ({}s) is smaller than the PostgreSQL "
            "checkpoint_timeout ({}s) - timeout may occur before the backup starts",
            order().db_timeout.count() / 1000, server().checkpoint_timeout.count()));
    }
    HD_TRY(facts_.started, session().now());
    HD_TRY(const auto before, session().current_segment());
    site_.notes.info(
        fmt::format("execute non-exclusive backup start: backup begins after the {} "
                    "checkpoint completes",
                    order().start_fast ? "requested immediate" : "next regular"));
    HD_TRY(facts_.start, session().start(order().start_fast));
    site_.notes.info(fmt::format("backup start archive = {}, lsn = {}", facts_.start->segment,
                                 facts_.start->lsn.text()));
    HD_TRY(const auto content, read_control(facts_.origin->data));
    HD_TRY(const auto control, pg::ControlFile::parse(bytes_of(content)));
    if (control.checkpoint < facts_.start->lsn) {
        return fail_with(
            ExitCode::db_mismatch, Errc::conflict,
            fmt::format("the checkpoint in {}/global/pg_control is {}, before the "
                        "start of the backup at {}",
                        facts_.origin->data, control.checkpoint.text(), facts_.start->lsn.text()),
            "is pg-path the data directory of the server that was asked?");
    }
    HD_TRY_VOID(order().archive_check ? check_prior_segment(before) : Result<>{});
    return facts_.origin->standby ? wait_for_standby(site_, *facts_.origin, *facts_.start)
                                  : Result<>{};
}

/// Archiving must work before hours are spent on files.
Result<> Backup::check_prior_segment(const std::string& before) {
    auto checked = before;
    if (before == facts_.start->segment) {
        HD_TRY_VOID(session().switch_wal());
        site_.notes.info(fmt::format("check archive for segment {}", checked));
    } else {
        site_.notes.info(fmt::format("check archive for prior segment {}", checked));
    }
    return each([&](auto& part) { return part.await_segment(checked); });
}

Result<> Backup::list() {
    if (online()) {
        HD_TRY(facts_.tablespaces, session().tablespaces());
        HD_TRY(facts_.databases, session().databases());
    } else {
        facts_.started = std::time(nullptr);
    }
    HD_TRY_VOID(each([](auto& part) { return part.list(); }));
    return wait_for_next_second();
}

/// What changes from now on has another time than what was listed.
Result<> Backup::wait_for_next_second() {
    const auto listed = std::time(nullptr);
    facts_.copy_started = online() ? listed + 1 : listed;
    while (online() && std::time(nullptr) <= listed) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return {};
}

Result<> Backup::stop() {
    HD_TRY_VOID(facts_.origin->standby ? check_still_standby(*facts_.origin) : Result<>{});
    site_.notes.info("execute non-exclusive backup stop and wait for all WAL segments to archive");
    HD_TRY(facts_.end, session().stop());
    HD_TRY(facts_.stopped, session().now());
    const auto& place = facts_.end->place;
    site_.notes.info(
        fmt::format("backup stop archive = {}, lsn = {}", place.segment, place.lsn.text()));
    return {};
}

}  // namespace

Result<std::vector<std::uint32_t>> backup(Site& site) {
    HD_TRY_VOID(site.may_work());
    HD_TRY(const auto lock, site.lock(LockKind::backup));
    const ProgressInLock progress(site, lock);
    std::vector<Repository*> into;
    for (auto& repository : site.repositories) {
        into.push_back(&repository);
    }
    if (into.size() > 1 && !site.options.backup.all_repos) {
        into.resize(1);
        site.notes.info(
            fmt::format("repo option not specified, defaulting to {}", into.front()->name()));
    }
    return Backup(site, into).run();
}

}  // namespace howdah::backup
