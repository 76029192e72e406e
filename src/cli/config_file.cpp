#include "cli/config_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "config/addresses.h"
#include "config/environment.h"

namespace howdah::cli {

namespace {

std::string variable(const char* name) {
    const auto* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

}  // namespace

std::string configuration_file(const std::string& given) {
    for (const auto& file :
         {given, variable("HOWDAH_CONFIG"), variable("PATRONICTL_CONFIG_FILE")}) {
        if (!file.empty()) {
            return file;
        }
    }
    const auto usual = variable("HOME") + "/.config/patroni/patronictl.yaml";
    return ::access(usual.c_str(), R_OK) == 0 ? usual : "";
}

Result<> use_store(const std::string& dcs_url, config::AgentConfig& config) {
    auto rest = dcs_url;
    std::string scheme = "etcd3";
    if (const auto end = rest.find("://"); end != std::string::npos) {
        scheme = rest.substr(0, end);
        rest.erase(0, end + 3);
    }
    if (scheme != "etcd" && scheme != "etcd3" && scheme != "http" && scheme != "https") {
        return fail(Errc::invalid,
                    fmt::format("{}: \"{}\" is no store that Howdah knows", dcs_url, scheme),
                    "etcd3://HOST:2379/NAMESPACE");
    }
    const auto slash = rest.find('/');
    if (slash != std::string::npos && slash + 1 < rest.size()) {
        config.namespace_path = config::namespace_path(rest.substr(slash + 1));
    }
    auto host = config::parse_host_port(rest.substr(0, slash), 2379);
    if (!host || host->host.empty()) {
        return fail(Errc::invalid, fmt::format("{}: no host and port", dcs_url),
                    "etcd3://HOST:2379/NAMESPACE");
    }
    auto etcd = config.etcd.value_or(config::Etcd{});
    etcd.hosts = {*host};
    etcd.supervised.reset();
    etcd.tls = scheme == "https" || (scheme != "http" && etcd.tls);
    config.etcd = std::move(etcd);
    return {};
}

Result<config::AgentConfig> operator_config(const std::string& given, const std::string& dcs_url,
                                            bool insecure) {
    const auto url = dcs_url.empty() ? variable("DCS_URL") : dcs_url;
    const auto file = configuration_file(given);
    const auto known = config::read_environment(config::process_environment());
    const bool environment =
        !variable("PATRONI_CONFIGURATION").empty() || !known || !known->empty();
    if (file.empty() && url.empty() && !environment) {
        return fail(Errc::invalid, "no configuration given",
                    "-c FILE names a patroni.yml, or set HOWDAH_CONFIG");
    }
    config::AgentConfig config;
    if (!file.empty() || environment) {
        HD_TRY(config, config::load_agent_config(file, config::Purpose::operator_verb));
    }
    if (!url.empty()) {
        HD_TRY_VOID(use_store(url, config));
    }
    config.operator_tls.verify = config.operator_tls.verify && !insecure;
    return config;
}

}  // namespace howdah::cli
