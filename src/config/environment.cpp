#include "config/environment.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cctype>

#include "config/yaml_document.h"

extern char** environ;

namespace howdah::config {
namespace {

enum class Kind : std::uint8_t { text, list, map };

struct Variable {
    std::string name{};  ///< without PATRONI_
    std::string path{};
    Kind kind = Kind::text;
};

std::string upper(std::string text) {
    for (auto& c : text) {
        c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    return text;
}

void add(std::vector<Variable>& all, const std::string& prefix, const std::string& path,
         std::initializer_list<const char*> keys, Kind kind = Kind::text) {
    for (const std::string key : keys) {
        all.push_back({.name = prefix + upper(key),
                       .path = path.empty() ? key : path + "." + key,
                       .kind = kind});
    }
}

std::vector<Variable> list_variables() {
    std::vector<Variable> all;
    add(all, "", "", {"name", "namespace", "scope", "thread_pool_size", "thread_stack_size"});
    add(all, "RESTAPI_", "restapi",
        {"listen", "connect_address", "certfile", "keyfile", "keyfile_password", "cafile",
         "ciphers", "verify_client", "allowlist_include_members", "request_queue_size",
         "server_tokens", "thread_pool_size"});
    add(all, "RESTAPI_", "restapi", {"http_extra_headers", "https_extra_headers"}, Kind::map);
    add(all, "RESTAPI_", "restapi", {"allowlist"}, Kind::list);
    add(all, "RESTAPI_", "restapi.authentication", {"username", "password"});
    add(all, "CTL_", "ctl", {"insecure", "cacert", "certfile", "keyfile", "keyfile_password"});
    add(all, "CTL_", "ctl.authentication", {"username", "password"});
    add(all, "POSTGRESQL_", "postgresql",
        {"listen", "connect_address", "proxy_address", "config_dir", "data_dir", "pgpass",
         "bin_dir"});
    add(all, "POSTGRESQL_BIN_", "postgresql.bin_name",
        {"pg_ctl", "initdb", "pg_controldata", "pg_basebackup", "postgres", "pg_isready",
         "pg_rewind"});
    for (const std::string role : {"superuser", "replication", "rewind"}) {
        add(all, upper(role) + "_", "postgresql.authentication." + role,
            {"username", "password", "sslmode", "sslcert", "sslkey", "sslpassword", "sslrootcert",
             "sslcrl", "sslcrldir", "gssencmode", "channel_binding", "sslnegotiation"});
    }
    add(all, "LOG_", "log",
        {"type", "level", "traceback_level", "format", "dateformat", "max_queue_size", "dir",
         "mode", "file_size", "file_num", "deduplicate_heartbeat_logs"});
    add(all, "LOG_", "log", {"static_fields", "loggers"}, Kind::map);
    all.push_back({.name = "LOGLEVEL", .path = "log.level"});
    all.push_back({.name = "LOGFORMAT", .path = "log.format"});
    all.push_back({.name = "LOG_DATEFMT", .path = "log.dateformat"});
    for (const std::string store : {"etcd3", "etcd"}) {
        add(all, upper(store) + "_", store,
            {"host", "url", "proxy", "use_proxies", "protocol", "srv", "srv_suffix", "cacert",
             "cert", "key", "username", "password"});
        add(all, upper(store) + "_", store, {"hosts"}, Kind::list);
    }
    return all;
}

const std::vector<Variable>& variables() {
    static const auto all = list_variables();
    return all;
}

/// Lists are 'a','b' with or without brackets, maps a: b with or without braces.
Result<nlohmann::ordered_json> value_of(const Variable& variable, const std::string& text) {
    if (variable.kind == Kind::text) {
        return nlohmann::ordered_json(text);
    }
    const bool list = variable.kind == Kind::list;
    const auto first = text.find_first_not_of(" \t");
    const bool open = first != std::string::npos && text[first] == (list ? '[' : '{');
    const auto* hint = list ? "write 'a','b'" : "write key: value, key: value";
    const auto read = read_yaml(open   ? text
                                : list ? "[" + text + "]"
                                       : "{" + text + "}",
                                variable.name);
    if (read && (list ? read->value.is_array() : read->value.is_object())) {
        return read->value;
    }
    return fail(
        Errc::invalid,
        fmt::format("environment: PATRONI_{}: is no {}", variable.name, list ? "list" : "map"),
        hint);
}

}  // namespace

Environment process_environment() {
    Environment out;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string line(*entry);
        if (const auto equals = line.find('='); equals != std::string::npos) {
            out.emplace(line.substr(0, equals), line.substr(equals + 1));
        }
    }
    return out;
}

Result<std::vector<Assignment>> read_environment(const Environment& environment) {
    std::vector<Assignment> out;
    for (const auto& variable : variables()) {
        const auto name = "PATRONI_" + variable.name;
        const auto it = environment.find(name);
        if (it == environment.end() || it->second.empty()) {
            continue;
        }
        HD_TRY(auto value, value_of(variable, it->second));
        out.push_back({.variable = name, .path = variable.path, .value = std::move(value)});
    }
    return out;
}

std::vector<std::string> paths_of_environment() {
    std::vector<std::string> out;
    for (const auto& variable : variables()) {
        out.push_back(variable.path);
    }
    return out;
}

std::string variable_for(const std::string& path) {
    for (const auto& variable : variables()) {
        if (variable.path == path) {
            return "PATRONI_" + variable.name;
        }
    }
    return {};
}

}  // namespace howdah::config
