#include "cli/backup/verbs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>

#include "backup/command/annotate.h"
#include "backup/command/archive/archive_get.h"
#include "backup/command/archive/archive_push.h"
#include "backup/command/archive/get_file.h"
#include "backup/command/archive/pusher_socket.h"
#include "backup/command/backup/backup.h"
#include "backup/command/backup/check.h"
#include "backup/command/copy/repo_copy.h"
#include "backup/command/expire.h"
#include "backup/command/info.h"
#include "backup/command/proof/trial_restore.h"
#include "backup/command/repo_files.h"
#include "backup/command/restore/restore.h"
#include "backup/command/stanza.h"
#include "backup/command/stanza_change.h"
#include "backup/command/verify.h"
#include "backup/jobs/job.h"
#include "backup/jobs/verbs_on_hosts.h"
#include "backup/option_sources.h"
#include "backup/options/option_table.h"
#include "backup/stop_file.h"
#include "base/version.h"
#include "cli/backup/as_job.h"
#include "cli/backup/console.h"
#include "cli/backup/end_on_signal.h"
#include "cli/backup/options_help.h"
#include "cli/backup/repository_hosts.h"
#include "io/files.h"

extern char** environ;

namespace howdah::cli {
namespace {

using backup::ExitCode;
using backup::Options;

std::string milliseconds_since(std::chrono::steady_clock::time_point begin) {
    const auto taken = std::chrono::steady_clock::now() - begin;
    return fmt::format("{}ms",
                       std::chrono::duration_cast<std::chrono::milliseconds>(taken).count());
}

/// Whether a verb's output is all that it shall say: no lines of begin and end.
bool is_quiet(const Options& options) {
    const auto& command = options.command;
    return command == "info" || runs_as_job() ||
           (command.starts_with("repo-") && command != "repo-copy");
}

/// First and last line of a command, and of the one that follows it, as pgBackRest logs them.
class Frame {
public:
    Frame(const Options& options, BackupConsole& console)
        : options_(options), console_(console), quiet_(is_quiet(options)) {}

    void begin(const std::string& command) {
        command_ = command;
        begin_ = std::chrono::steady_clock::now();
        std::vector<std::string> words;
        std::ranges::copy_if(options_.given, std::back_inserter(words),
                             [&](const std::string& word) { return is_of(command, word); });
        tell(fmt::format("begin {}: {}{}", version,
                         options_.arguments.empty()
                             ? std::string()
                             : fmt::format("[{}] ", fmt::join(options_.arguments, ", ")),
                         fmt::join(words, " ")));
    }
    void end() { tell("end: completed successfully (" + milliseconds_since(begin_) + ")"); }
    void abort(ExitCode code) {
        tell(fmt::format("end: aborted with exception [{:03}]", static_cast<int>(code)));
    }
    void ended_by(const char* signal) {
        tell(fmt::format("end: terminated on signal [{}]", signal));
    }

private:
    /// Whether the option in "--no-repo1-bundle" or "--repo1-path=/x" is one of the command's.
    bool is_of(const std::string& command, const std::string& word) const {
        if (command == options_.command) {
            return true;
        }
        const auto name = word.substr(2, word.find('=') - 2);
        auto key = backup::find_option(name);
        if (!key && name.starts_with("no-")) {
            key = backup::find_option(name.substr(3));
        }
        return key && backup::use_of(*key->facts, command) != backup::OptionUse::foreign;
    }
    void tell(const std::string& text) {
        if (!quiet_) {
            console_.info(fmt::format("{} command {}", command_, text));
        }
    }

    const Options& options_;
    BackupConsole& console_;
    bool quiet_;
    std::string command_{};
    std::chrono::steady_clock::time_point begin_{};
};

/// What one verb works with.
struct Work {
    backup::Site& site;
    BackupConsole& console;
    Frame& frame;
    bool as_pgbackrest = false;
    std::function<Result<>()> open_again{};  ///< the repositories, as they are reached by now
};

std::map<std::string, std::string> backup_environment() {
    std::map<std::string, std::string> found;
    for (char** each = environ; *each != nullptr; ++each) {
        const std::string_view entry = *each;
        const auto equals = entry.find('=');
        if (entry.starts_with("PGBACKREST_") && equals != std::string_view::npos) {
            found.emplace(entry.substr(0, equals), entry.substr(equals + 1));
        }
    }
    return found;
}

std::string own_path() {
    std::error_code none;
    return std::filesystem::read_symlink("/proc/self/exe", none).string();
}

/// Below the agent's state directory: where the agent said, when it started PostgreSQL, or where it
/// is unless its configuration moves it.
std::string pusher_socket(const Options& options) {
    if (const auto* told = std::getenv("HOWDAH_ARCHIVE_SOCKET")) {
        return told;
    }
    const auto cluster = options.cluster();
    return cluster ? fmt::format("{}.howdah/{}", cluster->path, backup::pusher_socket_name)
                   : std::string();
}

/// Words behind the command: as many as it needs, each with its name. Errors:
/// ExitCode::param_required.
Result<> needs_arguments(const Options& options, std::initializer_list<std::string_view> names) {
    return options.arguments.size() == names.size()
               ? Result<>{}
               : fail_with(ExitCode::param_required, Errc::invalid,
                           fmt::format("{} needs {}", options.command, fmt::join(names, " and ")));
}

/// Of a command that takes none or one. Errors: ExitCode::param_invalid.
Result<> allows_arguments(const Options& options, std::size_t most) {
    return options.arguments.size() <= most
               ? Result<>{}
               : fail_with(ExitCode::param_invalid, Errc::invalid,
                           fmt::format("{} takes {}, not '{}'", options.command,
                                       most == 0 ? "no words behind it" : "one path",
                                       fmt::join(options.arguments, " ")));
}

Result<int> stanza_create(Work& work) {
    HD_TRY_VOID(backup::stanza_create(work.site));
    return 0;
}

Result<int> archive_push(Work& work) {
    if (work.site.options.in_background) {
        HD_TRY_VOID(backup::archive_push_in_background(work.site));
        return 0;
    }
    HD_TRY_VOID(needs_arguments(work.site.options, {"the path of a WAL file (%p)"}));
    HD_TRY_VOID(backup::archive_push(work.site, work.site.options.arguments[0]));
    return 0;
}

/// Whether another look, a moment later, may find what this one could not reach.
bool may_pass(const Error& error) {
    return error.code == Errc::unavailable || error.code == Errc::timeout ||
           error.code == Errc::io || error.code == Errc::not_found;
}

/// Whether the server that asks is a standby. That one never takes an error for the end of the WAL
/// but goes on by streaming: it must neither wait for an archive that is down nor stop because of
/// it. PostgreSQL runs restore_command in its data directory.
bool asked_by_standby() {
    return access("standby.signal", F_OK) == 0;
}

/// Exit code 1: it is not there, as every repository says. An error has another one: PostgreSQL
/// takes all from 1 to 125 for the end of the WAL, and would go on without the rest of it. So this
/// looks again until archive-timeout, and ends then with a code that stops recovery, under
/// whichever name it was called; not so for a standby.
Result<int> archive_get(Work& work) {
    if (work.site.options.in_background) {
        HD_TRY_VOID(backup::archive_get_in_background(work.site));
        return 0;
    }
    const auto& options = work.site.options;
    HD_TRY_VOID(
        needs_arguments(options, {"the name of a WAL file (%f)", "a path to write to (%p)"}));
    const auto deadline = std::chrono::steady_clock::now() + options.backup.archive_timeout;
    // One whose PostgreSQL has gone must not write where the next one lets fetch.
    const auto asked_by = getppid();
    for (auto pause = Millis(100);; pause = std::min<Millis>(pause * 2, Millis(2000))) {
        const auto ends_early = asked_by_standby();
        auto found = backup::archive_get(work.site, options.arguments[0], options.arguments[1]);
        if (found && !*found && !ends_early) {
            const auto end = backup::is_end_of_wal(work.site, options.arguments[0]);
            found = end ? found : std::unexpected(end.error());
        }
        if (found) {
            return *found ? 0 : 1;
        }
        if (ends_early || !may_pass(found.error()) ||
            std::chrono::steady_clock::now() + pause > deadline) {
            return std::unexpected(found.error());
        }
        work.console.warn(found.error().message + "; trying again");
        std::this_thread::sleep_for(pause);
        if (getppid() != asked_by) {
            return std::unexpected(found.error());
        }
        HD_TRY_VOID(work.open_again());
    }
}

EndOnSignal ending_on_signal(Work& work) {
    return EndOnSignal([&work](const char* signal) { work.frame.ended_by(signal); });
}

/// What `backup` does at its end.
Result<int> expire_behind(Work& work) {
    if (work.site.options.backup.expire_auto) {
        work.frame.end();
        work.frame.begin("expire");
        HD_TRY_VOID(backup::expire(work.site));
    }
    return 0;
}

Result<int> take_backup(Work& work) {
    const EndOnSignal end = ending_on_signal(work);
    HD_TRY(const auto into, backup::backup(work.site));
    std::erase_if(work.site.repositories, [&](const backup::Repository& each) {
        return std::ranges::find(into, each.index()) == into.end();
    });
    return expire_behind(work);
}

Result<int> expire(Work& work) {
    const EndOnSignal end = ending_on_signal(work);
    HD_TRY_VOID(backup::expire(work.site));
    return 0;
}

Result<int> check(Work& work) {
    HD_TRY_VOID(backup::check(work.site));
    return 0;
}

Result<int> stanza_upgrade(Work& work) {
    HD_TRY_VOID(backup::stanza_upgrade(work.site));
    return 0;
}

Result<int> stanza_delete(Work& work) {
    HD_TRY_VOID(backup::stanza_delete(work.site));
    return 0;
}

Result<int> annotate(Work& work) {
    HD_TRY_VOID(backup::annotate(work.site));
    return 0;
}

Result<int> repo_copy(Work& work) {
    HD_TRY_VOID(backup::repo_copy(work.site));
    return 0;
}

Result<int> restore(Work& work) {
    const EndOnSignal end = ending_on_signal(work);
    HD_TRY_VOID(backup::restore(work.site));
    return 0;
}

Result<int> info(Work& work) {
    HD_TRY(const auto stanzas, backup::info(work.site));
    fmt::print("{}", work.site.options.output == "json" ? backup::info_json(stanzas)
                                                        : backup::info_text(stanzas));
    return 0;
}

/// Exit code 1: the backup is not good.
Result<int> restore_test(Work& work) {
    std::mutex mutex;
    std::string folder;
    const EndOnSignal end([&](const char* signal) {
        work.console.info(
            fmt::format("restore-test command end: terminated on signal [{}]", signal));
        const std::scoped_lock lock(mutex);
        backup::clear_away(folder);
    });
    HD_TRY(const auto found, backup::restore_test(work.site, [&](const std::string& made) {
               const std::scoped_lock lock(mutex);
               folder = made;
           }));
    work.console.clear();
    const auto& stanza = work.site.stanza();
    fmt::print("{}\n", work.site.options.output == "json"
                           ? backup::restore_test_json(stanza, found)
                           : backup::restore_test_text(stanza, found));
    return found.good() ? 0 : 1;
}

void warn_of(BackupConsole& console, const backup::Verified& found) {
    const auto warn_of_files = [&](const std::vector<backup::Damage>& damage) {
        for (const auto& each : damage) {
            console.warn(fmt::format("{}: {}", each.path, each.why));
        }
    };
    for (const auto& archive : found.archives) {
        warn_of_files(archive.damage);
        for (std::size_t i = 1; i < archive.stretches.size(); ++i) {
            const auto& last = archive.stretches[i - 1].last;
            const auto& next = archive.stretches[i].first;
            if (last.substr(0, 8) == next.substr(0, 8)) {
                console.warn(
                    fmt::format("{} has no WAL between {} and {}: what was backed up before "
                                "cannot be recovered to a later time",
                                archive.id, last, next));
            }
        }
    }
    for (const auto& each : found.backups) {
        warn_of_files(each.damage);
        if (each.state == repo::BackupState::wal_missing) {
            console.warn(
                fmt::format("{} cannot be made consistent: WAL segment {} is missing or damaged",
                            each.label.text(), each.missing_wal));
        }
    }
}

/// Exit code 1 on damage; under the name pgbackrest 0, as that program has it.
Result<int> verify(Work& work) {
    const EndOnSignal end = ending_on_signal(work);
    auto& site = work.site;
    bool good = true;
    for (auto& repository : site.repositories) {
        const auto found = backup::verify(site, repository);
        work.console.clear();
        if (!found) {
            return std::unexpected(Error(found.error()).within(repository.name()));
        }
        fmt::print("{}\n", site.options.output == "json"
                               ? backup::verify_json(site.stanza(), *found)
                               : backup::verify_text(site.stanza(), *found));
        warn_of(work.console, *found);
        good = good && found->all_good();
    }
    return good || work.as_pgbackrest ? 0 : 1;
}

/// The path that a repo- command is about; without one the root.
Result<std::string> path_of(Work& work) {
    const auto& arguments = work.site.options.arguments;
    return arguments.empty() ? Result<std::string>(std::string())
                             : backup::path_in(work.site.repositories.front(), arguments.front());
}

Result<int> repo_ls(Work& work) {
    const auto& options = work.site.options;
    HD_TRY_VOID(allows_arguments(options, 1));
    HD_TRY(const auto path, path_of(work));
    HD_TRY(const auto found,
           backup::list_files(work.site.repositories.front(), path, options.files));
    fmt::print("{}", options.output == "json" ? backup::list_json(found) + "\n"
                                              : backup::list_text(found));
    return 0;
}

Result<int> repo_rm(Work& work) {
    HD_TRY_VOID(allows_arguments(work.site.options, 1));
    HD_TRY(const auto path, path_of(work));
    HD_TRY_VOID(backup::remove_files(work.site.repositories.front(), path,
                                     work.site.options.files.recurse));
    return 0;
}

class ToStandardOutput final : public files::Sink {
public:
    Result<> write(Bytes bytes) override {
        return std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size()
                   ? Result<>{}
                   : io::fail_errno("write to standard output");
    }
    Result<> finish() override {
        return std::fflush(stdout) == 0 ? Result<>{} : io::fail_errno("write to standard output");
    }
};

class FromStandardInput final : public files::Source {
public:
    Result<std::size_t> read(MutableBytes out) override {
        const auto got = std::fread(out.data(), 1, out.size(), stdin);
        return std::ferror(stdin) != 0 ? io::fail_errno("read standard input")
                                       : Result<std::size_t>(got);
    }
};

/// Exit code 1: it is not there, where that was asked for.
Result<int> repo_get(Work& work) {
    const auto& options = work.site.options;
    HD_TRY_VOID(needs_arguments(options, {"the path of a file in the repository"}));
    HD_TRY(const auto path, path_of(work));
    ToStandardOutput out;
    const auto got = backup::get_file(work.site.repositories.front(), path, options.files.raw, out);
    if (!got && got.error().code == Errc::not_found && options.files.ignore_missing) {
        return 1;
    }
    return got ? Result<int>(0) : std::unexpected(got.error());
}

Result<int> repo_put(Work& work) {
    const auto& options = work.site.options;
    HD_TRY_VOID(needs_arguments(options, {"the path of a file in the repository"}));
    HD_TRY(const auto path, path_of(work));
    FromStandardInput in;
    HD_TRY_VOID(backup::put_file(work.site.repositories.front(), path, options.files.raw, in));
    return 0;
}

Result<int> stop(Work& work) {
    const auto& options = work.site.options;
    HD_TRY(const auto done, backup::stop(options.lock_path, options.stanza));
    if (!done) {
        work.console.warn("stop file already exists");
    }
    if (options.force) {
        HD_TRY(const auto ended, backup::end_lock_holders(options.lock_path, options.stanza));
        for (const auto pid : ended) {
            work.console.info(fmt::format("sent term signal to process {}", pid));
        }
    }
    return 0;
}

Result<int> start(Work& work) {
    HD_TRY(const auto done, backup::start(work.site.options.lock_path, work.site.stanza()));
    if (!done) {
        work.console.warn("stop file does not exist");
    }
    return 0;
}

/// Of archive-get, when it could not look; pgBackRest's own number is in the log. PostgreSQL takes
/// more than 125 for a reason to stop recovery. Source: PostgreSQL docs, 26.3.4 and 20.5.5.
constexpr int ends_recovery = 200;

constexpr std::string_view backup_help =
    R"(  --stanza=NAME                   Of which cluster; its data directory is pg1-path
  --type=full|diff|incr           Default: incr
  --repo=N                        Into which repository; default: the first
  --all-repos                     Into every repository; one that fails stops no other
  --start-fast                    Begin with a checkpoint at once
  --process-max=N                 Threads that copy; default: 1
  --compress-type=gz|lz4|zst|bz2|none, --compress-level=N
  --repo1-bundle, --repo1-block   Small files together; only changed blocks of large ones
  --repo1-hardlink                Complete folders of diff and incr backups
  --backup-standby=y|prefer|n     Copy from a standby on this host (pg2-path, pg2-port)
  --no-archive-check, --archive-copy, --archive-timeout=TIME
  --no-checksum-page, --delta, --no-resume, --exclude=PATH, --annotation=KEY=VALUE
  --no-online [--force]           Of a cluster that does not run
)";

constexpr std::string_view archive_push_help =
    R"(  archive_command = 'howdah --stanza=NAME archive-push %p'
  Success: the file is in every repository, durably. An agent on this host pushes it, and ahead what
  is ready, as many as process-max at once; else, with archive-async=y, a process in the background;
  else this one, which also goes on where those fail.
  --archive-push-queue-max=SIZE   Drop WAL, and say so, when more than this waits
)";

constexpr std::string_view archive_get_help =
    R"(  restore_command = 'howdah --stanza=NAME archive-get %f "%p"'
  Exit code 1: every repository was asked, and none has it. With archive-async=y segments come from
  a queue that a process in the background fills ahead, up to archive-get-queue-max.
)";

constexpr std::string_view repo_copy_help =
    R"(  --stanza=NAME                   Whose backup
  --to-repo=N                     Into which repository
  --repo=N                        From which; default: the first
  --set=LABEL                     Which backup; default: the newest. Those it builds on come along
  --compress-type=gz|lz4|zst|bz2|none, --compress-level=N, --process-max=N
  --rate-limit=SIZE               Stored bytes a second, of each repository: 50MiB
  --dry-run                       Only tell what would be copied
)";

constexpr std::string_view restore_test_help =
    R"(  --stanza=NAME                   Whose backup
  --set=LABEL, --repo=N           Which one; default: the newest of the first repository
  --scratch-path=FOLDER           Where there is room for the whole cluster; default: /tmp
  --process-max=N, --rate-limit=SIZE, --output=json
Exit code: 0 the backup is good, 1 it is not, others: the test was not made
)";

struct Verb {
    BackupVerb verb{};
    std::function<Result<int>(Work&)> run{};
    bool takes_words = false;
};

const std::vector<Verb>& all_verbs() {
    static const std::vector<Verb> verbs{
        {{"stanza-create", "Make a stanza for a cluster in every repository"}, stanza_create},
        {{"stanza-upgrade", "Go on with another cluster, after pg_upgrade"}, stanza_upgrade},
        {{"stanza-delete", "Delete a stopped stanza with all its backups and WAL"}, stanza_delete},
        {{"check", "Prove that a WAL segment arrives in every repository"}, check},
        {{"archive-push", "Archive a WAL file: archive_command", std::string(archive_push_help)},
         archive_push,
         true},
        {{"archive-get", "Fetch a WAL file from the archive: restore_command",
          std::string(archive_get_help)},
         archive_get,
         true},
        {{"backup", "Take a full, differential or incremental backup", std::string(backup_help)},
         take_backup},
        {{"expire", "Remove the backups and WAL that retention lets go"}, expire},
        {{"annotate", "Set or remove notes of a backup"}, annotate},
        {{"restore", "Put a backup back into the data directory"}, restore},
        {{"restore-test", "Prove that a backup restores: into a scratch folder, recovered, checked",
          std::string(restore_test_help)},
         restore_test},
        {{"info", "Show stanzas, their backups and their WAL"}, info},
        {{"verify", "Read every backup and WAL segment, and check every sum"}, verify},
        {{"repo-copy", "Copy a backup with its WAL into another repository",
          std::string(repo_copy_help)},
         repo_copy},
        {{"repo-ls", "List a folder of the repository"}, repo_ls, true},
        {{"repo-get", "Print a file of the repository, decrypted"}, repo_get, true},
        {{"repo-put", "", {}, true}, repo_put, true},
        {{"repo-rm", "", {}, true}, repo_rm, true},
        {{"stop", "Let no work begin on a stanza, or on all"}, stop},
        {{"start", "Let work begin again"}, start},
    };
    return verbs;
}

Result<backup::Site> open_site(const backup::OptionSources& sources, BackupConsole& console) {
    RepositoryHosts hosts;
    HD_TRY(const auto options, hosts.read(sources));
    HD_TRY(auto repositories,
           backup::open_repositories(options, [&](const auto& each) { return hosts.open(each); }));
    return backup::Site{.options = options,
                        .repositories = std::move(repositories),
                        .notes = console.notes(),
                        .program = own_path(),
                        .environment = backup_environment(),
                        .pusher_socket = pusher_socket(options)};
}

Result<int> run(const backup::OptionSources& sources, const Options& options,
                BackupConsole& console, Frame& frame, bool as_pgbackrest) {
    const auto& verbs = all_verbs();
    const auto verb =
        std::ranges::find(verbs, options.command, [](const Verb& each) { return each.verb.name; });
    HD_CHECK(verb != verbs.end());  // read_options takes no other
    HD_TRY_VOID(verb->takes_words ? Result<>{} : allows_arguments(options, 0));
    HD_TRY(auto site, open_site(sources, console));
    Work work{.site = site,
              .console = console,
              .frame = frame,
              .as_pgbackrest = as_pgbackrest,
              .open_again = [&]() -> Result<> {
                  HD_TRY(site, open_site(sources, console));
                  return {};
              }};
    if (backup::is_job(options.command) && options.clusters_are_elsewhere()) {
        const EndOnSignal end = ending_on_signal(work);
        HD_TRY_VOID(backup::run_on_database_hosts(work.site));
        return options.command == "backup" ? expire_behind(work) : 0;
    }
    return verb->run(work);
}

/// Scripts look for the name and a number behind it: that of the version whose options, messages
/// and formats these are.
int print_version(bool as_pgbackrest) {
    if (as_pgbackrest) {
        fmt::print("pgBackRest 2.45 as spoken by Howdah {}\n", version);
    } else {
        fmt::print("Howdah {}\n", version);
    }
    return 0;
}

int print_help(const std::vector<std::string>& words) {
    const auto& verbs = all_verbs();
    for (const auto& each : verbs) {
        if (std::ranges::find(words, each.verb.name) != words.end()) {
            fmt::print("{}", backup_verb_help(each.verb));
            return 0;
        }
    }
    fmt::print(
        "Howdah {}: backups in pgBackRest's repositories\n\nUsage:\n    COMMAND [OPTIONS]\n\n"
        "Commands:\n",
        version);
    for (const auto& each : verbs) {
        if (!each.verb.hidden) {
            fmt::print("    {:<16}{}\n", each.verb.name, each.verb.what);
        }
    }
    fmt::print("    {:<16}{}\n    {:<16}{}\n\nhelp COMMAND tells of its options.\n", "help",
               "Tell of a command", "version", "Print the version");
    return 0;
}

}  // namespace

const std::vector<BackupVerb>& backup_verbs() {
    static const auto verbs = [] {
        std::vector<BackupVerb> out;
        for (const auto& each : all_verbs()) {
            out.push_back(each.verb);
        }
        return out;
    }();
    return verbs;
}

std::string backup_verb_help(const BackupVerb& verb) {
    return verb.options + options_help(verb.name);
}

Result<> find_backup(std::vector<std::string> words) {
    // Of the words those that say where a repository is; `info` takes no other.
    std::erase_if(words, [](const std::string& word) {
        return !word.starts_with("--stanza=") && !word.starts_with("--config=") &&
               !word.starts_with("--repo=");
    });
    words.emplace_back("info");
    HD_TRY(const auto sources, backup::find_option_sources(words, backup_environment()));
    BackupConsole console(Options{});
    HD_TRY(auto site, open_site(sources, console));
    HD_TRY(const auto stanzas, backup::info(site));
    std::string trouble;
    for (const auto& stanza : stanzas) {
        for (const auto& repository : stanza.repositories) {
            if (repository.code == 0) {
                return {};
            }
            trouble += fmt::format("{}repo{}: {}", trouble.empty() ? "" : "; ", repository.key,
                                   repository.message);
        }
    }
    return fail(Errc::not_found,
                fmt::format("stanza {} has no backup to restore: {}", site.stanza(),
                            trouble.empty() ? "no repository knows it" : trouble),
                "howdah info shows stanzas and backups; --pgbackrest-config names another file");
}

int run_backup_verb(const std::vector<std::string>& words, bool as_pgbackrest) {
    (void)runs_as_job();
    const auto command = backup::find_command(words);
    if (words.empty() || (command && *command == "help")) {
        return print_help(words);
    }
    if (command && *command == "version") {
        return print_version(as_pgbackrest);
    }
    const auto sources = backup::find_option_sources(words, backup_environment());
    const auto options = sources ? backup::read_options(*sources)
                                 : Result<Options>(std::unexpected(sources.error()));
    if (options && options->neutral_umask) {
        ::umask(0);  // each file and folder says its mode itself
    }
    const Options none;
    BackupConsole console(options ? *options : none);
    if (options) {
        console.open_log_file(*options);
    }
    for (const auto& warning : options ? options->warnings : std::vector<std::string>{}) {
        console.warn(warning);
    }
    Frame frame(options ? *options : none, console);
    if (options) {
        frame.begin(options->command);
    }
    const auto done = options ? run(*sources, *options, console, frame, as_pgbackrest)
                              : std::unexpected(options.error());
    if (done) {
        frame.end();
        return *done;
    }
    const auto& error = done.error();
    const auto code = backup::exit_code_of(error);
    console.error(error);
    if (options) {
        frame.abort(code);
    }
    const auto is_archive_get = std::ranges::find(words, "archive-get") != words.end();
    return is_archive_get && !asked_by_standby() ? ends_recovery : static_cast<int>(code);
}

}  // namespace howdah::cli
