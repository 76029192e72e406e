#include "cli/store.h"

#include <fmt/format.h>

#include <cstdio>

#include "dcs/etcd/etcd_store.h"

namespace howdah::cli {

std::unique_ptr<dcs::KeyValueStore> connect_store(io::Executor executor, io::Clock& clock,
                                                  const config::AgentConfig& config) {
    dcs::etcd::EtcdOptions options{.user = config.etcd->username, .password = config.etcd->password};
    for (const auto& host : config.etcd->hosts) {
        options.endpoints.push_back({.host = host.host, .port = host.port});
    }
    return std::make_unique<dcs::etcd::EtcdStore>(executor, clock, std::move(options));
}

void print_warnings(const config::AgentConfig& config) {
    for (const auto& warning : config.warnings) {
        fmt::print(stderr, "warning: {}\n", warning.text());
    }
}

}  // namespace howdah::cli
