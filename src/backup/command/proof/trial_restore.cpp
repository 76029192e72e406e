#include "backup/command/proof/trial_restore.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "backup/cluster_facts.h"
#include "backup/command/proof/scratch_server.h"
#include "backup/command/restore/restore.h"
#include "backup/options/exit_code.h"
#include "backup/size_text.h"
#include "io/files.h"
#include "pg/lsn.h"
#include "pg/wal_segment.h"
#include "repo/archive_name.h"
#include "repo/paths.h"

namespace howdah::backup {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Nanos recovery_limit = std::chrono::hours(24);
constexpr Nanos check_limit = std::chrono::hours(24);
constexpr Nanos question_limit = std::chrono::minutes(1);
constexpr std::uint64_t room_for_wal = std::uint64_t{1} << 30;  // recovery writes some

double seconds_since(Clock::time_point begun) {
    return std::chrono::duration<double>(Clock::now() - begun).count();
}

/// A folder that is gone when the test is over.
class Scratch {
public:
    static Result<Scratch> make(const std::string& below) {
        HD_TRY_VOID(io::make_directories(below, 0700));
        auto path = below + "/howdah-restore-test-XXXXXX";
        if (mkdtemp(path.data()) == nullptr) {
            return io::fail_errno("make a folder in " + below);
        }
        return Scratch(std::move(path));
    }
    Scratch(Scratch&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    Scratch& operator=(Scratch&&) = delete;
    ~Scratch() {
        std::error_code ignored;
        if (!path_.empty()) {
            std::filesystem::remove_all(path_, ignored);
        }
    }
    const std::string& path() const { return path_; }

private:
    explicit Scratch(std::string path) : path_(std::move(path)) {}
    std::string path_;
};

class RestoreTest {
public:
    RestoreTest(Site& site, std::string folder) : site_(site), folder_(std::move(folder)) {
        const auto own = site.options.cluster();
        user_ = own && !own->user.empty() ? own->user : "postgres";
    }

    Result<RestoreTested> run() {
        HD_TRY_VOID(choose());
        HD_TRY_VOID(check_room());
        const auto restored = restore_there();
        if (!restored) {
            return fault(restored.error());
        }
        HD_TRY(const auto facts, cluster_facts(data()));
        ScratchServer server(data(), folder_, facts.version, user_);
        const auto recovered = recover(server);
        if (!recovered && recovered.error().code == Errc::not_found) {
            return std::unexpected(recovered.error());  // PostgreSQL is not on this host
        }
        if (!recovered) {
            return fault(recovered.error());
        }
        HD_TRY_VOID(look_for_unused_wal());
        const auto begun = Clock::now();
        HD_TRY_VOID(check_databases(server));
        HD_TRY_VOID(server.stop());
        HD_TRY_VOID(check_pages(server));
        found_.check_s = seconds_since(begun);
        return found_;
    }

private:
    std::string data() const { return folder_ + "/data"; }

    Result<RestoreTested> fault(const Error& error) {
        found_.faults.push_back(error.message);
        return found_;
    }

    /// Which backup, so that the result names it and nothing comes between.
    Result<> choose() {
        const auto& wanted = site_.options.restore.set;
        for (auto& repository : site_.repositories) {
            HD_TRY(const auto info, repository.backup_info(site_.stanza()));
            const auto asked = wanted == "latest" ? Result<repo::Label>(fail(Errc::not_found, ""))
                                                  : repo::Label::parse(wanted);
            if (info.backups.empty() || (wanted != "latest" && !asked)) {
                continue;
            }
            const auto at = asked ? info.backups.find(*asked) : std::prev(info.backups.end());
            if (at != info.backups.end()) {
                found_.label = at->first;
                found_.repository = repository.name();
                found_.size = at->second.sizes.total;
                history_id_ = at->second.history_id;
                from_ = &repository;
                return {};
            }
        }
        return fail_with(ExitCode::backup_set_invalid, Errc::not_found,
                         fmt::format("backup set {} is in no repository", wanted),
                         "info lists the backups");
    }

    Result<> check_room() const {
        struct statvfs disk{};
        if (statvfs(folder_.c_str(), &disk) != 0) {
            return io::fail_errno("look at " + folder_);
        }
        const auto free = std::uint64_t{disk.f_bavail} * disk.f_frsize;
        const auto needed = found_.size + room_for_wal;
        return free >= needed ? Result<>{}
                              : fail(Errc::io,
                                     fmt::format("{} has {} free, the test needs {}", folder_,
                                                 size_text(free), size_text(needed)),
                                     "--scratch-path names another folder");
    }

    /// The whole backup, tablespaces included, below the folder.
    Result<> restore_there() {
        site_.notes.info(fmt::format("restore backup {} of {} for a test", found_.label.text(),
                                     found_.repository));
        const auto begun = Clock::now();
        auto& options = site_.options;
        options.repo = from_->index();
        options.clusters = {{.path = data()}};
        options.restore = {.set = found_.label.text(),
                           .type = "default",
                           .tablespace_map_all = folder_ + "/tablespaces",
                           .archive_mode = "off"};
        // The queue of archive-async belongs to the cluster itself.
        std::erase_if(options.words_to_repeat, [](const std::string& word) {
            return word.starts_with("--pg") || word.starts_with("--archive-async");
        });
        options.words_to_repeat.push_back("--pg1-path=" + data());
        options.words_to_repeat.emplace_back("--no-archive-async");
        HD_TRY_VOID(io::make_directories(data(), 0700));
        HD_TRY_VOID(restore(site_));
        found_.restore_s = seconds_since(begun);
        return {};
    }

    Result<> recover(ScratchServer& server) {
        site_.notes.info("recover to the end of the archive");
        const auto begun = Clock::now();
        HD_TRY_VOID(server.start(recovery_limit));
        HD_TRY(auto connection, server.await_recovered(recovery_limit));
        found_.recover_s = seconds_since(begun);
        HD_TRY(
            const auto rows,
            connection.query("SELECT pg_last_wal_replay_lsn(), "
                             "pg_last_xact_replay_timestamp()::timestamptz(0), "
                             "(SELECT count(*) FROM pg_database WHERE datallowconn), "
                             "(SELECT setting FROM pg_settings WHERE name = 'wal_segment_size'), "
                             "current_setting('data_checksums')",
                             {}, question_limit));
        const auto& row = rows.front();
        found_.recovered_to = row[0].value_or("");
        found_.last_commit = row[1].value_or("");
        found_.databases = std::stoull(row[2].value_or("0"));
        segment_bytes_ = std::stoull(row[3].value_or("16777216"));
        found_.page_checksums = row[4] == "on";
        return {};
    }

    /// Recovery ends where a segment is not there. What lies in the archive behind that place of
    /// the same timeline is lost for whoever restores.
    Result<> look_for_unused_wal() {
        HD_TRY(const auto info, from_->archive_info(site_.stanza()));
        const auto root = repo::archive_folder(site_.stanza()) + "/" + info.archive_id(history_id_);
        std::string newest;
        HD_TRY_VOID(from_->files().list(root, [&](const files::Entry& folder) -> Result<> {
            if (!repo::is_wal_folder(folder.path.substr(folder.path.rfind('/') + 1))) {
                return {};
            }
            return from_->files().list(folder.path, [&](const files::Entry& entry) -> Result<> {
                const auto name = entry.path.substr(entry.path.rfind('/') + 1);
                const auto segment = repo::parse_stored_segment(name);
                if (segment && !segment->partial() && segment->name > newest) {
                    newest = segment->name;
                }
                return {};
            });
        }));
        HD_TRY(const auto end, pg::Lsn::parse(found_.recovered_to));
        const auto last = pg::WalSegment::parse(newest);
        if (last && last->start(segment_bytes_) > end) {
            found_.faults.push_back(
                fmt::format("recovery ended at {}, but the archive goes on to {}: a segment "
                            "between is missing or damaged",
                            found_.recovered_to, newest));
        }
        return {};
    }

    Result<> check_databases(ScratchServer& server) {
        site_.notes.info("check every database with pg_amcheck");
        const auto checked =
            server.run("pg_amcheck",
                       {"--all", "--install-missing", "--no-strict-names",
                        fmt::format("--jobs={}", site_.options.process_max), "--username=postgres"},
                       check_limit);
        if (!checked && checked.error().code == Errc::not_found) {
            site_.notes.warn("pg_amcheck is not on this host (PostgreSQL 14 and later have it)");
            found_.databases = 0;
            return {};
        }
        HD_TRY_VOID(checked ? Result<>{} : std::unexpected(checked.error()));
        if (checked->exit_code != 0) {
            found_.faults.push_back("pg_amcheck: " + checked->output);
        }
        return {};
    }

    Result<> check_pages(ScratchServer& server) {
        if (!found_.page_checksums) {
            return {};
        }
        site_.notes.info("check the checksum of every page");
        const auto checked = server.run("pg_checksums", {"--check", "-D", data()}, check_limit);
        HD_TRY_VOID(checked ? Result<>{} : std::unexpected(checked.error()));
        if (checked->exit_code != 0) {
            found_.faults.push_back("pg_checksums: " + checked->output);
        }
        return {};
    }

    Site& site_;
    std::string folder_, user_;
    RestoreTested found_{};
    Repository* from_ = nullptr;
    std::uint32_t history_id_ = 0;
    std::uint64_t segment_bytes_ = pg::WalSegment::default_size;
};

}  // namespace

Result<RestoreTested> restore_test(Site& site,
                                   const std::function<void(const std::string&)>& on_folder) {
    HD_TRY_VOID(site.needs_stanza());
    if (geteuid() == 0) {
        return fail_with(ExitCode::option_invalid, Errc::invalid,
                         "restore-test starts PostgreSQL, which does not run as root",
                         "run it as the owner of the cluster");
    }
    HD_TRY(const auto scratch, Scratch::make(site.options.scratch_path));
    on_folder(scratch.path());
    return RestoreTest(site, scratch.path()).run();
}

void clear_away(const std::string& folder) {
    constexpr int tries = 50;
    for (int left = tries; left > 0 && std::filesystem::exists(folder); --left) {
        const auto text = io::read_file(folder + "/data/postmaster.pid").value_or("");
        if (const auto pid = std::atoi(text.c_str()); pid > 1) {
            kill(pid, SIGQUIT);  // what it has written is removed
        }
        std::error_code later;  // somebody may still write there: the next round has it
        std::filesystem::remove_all(folder, later);
        std::this_thread::sleep_for(Millis(100));
    }
}

std::string restore_test_text(const std::string& stanza, const RestoreTested& found) {
    auto text =
        fmt::format("restore test of stanza {}: {}\n", stanza, found.good() ? "good" : "NOT GOOD");
    text += fmt::format("    backup: {} of {}, {} restored in {:.1f} s\n", found.label.text(),
                        found.repository, size_text(found.size), found.restore_s);
    if (!found.recovered_to.empty()) {
        text += fmt::format("    recovered to: {} in {:.1f} s, last commit {}\n",
                            found.recovered_to, found.recover_s,
                            found.last_commit.empty() ? "before the backup" : found.last_commit);
        text += fmt::format("    checked in {:.1f} s: {}, {}\n", found.check_s,
                            found.databases == 0
                                ? "no database (pg_amcheck is not here)"
                                : fmt::format("{} databases by pg_amcheck", found.databases),
                            found.page_checksums ? "the checksum of every page"
                                                 : "no checksums (the cluster has none)");
    }
    for (const auto& fault : found.faults) {
        text += fmt::format("    fault: {}\n", fault);
    }
    return text;
}

std::string restore_test_json(const std::string& stanza, const RestoreTested& found) {
    return nlohmann::json{
        {"stanza", stanza},
        {"good", found.good()},
        {"backup", found.label.text()},
        {"repository", found.repository},
        {"size", found.size},
        {"seconds",
         {{"restore", found.restore_s}, {"recover", found.recover_s}, {"check", found.check_s}}},
        {"recovered_to", found.recovered_to},
        {"last_commit", found.last_commit},
        {"databases", found.databases},
        {"page_checksums", found.page_checksums},
        {"faults", found.faults}}
        .dump();
}

}  // namespace howdah::backup
