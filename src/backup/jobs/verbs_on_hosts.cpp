#include "backup/jobs/verbs_on_hosts.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "backup/jobs/database_hosts.h"
#include "backup/options/exit_code.h"

namespace howdah::backup {
namespace {

constexpr Seconds patience{60};  ///< with a cluster that has no primary
constexpr Millis between_looks{1000};

Result<> check_options(const Options& options, const Notes& notes) {
    if (!options.online || options.force) {
        return fail_with(ExitCode::option_invalid, Errc::invalid,
                         "--no-online and --force are for the database host itself",
                         "run the verb there");
    }
    const auto& standby = options.backup.backup_standby;
    if (options.command == "backup" && standby == "y") {
        return fail_with(
            ExitCode::option_invalid_value, Errc::invalid,
            "backup-standby=y: from here Howdah backs up from the primary's host alone",
            "leave it out, or say backup-standby=prefer");
    }
    if (options.command == "backup" && standby == "prefer") {
        notes.warn("backup-standby=prefer: from here Howdah backs up from the primary's host");
    }
    return {};
}

Result<> check_everywhere(Site& site) {
    HD_TRY(auto hosts, DatabaseHosts::look(site.options, site.notes));
    const auto words = words_for_job(site.options.given_raw);
    for (auto& each : hosts.all()) {
        site.notes.info(fmt::format("check {}", each.name()));
        HD_TRY_VOID(run_job(each, "check", words, site.notes));
    }
    HD_TRY_VOID(hosts.primary(site.notes));
    return {};
}

/// Whether the server may have gone away under the verb.
bool may_be_a_failover(const Error& error) {
    const auto code = exit_code_of(error);
    return error.code == Errc::unavailable || error.code == Errc::timeout ||
           code == ExitCode::db_connect || code == ExitCode::db_query ||
           code == ExitCode::db_mismatch || code == ExitCode::terminated;
}

/// A primary that is not the one that was, as soon as there is one; nullopt: the same one is.
Result<std::optional<DatabaseHosts>> other_primary(const Site& site, std::uint32_t index,
                                                   std::uint32_t timeline) {
    const auto end = std::chrono::steady_clock::now() + patience;
    const Notes silent;
    while (true) {
        auto hosts = DatabaseHosts::look(site.options, silent);
        const auto found = hosts ? hosts->primary(silent) : std::unexpected(hosts.error());
        if (found) {
            const bool same =
                (*found)->cluster.index == index && (*found)->state.timeline == timeline;
            return same ? std::nullopt : std::optional(*std::move(hosts));
        }
        if (std::chrono::steady_clock::now() + between_looks > end) {
            return std::unexpected(found.error());
        }
        std::this_thread::sleep_for(between_looks);
    }
}

Result<> on_the_primary(Site& site) {
    const auto& options = site.options;
    auto words = words_for_job(options.given_raw);
    std::erase_if(words, [](const auto& word) { return word.starts_with("--expire-auto"); });
    if (options.command == "backup") {
        words.emplace_back("--expire-auto=n");  // it is done here
        if (!options.repo && !options.backup.all_repos) {
            words.push_back(fmt::format("--repo={}", site.repositories.front().index()));
        }
    }
    HD_TRY(auto hosts, DatabaseHosts::look(options, site.notes));
    HD_TRY(auto* primary, hosts.primary(site.notes));
    site.notes.detail(
        fmt::format("{} is primary on timeline {}", primary->name(), primary->state.timeline));
    const auto done = run_job(*primary, options.command, words, site.notes);
    if (done || options.command != "backup" || !may_be_a_failover(done.error())) {
        return done;
    }
    site.notes.warn(
        fmt::format("the backup broke off: {}; looking for a new primary", done.error().message));
    auto others = other_primary(site, primary->cluster.index, primary->state.timeline);
    if (!others || !*others) {
        return done;
    }
    HD_TRY(auto* next, (*others)->primary(site.notes));
    site.notes.warn(fmt::format("{} is primary on timeline {} now: the backup begins again there",
                                next->name(), next->state.timeline));
    return run_job(*next, options.command, words, site.notes);
}

}  // namespace

Result<> run_on_database_hosts(Site& site) {
    const auto& options = site.options;
    HD_TRY_VOID(options.command == "check" ? site.needs_stanza() : site.may_work());
    HD_TRY_VOID(check_options(options, site.notes));
    if (options.command == "check") {
        return check_everywhere(site);
    }
    if (options.command == "backup" && site.repositories.size() > 1 && !options.backup.all_repos) {
        site.notes.info(fmt::format("repo option not specified, defaulting to {}",
                                    site.repositories.front().name()));
        site.repositories.erase(site.repositories.begin() + 1, site.repositories.end());
    }
    return on_the_primary(site);
}

}  // namespace howdah::backup
