#include "cli/config_verbs.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "api/overview.h"
#include "cli/config_file.h"
#include "cli/pyyaml.h"
#include "cli/read_cluster.h"
#include "config/agent_config.h"
#include "config/explain.h"
#include "config/keys.h"
#include "config/sources.h"
#include "instance/local/local_instance.h"

namespace howdah::cli {

namespace {

/// Exit code of `config validate`: the file would be taken, but says things that are not done.
constexpr int valid_but_idle = 3;

/// Somebody listens there already. What is no address of IPv4 is not looked at.
bool is_taken(const std::string& host, std::uint16_t port) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    const auto wild = host.empty() || host == "*";
    if (inet_pton(AF_INET, wild ? "0.0.0.0" : host.c_str(), &at.sin_addr) != 1) {
        return false;
    }
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int reuse = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
    const bool taken =
        ::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 && errno == EADDRINUSE;
    ::close(fd);
    return taken;
}

void check_ports(const config::AgentConfig& config, std::vector<Error>& wrong) {
    const auto& api = config.restapi.listen;
    const auto& pg = config.postgresql;
    for (const auto& [key, host, port] :
         {std::tuple{"restapi.listen", api.host, api.port},
          std::tuple{"postgresql.listen", pg.listen_addresses, pg.port}}) {
        if (is_taken(host, port)) {
            wrong.push_back({.code = Errc::invalid,
                             .message = fmt::format("{}: {}:{} is in use", key, host, port),
                             .hint = "stop what listens there, or say --ignore-listen-port"});
        }
    }
}

/// What stands on this host: programs, the data directory, ports.
void check_host(const config::AgentConfig& config, bool ignore_ports, std::vector<Error>& wrong) {
    if (auto programs = instance::check_binaries(config); !programs) {
        wrong.push_back(std::move(programs).error());
    }
    std::error_code error;
    const std::filesystem::path data(config.postgresql.data_dir);
    if (std::filesystem::exists(data, error) && !std::filesystem::is_directory(data, error)) {
        wrong.push_back({.code = Errc::invalid,
                         .message = "postgresql.data_dir: " + data.string() + " is no directory",
                         .hint = "name a directory, or one that is to be made"});
    }
    if (!ignore_ports) {
        check_ports(config, wrong);
    }
}

Result<int> validate(const ConfigCommand& command, const std::string& file) {
    HD_TRY(const auto sources, config::gather(file, config::process_environment()));
    auto checked = config::check_agent_config(sources, file);
    if (checked.wrong.empty()) {
        check_host(checked.config, command.ignore_ports, checked.wrong);
    }
    for (const auto& warning : checked.config.warnings) {
        fmt::print("warning: {}\n", warning.text());
    }
    for (const auto& error : checked.wrong) {
        fmt::print("{}\n", error.message);
        if (!error.hint.empty()) {
            fmt::print("  hint: {}\n", error.hint);
        }
    }
    if (command.print && checked.wrong.empty()) {
        fmt::print("{}", yaml_block(sources.document));
    }
    const auto& warnings = checked.config.warnings;
    const auto idle = std::ranges::count_if(warnings, &config::Diagnostic::without_effect);
    if (!checked.wrong.empty()) {
        return 1;
    }
    if (!command.as_patroni && !command.print) {
        fmt::print("{}: valid{}\n", file.empty() ? "the environment" : file,
                   idle == 0
                       ? ""
                       : fmt::format("; {} without effect",
                                     idle == 1 ? "one key is" : fmt::format("{} keys are", idle)));
    }
    return idle == 0 || command.as_patroni ? 0 : valid_but_idle;
}

/// What the table of keys says.
Result<int> list_keys(const ConfigCommand& command) {
    auto json = nlohmann::ordered_json::array();
    for (const auto& key : config::all_keys()) {
        const std::string path(key.path);
        if (path.find(command.key) == std::string::npos) {
            continue;
        }
        const auto effect = key.effect == config::Effect::full ? std::string("in effect")
                                                               : config::not_acted_on(key);
        if (command.json) {
            json.push_back(
                {{"key", path},
                 {"where", config::where_text(key.where)},
                 {"type", config::type_text(key)},
                 {"default", key.otherwise.empty() ? nlohmann::ordered_json()
                                                   : nlohmann::ordered_json(key.otherwise)},
                 {"effect", effect}});
        } else {
            fmt::print("{}    ({}; {}{})\n", path, config::where_text(key.where),
                       config::type_text(key),
                       key.otherwise.empty() ? "" : fmt::format("; default {}", key.otherwise));
            if (key.effect != config::Effect::full) {
                fmt::print("    {}\n", effect);
            }
        }
    }
    if (command.json) {
        fmt::print("{}\n", json.dump(2));
    }
    return 0;
}

nlohmann::ordered_json dynamic_config(const std::string& file, const std::string& dcs_url) {
    const auto config = operator_config(file, dcs_url);
    const auto cluster = config ? read_cluster(*config, config->scope)
                                : Result<ha::Cluster>(std::unexpected(config.error()));
    if (!cluster) {
        fmt::print(stderr, "warning: /config is not known: {}\n", cluster.error().message);
        return {};
    }
    return api::object_of(cluster->config_json);
}

}  // namespace

Result<int> run(const ConfigCommand& command, const std::string& given,
                const std::string& dcs_url) {
    const auto file = command.file.empty() ? configuration_file(given) : command.file;
    if (command.what == ConfigCommand::What::validate) {
        return validate(command, file);
    }
    if (command.what == ConfigCommand::What::keys) {
        return list_keys(command);
    }
    HD_TRY(const auto sources, config::gather(file, config::process_environment()));
    const auto found = config::explain(sources, dynamic_config(file, dcs_url), command.key);
    if (found.empty()) {
        return fail(Errc::not_found, command.key + ": is set nowhere and has no default",
                    "howdah config explain, without a key, shows all that are set");
    }
    fmt::print("{}", config::render(found));
    return 0;
}

}  // namespace howdah::cli
