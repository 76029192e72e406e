#include "cli/start_checks.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/http_once.h"
#include "cli/read_cluster.h"

namespace howdah::cli {

namespace {

constexpr Nanos patience = Seconds(3);

std::shared_ptr<const io::TlsFiles> tls_of(const config::Etcd& etcd) {
    return etcd.tls ? std::make_shared<io::TlsFiles>(
                          io::TlsFiles{.ca = etcd.cacert, .cert = etcd.cert, .key = etcd.key})
                    : nullptr;
}

bool store_answers(const config::Etcd& etcd) {
    return std::ranges::any_of(etcd.hosts, [&](const config::HostPort& host) {
        return http_once({.host = host.host, .port = host.port, .tls = tls_of(etcd)},
                         {.target = "/version", .keep_alive = false}, Seconds(1))
            .has_value();
    });
}

/// `etcd:` means the v2 store to Patroni.
Result<> refuse_v2_cluster(const config::AgentConfig& config) {
    const auto& etcd = *config.etcd;
    if (!etcd.v2_section || etcd.supervised) {
        return {};
    }
    for (const auto& host : etcd.hosts) {
        const auto answer =
            http_once({.host = host.host, .port = host.port, .tls = tls_of(etcd)},
                      {.target = "/v2/keys" + config.prefix(), .keep_alive = false}, patience);
        if (answer && answer->status == 200) {
            return fail(Errc::unsafe,
                        fmt::format("this scope lives in etcd's v2 store ({} of {}): Howdah uses "
                                    "v3, and would lead a second cluster beside it",
                                    config.prefix(), host.text()),
                        "move Patroni to a section etcd3 first: docs/migrate-from-patroni.md");
        }
    }
    return {};
}

Result<> refuse_double(const config::AgentConfig& config, const std::string& member_uuid) {
    if (config.etcd->supervised || !store_answers(*config.etcd)) {
        return {};  // it is not up yet; the REST port of a double on this host is in use
    }
    const auto cluster = read_cluster(config, config.scope, Seconds(1));
    const auto* other = cluster ? cluster->member(config.name) : nullptr;
    if (other == nullptr || other->uuid == member_uuid) {
        return {};
    }
    const auto address = other->api_address();
    const auto answer =
        address ? http_once({.host = address->host,
                             .port = address->port,
                             .tls = address->tls ? std::make_shared<io::TlsFiles>(config.peer_tls)
                                                 : nullptr},
                            {.target = "/liveness", .keep_alive = false}, patience)
                : Result<io::HttpResponse>(fail(Errc::unavailable, "no address"));
    if (!answer) {
        return {};
    }
    return fail(
        Errc::unsafe,
        fmt::format("Can't start; there is already a node named '{}' running", config.name),
        fmt::format("it answers at {}; stop it, or give this member another name", other->api_url));
}

}  // namespace

Result<> check_before_start(const config::AgentConfig& config, const std::string& member_uuid) {
    HD_TRY_VOID(refuse_v2_cluster(config));
    return refuse_double(config, member_uuid);
}

}  // namespace howdah::cli
