#include "cli/backup/repository_hosts.h"

#include <fmt/format.h>

#include "backup/host/repository_host.h"
#include "backup/lock_file.h"
#include "backup/options/exit_code.h"
#include "cli/backup/open_files.h"
#include "files/away_files.h"

namespace howdah::cli {
namespace {

using backup::ExitCode;

Result<> check_type(const backup::RepositoryOptions& options) {
    return options.host.type != "ssh"
               ? Result<>{}
               : fail_with(ExitCode::option_invalid_value, Errc::invalid,
                           fmt::format("option 'repo{}-host-type' is 'ssh': Howdah reaches a "
                                       "repository host by TLS",
                                       options.index),
                           "leave the option out, run `howdah repo` on the repository host, and "
                           "make certificates by `howdah cert`");
}

}  // namespace

Result<RepositoryHosts::Host> RepositoryHosts::reach(const backup::Options& options,
                                                     const backup::RepositoryOptions& of,
                                                     backup::OptionSources& sources) const {
    const auto& host = of.host;
    const io::TlsFiles files{.ca = host.ca_file, .cert = host.cert_file, .key = host.key_file};
    auto tls = io::tls_client(files);
    if (!tls) {
        auto error = std::move(tls).error();
        error.hint = fmt::format(
            "`howdah cert` makes it; repo{}-host-{{ca,cert,key}}-file name "
            "other places",
            of.index);
        return std::unexpected(std::move(error));
    }
    auto pool = std::make_shared<files::RemotePool>(
        remote::Place{.host = host.name, .port = host.port, .tls = files, .limit = of.io_timeout},
        *std::move(tls), std::string(backup::repository_service),
        backup::to_json(backup::RepositoryWish{.stanza = options.stanza,
                                               .command = options.command,
                                               .repository = of.index,
                                               .process = backup::execution_id()}));
    HD_TRY(const auto welcome, pool->welcome());
    const auto name = welcome.find("name"), told = welcome.find("options");
    if (name == welcome.end() || !name->is_string() || told == welcome.end() ||
        !told->is_string()) {
        return fail(Errc::corrupt, fmt::format("repository host {}: no welcome", pool->place()));
    }
    sources.hosts.push_back({.file = "repository host " + pool->place(), .text = *told});
    return Host{.pool = std::move(pool), .name = *name};
}

Result<backup::Options> RepositoryHosts::read(backup::OptionSources sources) {
    HD_TRY(auto options, backup::read_options(sources));
    for (const auto& each : options.repositories) {
        const bool is_wanted =
            !options.repo || *options.repo == each.index || options.to_repo == each.index;
        if (each.host.name.empty() || each.host.type == "ssh" || !is_wanted) {
            continue;
        }
        auto host = reach(options, each, sources);
        hosts_[each.index] =
            host ? *std::move(host) : Host{.name = each.host.name, .away = std::move(host).error()};
    }
    return sources.hosts.empty() ? std::move(options) : backup::read_options(sources);
}

Result<std::unique_ptr<files::Files>> RepositoryHosts::open(
    const backup::RepositoryOptions& options) {
    if (options.host.name.empty()) {
        return open_files(options);
    }
    HD_TRY_VOID(check_type(options));
    const auto found = hosts_.find(options.index);
    HD_CHECK(found != hosts_.end());
    const auto& host = found->second;
    if (!host.pool) {
        return std::make_unique<files::AwayFiles>(host.name, host.away);
    }
    return std::make_unique<files::RemoteFiles>(host.pool, host.name);
}

}  // namespace howdah::cli
