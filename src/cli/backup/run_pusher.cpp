#include "cli/backup/run_pusher.h"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>

#include "backup/command/archive/pusher_socket.h"
#include "backup/option_sources.h"
#include "cli/backup/repository_hosts.h"

namespace howdah::cli {
namespace {

Result<std::unique_ptr<backup::Site>> open_site(const backup::PushRequest& request) {
    auto words = request.words;
    words.emplace_back("archive-push");
    HD_TRY(const auto sources, backup::find_option_sources(words, request.environment));
    RepositoryHosts hosts;
    HD_TRY(auto options, hosts.read(sources));
    if (!options.neutral_umask) {
        return fail(Errc::invalid, "the pusher has a umask of its own");
    }
    HD_TRY(auto repositories,
           backup::open_repositories(options, [&](const auto& each) { return hosts.open(each); }));
    return std::make_unique<backup::Site>(
        backup::Site{.options = std::move(options), .repositories = std::move(repositories)});
}

}  // namespace

int run_archive_pusher(int agent) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != agent) {
        return 0;
    }
    ::umask(0);  // each file and folder says its mode itself
    backup::Pusher pusher(open_site);
    const auto served = backup::serve_pushes(STDIN_FILENO, pusher, std::chrono::minutes(1));
    if (!served) {
        fmt::print(stderr, "{}\n", served.error().message);
    }
    return served ? 0 : 1;
}

}  // namespace howdah::cli
