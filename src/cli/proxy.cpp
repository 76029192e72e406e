#include "cli/proxy.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>

#include "cli/log.h"
#include "cli/store.h"
#include "io/files.h"
#include "io/loop.h"
#include "proxy/data_path.h"

namespace howdah::cli {
namespace {

std::string host_name() {
    std::array<char, 256> name{};
    return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "endpoint";
}

proxy::EndpointOptions options_of(const config::AgentConfig& config) {
    return {.prefix = config.prefix(),
            .id = proxy::endpoint_id(host_name(), *config.proxy),
            .ports = *config.proxy,
            .logins = {config.postgresql.superuser, config.postgresql.replication},
            .tls = std::make_shared<io::TlsFiles>(config.peer_tls)};
}

io::Task<> serve(io::Executor executor, EmbeddedEndpoint& endpoint) {
    io::Scope scope(executor);
    io::Signals signals(executor, {SIGTERM, SIGINT});
    scope.spawn([&endpoint] { return endpoint.run(); });
    (void)co_await signals.next();
    co_await scope.close();
}

}  // namespace

EmbeddedEndpoint::EmbeddedEndpoint(io::Executor executor, io::Clock& clock,
                                   const config::AgentConfig& config)
    : attempts_(connect_store(executor, clock, config)),
      watched_(connect_store(executor, clock, config)),
      endpoint_(executor, clock, *attempts_, *watched_, options_of(config)) {}

Result<> run_proxy(const std::string& file, const std::string& pid_file) {
    HD_TRY(const auto config, config::load_agent_config(file, config::Purpose::proxy));
    start_log(config.name.empty() ? "endpoint" : config.name);
    for (const auto& warning : config.warnings) {
        spdlog::warn("{}", warning.text());
    }
    io::raise_open_files_limit();
    io::SystemClock clock;
    io::Loop loop;
    EmbeddedEndpoint endpoint(loop.executor(), clock, config);
    HD_TRY_VOID(endpoint.open());
    if (!pid_file.empty()) {
        HD_TRY_VOID(io::write_file_atomically(pid_file, fmt::format("{}\n", getpid()), 0644));
    }
    loop.run(serve(loop.executor(), endpoint));
    if (!pid_file.empty()) {
        ::unlink(pid_file.c_str());
    }
    return {};
}

}  // namespace howdah::cli
