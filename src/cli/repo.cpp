#include "cli/repo.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <thread>

#include "backup/host/repository_host.h"
#include "backup/jobs/job_host.h"
#include "backup/stop_file.h"
#include "cli/backup/open_files.h"
#include "cli/log.h"
#include "cli/repo_schedule.h"
#include "config/repo_config.h"
#include "io/files.h"

namespace howdah::cli {
namespace {

/// Blocked in every thread that is made from now on.
sigset_t block_signals() {
    sigset_t waited;
    sigemptyset(&waited);
    for (const auto each : {SIGHUP, SIGINT, SIGTERM, backup::end_clients_signal}) {
        sigaddset(&waited, each);
    }
    pthread_sigmask(SIG_BLOCK, &waited, nullptr);
    return waited;
}

std::string own_path() {
    return std::filesystem::read_symlink("/proc/self/exe").string();
}

void log_refusal(const std::string& who, const Error& why) {
    spdlog::warn("a client was refused{}{} why=\"{}\"{}", who.empty() ? "" : " client=", who,
                 why.message, why.hint.empty() ? "" : fmt::format(" hint=\"{}\"", why.hint));
}

void reload(remote::Server& server) {
    if (const auto done = server.reload(); !done) {
        spdlog::error("the certificates were not taken why=\"{}\" hint=\"{}\"",
                      done.error().message, done.error().hint);
        return;
    }
    spdlog::info("the certificates were read again");
}

void serve_until_signal(remote::Server& server, const sigset_t& waited,
                        const std::function<void()>& end_stopped) {
    while (true) {
        int signal = 0;
        sigwait(&waited, &signal);
        if (signal == SIGHUP) {
            reload(server);
        } else if (signal == backup::end_clients_signal) {
            end_stopped();
        } else {
            spdlog::info("asked to stop signal={}", signal);
            return;
        }
    }
}

Result<> tell_what_is_served(const backup::RepositoryHost& host, const config::RepoConfig& config) {
    HD_TRY(const auto files, host.read_config());
    HD_TRY(const auto grants, backup::Grants::of(files));
    HD_TRY(const auto options, backup::read_options({.words = {"backup"}, .files = files}));
    for (const auto& each : options.repositories) {
        HD_TRY(const auto opened, open_files(each));
        spdlog::info("serves repo{} at {}", each.index, opened->name());
    }
    if (!grants.has_list()) {
        spdlog::info(
            "without tls-server-auth: a stanza is changed by its pgN-host, read by every client "
            "with a certificate of {}",
            config.tls.ca);
    }
    return {};
}

Result<RepoSchedule> open_schedule(const backup::RepositoryHost& host,
                                   const config::RepoConfig& config) {
    HD_TRY(const auto files, host.read_config());
    HD_TRY(auto stanzas, backup::stanzas_in(files));
    return RepoSchedule::open(config, std::move(stanzas), own_path());
}

}  // namespace

Result<int> run(const RepoCommand& command) {
    HD_TRY(const auto config, config::load_repo_config(command.file));
    start_log("repo");
    ::umask(0);  // each file and folder says its mode itself
    backup::RepositoryHost host(config.pgbackrest_config, open_files,
                                [](std::string_view text) { spdlog::info("{}", text); });
    HD_TRY(auto schedule, open_schedule(host, config));
    if (command.dry_run) {
        fmt::print("{}", schedule.plan());
        return 0;
    }
    if (command.once) {
        return schedule.run_due({}) ? 0 : 1;
    }
    const auto waited = block_signals();
    HD_TRY_VOID(tell_what_is_served(host, config));
    if (geteuid() == 0) {
        spdlog::warn("runs as root: what it writes is root's; run it as the repository's owner");
    }
    io::raise_open_files_limit();
    remote::Server server(
        {.service = std::string(backup::repository_service),
         .host = config.listen.host,
         .port = config.listen.port,
         .tls = config.tls},
        [&](const io::PeerNames& peer, const remote::Json& hello) {
            return host.open(peer, hello);
        },
        log_refusal);
    HD_TRY_VOID(server.start());
    spdlog::info("repository host listens on {}", config.listen.text());
    std::jthread scheduler;
    if (!schedule.empty()) {
        scheduler = std::jthread([&](const std::stop_token& stop) { schedule.run(stop); });
    }
    serve_until_signal(server, waited, [&] { host.end_stopped(); });
    scheduler = {};  // ends its job, which may need the server
    return 0;
}

Result<> run(const BackupJobsCommand& command) {
    HD_TRY(const auto config, config::load_backup_jobs_config(command.file));
    start_log("backup_jobs");
    const auto waited = block_signals();
    if (command.parent > 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != command.parent) {
            return {};
        }
    }
    const backup::JobHost host(config.pgbackrest_config, own_path(),
                               [](std::string_view text) { spdlog::info("{}", text); });
    remote::Server server(
        {.service = std::string(backup::job_service),
         .host = config.listen.host,
         .port = config.listen.port,
         .tls = config.tls,
         .most_connections = 50},
        [&](const io::PeerNames& peer, const remote::Json& hello) {
            return host.open(peer, hello);
        },
        log_refusal);
    HD_TRY_VOID(server.start());
    spdlog::info("jobs of the repository host are answered on {}", config.listen.text());
    serve_until_signal(server, waited, [] {});
    return {};
}

}  // namespace howdah::cli
