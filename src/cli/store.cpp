#include "cli/store.h"

#include <fmt/format.h>

#include <cstdio>

#include "dcs/etcd/etcd_store.h"

namespace howdah::cli {

namespace {

dcs::etcd::EtcdOptions options_of(const config::AgentConfig& config) {
    dcs::etcd::EtcdOptions options{.user = config.etcd->username,
                                   .password = config.etcd->password};
    if (config.etcd->tls) {
        options.tls = std::make_shared<io::TlsFiles>(io::TlsFiles{
            .ca = config.etcd->cacert, .cert = config.etcd->cert, .key = config.etcd->key});
    }
    for (const auto& host : config.etcd->hosts) {
        options.endpoints.push_back({.host = host.host, .port = host.port});
    }
    return options;
}

}  // namespace

std::unique_ptr<dcs::KeyValueStore> connect_store(io::Executor executor, io::Clock& clock,
                                                  const config::AgentConfig& config) {
    return std::make_unique<dcs::etcd::EtcdStore>(executor, clock, options_of(config));
}

io::Task<Result<std::vector<dcs::etcd::EtcdMemberStatus>>> store_members(io::Executor executor,
                                                                         io::Clock& clock,
                                                                         config::AgentConfig config,
                                                                         Nanos limit) {
    return dcs::etcd::member_status(executor, clock, options_of(config), limit);
}

void print_warnings(const config::AgentConfig& config) {
    for (const auto& warning : config.warnings) {
        fmt::print(stderr, "warning: {}\n", warning.text());
    }
}

}  // namespace howdah::cli
