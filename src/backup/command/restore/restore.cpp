#include "backup/command/restore/restore.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <optional>
#include <set>

#include "backup/cluster_facts.h"
#include "backup/command/restore/backup_choice.h"
#include "backup/command/restore/file_restore.h"
#include "backup/command/restore/recovery_settings.h"
#include "backup/command/restore/restore_folder.h"
#include "backup/command/restore/restore_map.h"
#include "backup/local_file.h"
#include "backup/options/exit_code.h"
#include "io/files.h"
#include "pg/control_file.h"
#include "pg/quote.h"
#include "repo/paths.h"

namespace howdah::backup {
namespace {

constexpr std::string_view control_name = "pg_data/global/pg_control";
constexpr std::uint32_t first_user_oid = 16384;

std::string local_time(std::int64_t seconds) {
    return fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::localtime(static_cast<std::time_t>(seconds)));
}

/// The backup that is put back, and where it is.
struct Chosen {
    Repository* repository = nullptr;
    repo::Manifest manifest{};
};

Result<Wanted> wanted(const RestoreOptions& options) {
    Wanted out{.set = options.set};
    if (options.type == "time") {
        HD_TRY(out.ended_before, target_seconds(options.target));
    } else if (options.type == "lsn") {
        HD_TRY(out.ended_at, pg::Lsn::parse(options.target));
    }
    return out;
}

Result<Chosen> choose(Site& site) {
    HD_TRY(const auto what, wanted(site.options.restore));
    std::optional<Error> not_asked;
    for (auto& repository : site.repositories) {
        auto info = repository.backup_info(site.stanza());
        if (!info) {
            not_asked = std::move(info).error().within(repository.name());
            if (site.repositories.size() > 1) {
                site.notes.warn(not_asked->message);
            }
            continue;
        }
        HD_TRY(const auto label, choose_backup(*info, what));
        if (label) {
            HD_TRY(auto manifest, repository.manifest(site.stanza(), *label));
            return Chosen{.repository = &repository, .manifest = std::move(manifest)};
        }
    }
    // It may be in the one that could not be looked into.
    if (not_asked && (site.repositories.size() == 1 || not_asked->code != Errc::not_found)) {
        return std::unexpected(not_asked->code == Errc::not_found
                                   ? ending_with(ExitCode::backup_set_invalid, *not_asked)
                                   : *not_asked);
    }
    return fail_with(ExitCode::backup_set_invalid, Errc::not_found,
                     what.set == "latest"
                         ? std::string("no backup set found to restore that fits the target")
                         : fmt::format("backup set {} is not in any repository", what.set),
                     "info lists the backups");
}

/// Databases whose files are made of zeros (--db-include, --db-exclude).
Result<std::set<std::uint32_t>> left_out(const repo::ManifestHeader& header,
                                         const RestoreOptions& options) {
    std::set<std::uint32_t> all, included, excluded;
    const auto find = [&](const std::string& wanted, std::set<std::uint32_t>& into) -> Result<> {
        for (const auto& database : header.databases) {
            if (database.name == wanted || std::to_string(database.oid) == wanted) {
                if (database.oid < first_user_oid) {
                    return fail_with(
                        ExitCode::db_invalid, Errc::invalid,
                        fmt::format("system database '{}' is always restored", wanted));
                }
                into.insert(database.oid);
                return {};
            }
        }
        return fail_with(ExitCode::db_missing, Errc::invalid,
                         fmt::format("the backup has no database '{}'", wanted));
    };
    for (const auto& each : options.db_include) {
        HD_TRY_VOID(find(each, included));
    }
    for (const auto& each : options.db_exclude) {
        HD_TRY_VOID(find(each, excluded));
    }
    for (const auto& database : header.databases) {
        const auto kept = options.db_include.empty() || included.contains(database.oid);
        if (database.oid >= first_user_oid && database.name != "postgres" &&
            !database.name.starts_with("template") && (!kept || excluded.contains(database.oid))) {
            all.insert(database.oid);
        }
    }
    return all;
}

/// The database that a file belongs to; 0 for others. "pg_data/base/5/1249" or
/// "pg_tblspc/16389/PG_15_202209061/5/1249".
std::uint32_t database_of(std::string_view name) {
    const auto in_tablespace = name.starts_with("pg_tblspc/");
    if (!in_tablespace && !name.starts_with("pg_data/base/")) {
        return 0;
    }
    for (auto parts = in_tablespace ? 3 : 2; parts > 0; --parts) {
        name.remove_prefix(std::min(name.find('/'), name.size() - 1) + 1);
    }
    std::uint32_t oid = 0;
    for (; !name.empty() && name.front() >= '0' && name.front() <= '9'; name.remove_prefix(1)) {
        oid = oid * 10 + static_cast<std::uint32_t>(name.front() - '0');
    }
    return name.starts_with('/') ? oid : 0;
}

/// One restore, step by step.
class Restore {
public:
    Restore(const Site& site, Chosen chosen, RestoreMap map)
        : site_(site),
          chosen_(std::move(chosen)),
          map_(std::move(map)),
          from_{.repository = *chosen_.repository,
                .stanza = site.stanza(),
                .header = chosen_.manifest.header} {}

    Result<> run() {
        HD_TRY(zeroed_, left_out(header(), options()));
        HD_TRY_VOID(prepare_recovery());
        HD_TRY_VOID(check_target());
        HD_TRY(const auto lock, lock_folder(data()));
        HD_TRY_VOID(check_target());  // somebody else's restore may have ended meanwhile
        say_what();
        HD_TRY_VOID(disarm(data()));
        HD_TRY_VOID(keep_manifest());
        HD_TRY_VOID(clean_folders(map_, chosen_.manifest, recovery_.type == "preserve"));
        HD_TRY_VOID(make_folders(map_, header()));
        HD_TRY_VOID(restore_files());
        HD_TRY_VOID(write_recovery());
        HD_TRY_VOID(make_durable(map_));
        HD_TRY_VOID(restore_control());
        return finish();
    }

private:
    const RestoreOptions& options() const { return site_.options.restore; }
    const repo::ManifestHeader& header() const { return chosen_.manifest.header; }
    const std::string& data() const { return map_.data_directory(); }

    Result<> prepare_recovery() {
        const auto& order = options();
        const auto type = !order.type.empty()       ? order.type
                          : header().options.online ? std::string("default")
                                                    : std::string("none");
        recovery_ = {.type = type,
                     .target = order.target,
                     .target_action = order.target_action,
                     .target_timeline = order.target_timeline,
                     .target_exclusive = order.target_exclusive,
                     .archive_mode_off = order.archive_mode == "off",
                     .restore_command = restore_command(site_.options, site_.program),
                     .options = order.recovery_options,
                     .written_at = local_time(std::time(nullptr))};
        return check_recovery(recovery_);
    }

    Result<> check_target() {
        HD_TRY(const auto runs, is_there(data() + "/postmaster.pid"));
        if (runs) {
            return fail_with(
                ExitCode::pg_running, Errc::conflict,
                fmt::format("unable to restore while PostgreSQL is running in {}", data()),
                "stop it; if it does not run, postmaster.pid is left of a crash: remove it");
        }
        if (const auto process = server_in(data()); process != 0) {
            return fail_with(ExitCode::pg_running, Errc::conflict,
                             fmt::format("unable to restore while PostgreSQL is running in {}: it "
                                         "is process {}, though postmaster.pid is gone",
                                         data(), process),
                             "stop it");
        }
        HD_TRY(keep_, may_keep());
        const auto there = keep_ ? cluster_facts(data()) : fail(Errc::not_found, "");
        if (there && there->system_id != header().cluster.system_id && !site_.options.force) {
            return fail(Errc::unsafe,
                        fmt::format("{} is of the cluster with system identifier {}, the backup of "
                                    "{}",
                                    data(), there->system_id, header().cluster.system_id),
                        "--force restores over it");
        }
        return check_places(map_, keep_);
    }

    /// --delta and --force are for what is a data directory, or was to become one.
    Result<bool> may_keep() {
        if (!options().delta && !site_.options.force) {
            return false;
        }
        HD_TRY(const auto is_one, is_there(data() + "/PG_VERSION"));
        HD_TRY(const auto half_made, is_there(data() + "/backup.manifest"));
        if (!is_one && !half_made && !warned_) {
            site_.notes.warn(
                fmt::format("--delta or --force specified but {} holds neither PG_VERSION "
                            "nor backup.manifest: both are switched off",
                            data()));
            warned_ = true;
        }
        return is_one || half_made;
    }

    void say_what() {
        for (std::size_t i = 0; i < chosen_.manifest.files.size(); ++i) {
            total_ += chosen_.manifest.files.at(i).size;
        }
        site_.notes.info(fmt::format("{}: restore backup set {}, recovery will start at {}",
                                     from_.repository.name(), header().label.text(),
                                     local_time(header().started)));
        for (const auto& link : map_.plain_links()) {
            site_.notes.warn(
                fmt::format("link '{}' is restored as a plain file or folder; --link-all "
                            "or --link-map keeps it",
                            link));
        }
    }

    /// While it is there, a restore that was broken off can go on with --delta.
    Result<> keep_manifest() {
        HD_TRY(const auto info, from_.repository.backup_info(site_.stanza()));
        HD_TRY(const auto sink, create_local(data() + "/backup.manifest"));
        const auto path = repo::manifest_path(site_.stanza(), header().label);
        HD_TRY_VOID(from_.repository.get(path, sink.get(), {.cipher_pass = info.cipher_pass}));
        return sink->finish();
    }

    bool is_left_out(std::string_view name) const {
        return name == control_name || name == "pg_data/tablespace_map" ||
               (recovery_.type == "preserve" && name == "pg_data/postgresql.auto.conf");
    }

    Result<> restore_files() {
        const auto& files = chosen_.manifest.files;
        std::vector<std::pair<std::uint64_t, std::size_t>> jobs;
        for (std::size_t i = 0; i < files.size(); ++i) {
            jobs.emplace_back(files.at(i).size, i);
        }
        // The largest first, so that the last worker is not left with a big one.
        std::ranges::sort(jobs, std::greater<>());
        return site_.in_parallel(
            jobs.size(), [&](std::size_t at) { return restore_one(files.at(jobs[at].second)); });
    }

    Result<> restore_one(const repo::ManifestFile& file) {
        if (is_left_out(file.name)) {
            return {};
        }
        const auto path = map_.path_of(file.name);
        HD_TRY(const auto there, keep_ ? holds_content(file, path) : Result<bool>(false));
        if (!there) {
            HD_TRY_VOID(keep_ ? remove_local(path) : Result<>{});
            const auto zeros =
                zeroed_.contains(database_of(file.name)) && !file.name.ends_with("/PG_VERSION");
            HD_TRY_VOID(zeros ? restore_as_zeros(file, path) : restore_file(from_, file, path));
        }
        HD_TRY_VOID(dress(file, path));
        site_.notes.progress({.what = "restoring", .done = done_ += file.size, .total = total_});
        return {};
    }

    /// Mode, owner and time.
    Result<> dress(const repo::ManifestFile& file, const std::string& path) const {
        const auto& defaults = header().defaults;
        HD_TRY_VOID(
            set_ownership(path, {.mode = file.mode.value_or(defaults.file_mode),
                                 .user = std::string(file.user.value_or(defaults.user)),
                                 .group = std::string(file.group.value_or(defaults.group))}));
        const std::array<timespec, 2> times{timespec{.tv_sec = file.modified, .tv_nsec = 0},
                                            timespec{.tv_sec = file.modified, .tv_nsec = 0}};
        if (utimensat(AT_FDCWD, path.c_str(), times.data(), 0) != 0) {
            return io::fail_errno(fmt::format("set the time of {}", path));
        }
        return {};
    }

    Result<> write_own(const std::string& path, std::string_view text) const {
        HD_TRY(const auto sink, create_local(path));
        HD_TRY_VOID(sink->write(bytes_of(text)));
        HD_TRY_VOID(sink->finish());
        const auto& defaults = header().defaults;
        return set_ownership(
            path, {.mode = defaults.file_mode, .user = defaults.user, .group = defaults.group});
    }

    Result<> write_recovery() const {
        if (recovery_.type == "preserve") {
            return {};
        }
        const auto& version = header().cluster.version;
        if (version.contains('.') || std::stoi(version) < 12) {
            return recovery_.type == "none"
                       ? Result<>{}
                       : write_own(data() + "/recovery.conf", recovery_conf(recovery_));
        }
        const auto path = data() + "/postgresql.auto.conf";
        auto before = io::read_file(path);
        if (!before && before.error().code != Errc::not_found) {
            return std::unexpected(std::move(before).error());
        }
        HD_TRY_VOID(write_own(path, auto_conf(before.value_or(""), recovery_)));
        const auto signal = signal_file(recovery_);
        return signal.empty() ? Result<>{} : write_own(fmt::format("{}/{}", data(), signal), "");
    }

    Result<> restore_control() const {
        const auto& files = chosen_.manifest.files;
        const auto at = files.find(control_name);
        if (!at) {
            return fail(Errc::corrupt,
                        fmt::format("backup {} has no global/pg_control", header().label.text()));
        }
        site_.notes.info(
            "restore global/pg_control (performed last to ensure aborted restores cannot "
            "be started)");
        const auto file = files.at(*at);
        const auto path = map_.path_of(control_name);
        const auto temporary = path + ".pgbackrest.tmp";
        HD_TRY_VOID(restore_file(from_, file, temporary));
        HD_TRY(auto content, io::read_file(temporary));
        if (header().options.online) {
            const auto bytes = std::as_writable_bytes(std::span(content.data(), content.size()));
            HD_TRY_VOID(pg::invalidate_checkpoint(bytes));
        }
        HD_TRY_VOID(remove_local(temporary));
        HD_TRY_VOID(io::write_file_atomically(path, content));
        return dress(file, path);
    }

    Result<> finish() const {
        HD_TRY_VOID(remove_local(data() + "/backup.manifest"));
        site_.notes.info(fmt::format("restore size = {} bytes, file total = {}", total_,
                                     chosen_.manifest.files.size()));
        return {};
    }

    const Site& site_;
    Chosen chosen_;
    RestoreMap map_;
    BackupSource from_;
    Recovery recovery_{};
    std::set<std::uint32_t> zeroed_{};
    bool keep_ = false, warned_ = false;
    std::uint64_t total_ = 0;
    std::atomic<std::uint64_t> done_ = 0;
};

}  // namespace

std::string restore_command(const Options& options, const std::string& program) {
    const auto& command = options.restore.command;  // may have words of its own
    auto text = (command.empty() ? pg::quote_command_word(program) : command) + " archive-get";
    for (const auto& word : options.words_to_repeat) {
        text += " " + pg::quote_command_word(word);
    }
    return text + " %f \"%p\"";
}

Result<> restore(Site& site) {
    HD_TRY_VOID(site.needs_stanza());
    const auto& order = site.options.restore;
    if (!order.type.empty()) {
        HD_TRY_VOID(check_recovery({.type = order.type,
                                    .target = order.target,
                                    .target_exclusive = order.target_exclusive}));
    }
    HD_TRY(const auto data, site.data_directory());
    HD_TRY(auto chosen, choose(site));
    HD_TRY(auto map, RestoreMap::make(chosen.manifest, data, site.options.restore));
    return Restore(site, std::move(chosen), std::move(map)).run();
}

}  // namespace howdah::backup
