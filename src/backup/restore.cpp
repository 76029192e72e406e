#include "backup/restore.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>

#include "backup/backup_choice.h"
#include "backup/file_restore.h"
#include "backup/local_file.h"
#include "backup/recovery_settings.h"
#include "backup/restore_folder.h"
#include "backup/restore_map.h"
#include "backup/stanza.h"
#include "io/files.h"
#include "pg/control_file.h"
#include "repo/paths.h"

namespace howdah::backup {
namespace {

namespace fs = std::filesystem;

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

Result<Chosen> choose(std::vector<Repository>& repositories, const RestoreOrder& order) {
    HD_TRY(const auto what, wanted(order.options));
    for (auto& repository : repositories) {
        auto info = repository.backup_info(order.stanza);
        if (!info && info.error().code == Errc::not_found && repositories.size() > 1) {
            continue;
        }
        if (!info) {
            return std::unexpected(std::move(info).error().within(repository.name()));
        }
        HD_TRY(const auto label, choose_backup(*info, what));
        if (label) {
            HD_TRY(auto manifest, repository.manifest(order.stanza, *label));
            return Chosen{.repository = &repository, .manifest = std::move(manifest)};
        }
    }
    return fail(Errc::not_found,
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
                    return fail(Errc::invalid,
                                fmt::format("system database '{}' is always restored", wanted));
                }
                into.insert(database.oid);
                return {};
            }
        }
        return fail(Errc::invalid, fmt::format("the backup has no database '{}'", wanted));
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
    Restore(const RestoreOrder& order, const RestoreNotes& notes, Chosen chosen, RestoreMap map)
        : order_(order),
          notes_(notes),
          chosen_(std::move(chosen)),
          map_(std::move(map)),
          from_{.repository = *chosen_.repository,
                .stanza = order.stanza,
                .header = chosen_.manifest.header} {}

    Result<> run() {
        HD_TRY(zeroed_, left_out(header(), order_.options));
        HD_TRY_VOID(prepare_recovery());
        HD_TRY_VOID(check_target());
        say_what();
        HD_TRY_VOID(clean_folders(map_, chosen_.manifest, recovery_.type == "preserve"));
        HD_TRY_VOID(make_folders(map_, header()));
        HD_TRY_VOID(keep_manifest());
        HD_TRY_VOID(restore_files());
        HD_TRY_VOID(write_recovery());
        HD_TRY_VOID(make_durable(map_));
        HD_TRY_VOID(restore_control());
        return finish();
    }

private:
    const repo::ManifestHeader& header() const { return chosen_.manifest.header; }
    const std::string& data() const { return map_.data_directory(); }

    Result<> prepare_recovery() {
        const auto& options = order_.options;
        const auto type = !options.type.empty()     ? options.type
                          : header().options.online ? std::string("default")
                                                    : std::string("none");
        recovery_ = {.type = type,
                     .target = options.target,
                     .target_action = options.target_action,
                     .target_timeline = options.target_timeline,
                     .target_exclusive = options.target_exclusive,
                     .archive_mode_off = options.archive_mode == "off",
                     .restore_command = order_.restore_command,
                     .options = options.recovery_options,
                     .written_at = local_time(std::time(nullptr))};
        return check_recovery(recovery_);
    }

    Result<> check_target() {
        std::error_code error;
        if (fs::exists(data() + "/postmaster.pid", error)) {
            return fail(
                Errc::conflict,
                fmt::format("unable to restore while PostgreSQL is running in {}", data()),
                "stop it; if it does not run, postmaster.pid is left of a crash: remove it");
        }
        keep_ = order_.options.delta || order_.force;
        if (keep_ && !fs::exists(data() + "/PG_VERSION", error) &&
            !fs::exists(data() + "/backup.manifest", error)) {
            notes_.warn(
                fmt::format("--delta or --force specified but {} holds neither PG_VERSION "
                            "nor backup.manifest: both are switched off",
                            data()));
            keep_ = false;
        }
        const auto there = keep_ ? cluster_facts(data()) : fail(Errc::not_found, "");
        if (there && there->system_id != header().cluster.system_id && !order_.force) {
            return fail(Errc::unsafe,
                        fmt::format("{} is of the cluster with system identifier {}, the backup of "
                                    "{}",
                                    data(), there->system_id, header().cluster.system_id),
                        "--force restores over it");
        }
        return check_folders(map_, keep_);
    }

    void say_what() {
        for (std::size_t i = 0; i < chosen_.manifest.files.size(); ++i) {
            total_ += chosen_.manifest.files.at(i).size;
        }
        notes_.info(fmt::format("{}: restore backup set {}, recovery will start at {}",
                                from_.repository.name(), header().label.text(),
                                local_time(header().started)));
        for (const auto& link : map_.plain_links()) {
            notes_.warn(
                fmt::format("link '{}' is restored as a plain file or folder; --link-all "
                            "or --link-map keeps it",
                            link));
        }
    }

    /// While it is there, a restore that was broken off can go on with --delta.
    Result<> keep_manifest() {
        HD_TRY(const auto info, from_.repository.backup_info(order_.stanza));
        HD_TRY(const auto sink, create_local(data() + "/backup.manifest"));
        const auto path = repo::manifest_path(order_.stanza, header().label);
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
        std::atomic<std::size_t> next = 0;
        std::mutex mutex;
        std::optional<Error> error;
        const auto work = [&] {
            for (auto at = next++; at < jobs.size(); at = next++) {
                if (auto done = restore_one(files.at(jobs[at].second)); !done) {
                    next = jobs.size();
                    const std::scoped_lock lock(mutex);
                    error = error ? error : std::optional(std::move(done).error());
                }
            }
        };
        {
            std::vector<std::jthread> workers;
            for (std::uint32_t i = 1; i < order_.process_max; ++i) {
                workers.emplace_back(work);
            }
            work();
        }
        return error ? std::unexpected(*std::move(error)) : Result<>{};
    }

    Result<> restore_one(const repo::ManifestFile& file) {
        if (is_left_out(file.name)) {
            return {};
        }
        const auto path = map_.path_of(file.name);
        HD_TRY(const auto there, keep_ ? holds_content(file, path) : Result<bool>(false));
        if (!there) {
            const auto zeros =
                zeroed_.contains(database_of(file.name)) && !file.name.ends_with("/PG_VERSION");
            HD_TRY_VOID(zeros ? restore_as_zeros(file, path) : restore_file(from_, file, path));
        }
        HD_TRY_VOID(dress(file, path));
        if (notes_.progress) {
            notes_.progress(done_ += file.size, total_);
        }
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
        notes_.info(
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
        std::error_code error;
        fs::remove(temporary, error);
        HD_TRY_VOID(io::write_file_atomically(path, content));
        return dress(file, path);
    }

    Result<> finish() const {
        std::error_code error;
        fs::remove(data() + "/backup.manifest", error);
        notes_.info(fmt::format("restore size = {} bytes, file total = {}", total_,
                                chosen_.manifest.files.size()));
        return {};
    }

    const RestoreOrder& order_;
    const RestoreNotes& notes_;
    Chosen chosen_;
    RestoreMap map_;
    BackupSource from_;
    Recovery recovery_{};
    std::set<std::uint32_t> zeroed_{};
    bool keep_ = false;
    std::uint64_t total_ = 0;
    std::atomic<std::uint64_t> done_ = 0;
};

}  // namespace

Result<> restore(std::vector<Repository>& repositories, const RestoreOrder& order,
                 const RestoreNotes& notes) {
    HD_TRY(auto chosen, choose(repositories, order));
    HD_TRY(auto map, RestoreMap::make(chosen.manifest.header, order.data_directory, order.options));
    return Restore(order, notes, std::move(chosen), std::move(map)).run();
}

}  // namespace howdah::backup
