#include "backup/jobs/database_hosts.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "backup/options/exit_code.h"
#include "backup/workers.h"
#include "remote/fields.h"

namespace howdah::backup {
namespace {

constexpr Millis longest_look{20'000};  ///< a host that is down must not hold up the others

Result<> check_type(const ClusterOptions& cluster) {
    const auto& host = cluster.host;
    if (host.type == "ssh") {
        return fail_with(
            ExitCode::option_invalid_value, Errc::invalid,
            fmt::format("option 'pg{}-host-type' is 'ssh': Howdah reaches a database host by TLS",
                        cluster.index),
            "leave the option out; the agent there answers with `backup_jobs` in its patroni.yml");
    }
    return {};
}

Result<DatabaseHost> look_at(const Options& options, const ClusterOptions& cluster) {
    const auto& host = cluster.host;
    const io::TlsFiles files{.ca = host.ca_file, .cert = host.cert_file, .key = host.key_file};
    HD_TRY(const auto tls, io::tls_client(files));
    const auto limit = std::min(options.repositories.front().io_timeout, longest_look);
    HD_TRY(auto connected,
           remote::connect({.host = host.name, .port = host.port, .tls = files, .limit = limit},
                           tls, std::string(job_service), {{"stanza", options.stanza}}));
    HD_TRY(const auto answer, connected.channel->ask({{"do", "look"}}));
    HD_TRY(const auto state, to_state(answer.head));
    connected.channel->set_limit(options.repositories.front().io_timeout);
    return DatabaseHost{
        .cluster = cluster, .channel = std::move(connected.channel), .state = state};
}

}  // namespace

std::string DatabaseHost::name() const {
    return fmt::format("pg{} ({})", cluster.index, cluster.host.name);
}

Result<DatabaseHosts> DatabaseHosts::look(const Options& options, const Notes& notes) {
    const auto& clusters = options.clusters;
    for (const auto& each : clusters) {
        HD_TRY_VOID(check_type(each));
    }
    std::vector<std::optional<Result<DatabaseHost>>> answers(clusters.size());
    HD_TRY_VOID(in_parallel(static_cast<std::uint32_t>(clusters.size()), clusters.size(),
                            [&](std::size_t i) -> Result<> {
                                answers[i] = look_at(options, clusters[i]);
                                return {};
                            }));
    DatabaseHosts found;
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (*answers[i]) {
            found.hosts_.push_back(*std::move(*answers[i]));
            continue;
        }
        const auto error = (*answers[i]).error();
        notes.warn(fmt::format("unable to check pg{}: {}{}", clusters[i].index, error.message,
                               error.hint.empty() ? "" : "\nHINT: " + error.hint));
    }
    if (found.hosts_.empty()) {
        return fail_with(
            ExitCode::db_connect, Errc::unavailable,
            "unable to find primary cluster - cannot proceed: no database host answers",
            "does the agent there have `backup_jobs` in its patroni.yml?");
    }
    return found;
}

Result<DatabaseHost*> DatabaseHosts::primary(const Notes& notes) {
    DatabaseHost* best = nullptr;
    for (auto& each : hosts_) {
        if (each.state.in_recovery) {
            continue;
        }
        if (best != nullptr) {
            notes.warn(
                fmt::format("{} on timeline {} and {} on timeline {} both say that they are "
                            "primary: the newer one counts",
                            best->name(), best->state.timeline, each.name(), each.state.timeline));
        }
        if (best == nullptr || each.state.timeline > best->state.timeline) {
            best = &each;
        }
    }
    return best != nullptr ? Result<DatabaseHost*>(best)
                           : fail_with(ExitCode::db_connect, Errc::unavailable,
                                       "unable to find primary cluster - cannot proceed: the hosts "
                                       "that answer are standbys");
}

Result<> run_job(DatabaseHost& host, const std::string& verb, const std::vector<std::string>& words,
                 const Notes& notes) {
    auto& channel = *host.channel;
    HD_TRY_VOID(channel.send({{"do", "job"}, {"verb", verb}, {"words", words}}));
    std::optional<Error> failed;
    while (true) {
        auto message = channel.receive();
        if (!message) {
            return std::unexpected(std::move(message).error().within(host.name()));
        }
        if (const auto line = message->head.find("line");
            line != message->head.end() && line->is_string()) {
            auto error = take_job_line(line->get<std::string>(), notes);
            failed = error ? std::move(error) : std::move(failed);
            continue;
        }
        const auto code = remote::number_in(message->head, "exit").value_or(UINT64_MAX);
        if (code == 0) {
            return {};
        }
        if (failed) {
            return std::unexpected(std::move(*failed).within(host.name()));
        }
        return fail(Errc::io, fmt::format("{}: {} ended with code {}", host.name(), verb, code));
    }
}

}  // namespace howdah::backup
