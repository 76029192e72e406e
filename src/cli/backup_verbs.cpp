#include "cli/backup_verbs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>

#include "backup/archive_get.h"
#include "backup/archive_push.h"
#include "backup/info.h"
#include "backup/options.h"
#include "backup/repository.h"
#include "backup/restore.h"
#include "backup/stanza.h"
#include "backup/stop_file.h"
#include "backup/verify.h"
#include "cli/backup_console.h"
#include "cli/version.h"
#include "io/files.h"
#include "repo/compression.h"
#include "store/posix/posix_store.h"

extern char** environ;

namespace howdah::cli {
namespace {

using backup::Options;

/// What one verb works with.
struct Work {
    const Options& options;
    const BackupConsole& console;
    bool as_pgbackrest = false;
    std::vector<backup::Repository> repositories{};
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

/// The value of --config, or PGBACKREST_CONFIG; "" without one.
std::string named_config(const std::vector<std::string>& words,
                         const std::map<std::string, std::string>& environment) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i].starts_with("--config=")) {
            return words[i].substr(9);
        }
        if (words[i] == "--config" && i + 1 < words.size()) {
            return words[i + 1];
        }
    }
    const auto found = environment.find("PGBACKREST_CONFIG");
    return found == environment.end() ? "" : found->second;
}

Result<std::vector<backup::ConfigText>> config_texts(const std::string& named) {
    namespace fs = std::filesystem;
    std::vector<std::string> files;
    if (!named.empty()) {
        files.push_back(named);
    } else {
        for (const auto* usual : {"/etc/pgbackrest/pgbackrest.conf", "/etc/pgbackrest.conf"}) {
            if (files.empty() && fs::exists(usual)) {
                files.emplace_back(usual);
            }
        }
        std::error_code none;
        for (const auto& entry : fs::directory_iterator("/etc/pgbackrest/conf.d", none)) {
            if (entry.path().extension() == ".conf") {
                files.push_back(entry.path().string());
            }
        }
        std::sort(files.begin() + (files.empty() ? 0 : 1), files.end());
    }
    std::vector<backup::ConfigText> texts;
    for (const auto& file : files) {
        HD_TRY(auto text, io::read_file(file));
        texts.push_back({.file = file, .text = std::move(text)});
    }
    return texts;
}

Result<std::vector<backup::Repository>> open_repositories(const Options& options) {
    std::vector<backup::Repository> all;
    for (const auto& each : options.repositories) {
        if (options.repo && *options.repo != each.index) {
            continue;
        }
        if (!each.host.empty()) {
            return fail(Errc::invalid,
                        fmt::format("repo{}-host={}: Howdah does not reach a repository on another "
                                    "host yet",
                                    each.index, each.host),
                        "mount it, or run the verb on that host");
        }
        if (each.type != "posix" && each.type != "cifs") {
            return fail(Errc::invalid, fmt::format("repo{}-type={}: Howdah has posix alone yet",
                                                   each.index, each.type));
        }
        all.emplace_back(each.index, std::make_unique<store::PosixStore>(each.path),
                         each.cipher_pass);
    }
    if (all.empty()) {
        return fail(Errc::invalid, fmt::format("there is no repository {}", *options.repo));
    }
    return all;
}

Result<> needs_stanza(const Options& options) {
    return options.stanza.empty()
               ? fail(Errc::invalid, fmt::format("{} needs option 'stanza'", options.command),
                      "--stanza=NAME")
               : Result<>{};
}

Result<std::string> argument(const Options& options, std::size_t at, std::string_view what) {
    return at < options.arguments.size()
               ? Result<std::string>(options.arguments[at])
               : fail(Errc::invalid, fmt::format("{} needs {}", options.command, what));
}

Result<int> stanza_create(Work& work) {
    HD_TRY_VOID(needs_stanza(work.options));
    HD_TRY_VOID(backup::check_not_stopped(work.options.lock_path, work.options.stanza));
    HD_TRY(const auto cluster, work.options.cluster());
    HD_TRY(const auto facts, backup::cluster_facts(cluster.path));
    for (auto& repository : work.repositories) {
        HD_TRY(const auto done, backup::create_stanza(repository, work.options.stanza, facts));
        work.console.info(done == backup::StanzaCreated::made
                              ? fmt::format("stanza-create for stanza '{}' on {}",
                                            work.options.stanza, repository.name())
                              : fmt::format("stanza '{}' already exists on {} and is valid",
                                            work.options.stanza, repository.name()));
    }
    return 0;
}

Result<int> archive_push(Work& work) {
    const auto& options = work.options;
    HD_TRY_VOID(needs_stanza(options));
    HD_TRY_VOID(backup::check_not_stopped(options.lock_path, options.stanza));
    HD_TRY(auto file, argument(options, 0, "the path of a WAL file (%p)"));
    HD_TRY(const auto cluster, options.cluster());
    if (!file.starts_with('/')) {
        file = cluster.path + "/" + file;
    }
    HD_TRY(const auto facts, backup::cluster_facts(cluster.path));
    const auto standard = repo::levels_of(options.compress).standard;
    HD_TRY(
        const auto warnings,
        backup::archive_push(work.repositories, {.stanza = options.stanza,
                                                 .wal_file = file,
                                                 .cluster = facts,
                                                 .compress = options.compress,
                                                 .level = options.compress_level.value_or(standard),
                                                 .check_header = options.archive_header_check}));
    for (const auto& warning : warnings) {
        work.console.warn(warning);
    }
    work.console.info(fmt::format("pushed WAL file '{}' to the archive",
                                  std::filesystem::path(file).filename().string()));
    return 0;
}

Result<int> archive_get(Work& work) {
    const auto& options = work.options;
    HD_TRY_VOID(needs_stanza(options));
    HD_TRY(const auto name, argument(options, 0, "the name of a WAL file (%f)"));
    HD_TRY(auto destination, argument(options, 1, "a path to write to (%p)"));
    HD_TRY(const auto cluster, options.cluster());
    if (!destination.starts_with('/')) {
        destination = cluster.path + "/" + destination;
    }
    HD_TRY(const auto facts, backup::cluster_facts(cluster.path));
    HD_TRY(const auto got,
           backup::archive_get(work.repositories, options.stanza, facts, name, destination));
    for (const auto& warning : got.warnings) {
        work.console.warn(warning);
    }
    work.console.info(got.found ? fmt::format("found {} in the archive", name)
                                : fmt::format("unable to find {} in the archive", name));
    return got.found ? 0 : 1;
}

/// What PostgreSQL calls to fetch WAL: this program, with what the command line said.
std::string restore_command(const Options& options) {
    auto text = options.restore.command;
    if (text.empty()) {
        std::error_code none;
        text = std::filesystem::read_symlink("/proc/self/exe", none).string();
    }
    text += " archive-get";
    for (const auto& word : options.words_to_repeat) {
        text += word.contains(' ') ? fmt::format(" \"{}\"", word) : " " + word;
    }
    return text + " %f \"%p\"";
}

/// One line on a terminal that counts up; nothing elsewhere.
class Percent {
public:
    explicit Percent(std::string what) : what_(std::move(what)), shown_(isatty(2) ? -1 : 100) {}
    ~Percent() {
        if (drawn_) {
            fmt::print(stderr, "\r\x1b[K");
        }
    }
    Percent(const Percent&) = delete;
    Percent& operator=(const Percent&) = delete;
    void show(std::uint64_t done, std::uint64_t total) {
        const auto now = total == 0 ? 100 : static_cast<int>(done * 100 / total);
        auto before = shown_.load();
        if (now > before && shown_.compare_exchange_strong(before, now)) {
            drawn_ = true;
            fmt::print(stderr, "\r{} {:3} %", what_, now);
        }
    }

private:
    std::string what_;
    std::atomic<int> shown_;
    std::atomic<bool> drawn_ = false;
};

Result<int> restore(Work& work) {
    const auto& options = work.options;
    HD_TRY_VOID(needs_stanza(options));
    HD_TRY(const auto cluster, options.cluster());
    const auto& console = work.console;
    Percent percent("restoring");
    const backup::RestoreNotes notes{
        .info = [&](const std::string& text) { console.info(text); },
        .warn = [&](const std::string& text) { console.warn(text); },
        .progress = [&](std::uint64_t done, std::uint64_t total) { percent.show(done, total); }};
    HD_TRY_VOID(backup::restore(work.repositories,
                                {.stanza = options.stanza,
                                 .data_directory = cluster.path,
                                 .options = options.restore,
                                 .force = options.force,
                                 .process_max = options.process_max,
                                 .restore_command = restore_command(options)},
                                notes));
    return 0;
}

Result<int> info(Work& work) {
    const auto stanzas =
        backup::report(work.repositories, work.options.stanza, work.options.lock_path);
    fmt::print("{}", work.options.output == "json" ? backup::info_json(stanzas)
                                                   : backup::info_text(stanzas));
    return 0;
}

void warn_of(const BackupConsole& console, const std::vector<backup::Damage>& damage) {
    for (const auto& each : damage) {
        console.warn(fmt::format("{}: {}", each.path, each.why));
    }
}

/// Exit code 1 on damage; under the name pgbackrest 0, as that program has it.
Result<int> verify(Work& work) {
    const auto& options = work.options;
    HD_TRY_VOID(needs_stanza(options));
    backup::VerifyOrder order{.stanza = options.stanza, .process_max = options.process_max};
    if (options.restore.set != "latest") {
        HD_TRY(order.only, repo::Label::parse(options.restore.set));
    }
    bool good = true;
    for (auto& repository : work.repositories) {
        auto found = [&] {
            Percent percent("verifying " + repository.name());
            return backup::verify(repository, order, [&](std::uint64_t done, std::uint64_t total) {
                percent.show(done, total);
            });
        }();
        if (!found) {
            return std::unexpected(std::move(found).error().within(repository.name()));
        }
        fmt::print("{}\n", options.output == "json" ? backup::verify_json(options.stanza, *found)
                                                    : backup::verify_text(options.stanza, *found));
        for (const auto& archive : found->archives) {
            warn_of(work.console, archive.damage);
        }
        for (const auto& each : found->backups) {
            warn_of(work.console, each.damage);
            if (each.state == repo::BackupState::wal_missing) {
                work.console.warn(
                    fmt::format("{} cannot be made consistent: WAL segment {} is "
                                "missing",
                                each.label.text(), each.missing_wal));
            }
        }
        good = good && found->all_good();
    }
    return good || work.as_pgbackrest ? 0 : 1;
}

Result<int> repo_ls(Work& work) {
    const auto path = work.options.arguments.empty() ? "" : work.options.arguments.front();
    HD_TRY_VOID(work.repositories.front().store().list(path, [&](const store::Entry& entry) {
        fmt::print("{}\n", entry.path.substr(path.empty() ? 0 : path.size() + 1));
        return Result<>{};
    }));
    return 0;
}

class ToStandardOutput final : public store::Sink {
public:
    Result<> write(Bytes bytes) override {
        std::fwrite(bytes.data(), 1, bytes.size(), stdout);
        return {};
    }
    Result<> finish() override {
        return std::fflush(stdout) == 0 ? Result<>{} : io::fail_errno("write to standard output");
    }
};

/// A whole file, decrypted as its place in the repository asks for; compressed ones stay so.
Result<int> repo_get(Work& work) {
    HD_TRY(const auto path, argument(work.options, 0, "the path of a file in the repository"));
    auto& repository = work.repositories.front();
    HD_TRY(const auto form, repository.cipher_of(path));
    ToStandardOutput out;
    HD_TRY_VOID(repository.get(path, &out, form));
    HD_TRY_VOID(out.finish());
    return 0;
}

Result<int> stop(Work& work) {
    HD_TRY(const auto done, backup::stop(work.options.lock_path, work.options.stanza));
    if (!done) {
        work.console.warn("stop file already exists");
    }
    return 0;
}

Result<int> start(Work& work) {
    HD_TRY(const auto done, backup::start(work.options.lock_path, work.options.stanza));
    if (!done) {
        work.console.warn("stop file does not exist");
    }
    return 0;
}

Result<int> print_version(Work&) {
    fmt::print("Howdah {}\n", version);
    return 0;
}

struct Verb {
    BackupVerb verb{};
    std::function<Result<int>(Work&)> run{};
};

const std::vector<Verb>& all_verbs() {
    static const std::vector<Verb> verbs{
        {{"stanza-create", "Make a stanza for a cluster in every repository"}, stanza_create},
        {{"archive-push", "Archive a WAL file: archive_command"}, archive_push},
        {{"archive-get", "Fetch a WAL file from the archive: restore_command"}, archive_get},
        {{"restore", "Put a backup back into the data directory"}, restore},
        {{"info", "Show stanzas, their backups and their WAL"}, info},
        {{"verify", "Read every backup and WAL segment, and check every sum"}, verify},
        {{"repo-ls", "List a folder of the repository"}, repo_ls},
        {{"repo-get", "Print a file of the repository, decrypted"}, repo_get},
        {{"stop", "Let no work begin on a stanza, or on all"}, stop},
        {{"start", "Let work begin again"}, start},
    };
    return verbs;
}

/// pgBackRest's number for this kind of error: 32 option-invalid-value, 44 archive-mismatch, 50…
int code_of(const Error& error) {
    switch (error.code) {
        case Errc::invalid:
            return 32;
        case Errc::not_found:
            return 55;
        case Errc::corrupt:
            return 26;
        case Errc::conflict:
            return 40;
        case Errc::unsafe:
            return error.message.contains("different checksum") ? 45 : 44;
        case Errc::cancelled:
            return 62;
        case Errc::timeout:
        case Errc::unavailable:
        case Errc::io:
            return 104;
    }
    return 125;
}

Result<int> run(const Options& options, const BackupConsole& console, bool as_pgbackrest) {
    if (options.command == "version") {
        Work none{.options = options, .console = console};
        return print_version(none);
    }
    const auto& verbs = all_verbs();
    const auto verb =
        std::ranges::find(verbs, options.command, [](const Verb& each) { return each.verb.name; });
    if (verb == verbs.end()) {
        return fail(Errc::invalid, fmt::format("there is no command '{}'", options.command));
    }
    Work work{.options = options, .console = console, .as_pgbackrest = as_pgbackrest};
    HD_TRY(work.repositories, open_repositories(options));
    return verb->run(work);
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

int run_backup_verb(const std::vector<std::string>& words, bool as_pgbackrest) {
    backup::OptionSources sources{.words = words, .environment = backup_environment()};
    auto files = config_texts(named_config(words, sources.environment));
    auto options = files ? [&] {
        sources.files = *std::move(files);
        return backup::read_options(sources);
    }()
                         : std::unexpected(files.error());
    const BackupConsole console(options ? *options : Options{});
    for (const auto& warning : options ? options->warnings : std::vector<std::string>{}) {
        console.warn(warning);
    }
    const auto done =
        options ? run(*options, console, as_pgbackrest) : std::unexpected(options.error());
    if (done) {
        return *done;
    }
    const auto& error = done.error();
    console.error(code_of(error),
                  error.hint.empty() ? error.message : error.message + "\nHINT: " + error.hint);
    return code_of(error);
}

}  // namespace howdah::cli
