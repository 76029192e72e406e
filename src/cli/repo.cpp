#include "cli/repo.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "backup/host/repository_host.h"
#include "cli/backup/open_files.h"
#include "cli/log.h"
#include "config/repo_config.h"
#include "io/files.h"

namespace howdah::cli {
namespace {

/// Blocked in every thread that is made from now on.
sigset_t block_signals() {
    sigset_t waited;
    sigemptyset(&waited);
    for (const auto each : {SIGHUP, SIGINT, SIGTERM}) {
        sigaddset(&waited, each);
    }
    pthread_sigmask(SIG_BLOCK, &waited, nullptr);
    return waited;
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

}  // namespace

Result<> run(const RepoCommand& command) {
    HD_TRY(const auto config, config::load_repo_config(command.file));
    start_log("repo");
    ::umask(0);  // each file and folder says its mode itself
    const auto waited = block_signals();
    backup::RepositoryHost host(config.pgbackrest_config, open_files,
                                [](std::string_view text) { spdlog::info("{}", text); });
    HD_TRY_VOID(tell_what_is_served(host, config));
    if (geteuid() == 0) {
        spdlog::warn("runs as root: what it writes is root's; run it as the repository's owner");
    }
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
    while (true) {
        int signal = 0;
        sigwait(&waited, &signal);
        if (signal != SIGHUP) {
            spdlog::info("asked to stop signal={}", signal);
            return {};
        }
        reload(server);
    }
}

}  // namespace howdah::cli
