#include "config/agent_config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <tuple>

#include "config/dynamic_check.h"
#include "config/dynamic_config.h"
#include "config/hba.h"
#include "config/hba_lockout.h"
#include "config/keys.h"
#include "config/own_paths.h"
#include "config/quantity.h"
#include "config/sources.h"
#include "config/words.h"
#include "config/yaml.h"
#include "config/yaml_scalar.h"
#include "ha/member.h"

namespace howdah::config {
namespace {

std::string home() {
    const auto* dir = std::getenv("HOME");
    return dir == nullptr ? "/tmp" : dir;
}

Diagnostic diagnostic(const Origin& origin, std::string key, std::string message) {
    return {.file = origin.place,
            .line = origin.line,
            .key = std::move(key),
            .message = std::move(message)};
}

/// Sections that the file itself names: ways to make the first cluster, or a standby.
std::set<std::string> named_sections(const nlohmann::ordered_json& all) {
    std::set<std::string> out;
    const auto section = [](const nlohmann::ordered_json& in, const char* key) {
        const auto found = in.is_object() ? in.find(key) : in.end();
        return found != in.end() ? *found : nlohmann::ordered_json();
    };
    const auto bootstrap = section(all, "bootstrap");
    if (const auto method = section(bootstrap, "method"); method.is_string()) {
        out.insert("bootstrap." + method.get<std::string>());
    }
    for (const auto& name : replica_method_names(section(all, "postgresql"))) {
        out.insert("postgresql." + name);
    }
    for (const auto& name :
         replica_method_names(section(section(bootstrap, "dcs"), "postgresql"))) {
        out.insert("bootstrap.dcs.postgresql." + name);
    }
    return out;
}

/// Names every key that is unknown or not acted on; those below bootstrap.dcs are named by
/// check_bootstrap_dcs.
class KeyWalk {
public:
    KeyWalk(const Sources& sources, Purpose purpose)
        : purpose_(purpose), named_(named_sections(sources.document)) {}

    void walk(YamlSection section) {
        for (const auto& name : section.keys()) {
            const auto path = section.path_of(name);
            if (named_.contains(path) || path == "bootstrap.dcs") {
                continue;
            }
            const auto* key = find_key(Document::file, path);
            const auto& value = section.raw(name);
            if (key == nullptr) {
                section.warn(name, "unknown key, ignored; " + guess(Document::file, path), true);
                continue;
            }
            if (key->path == path && key->effect != Effect::full && is_set(*key, value)) {
                tell(section, name, *key);
            }
            if (value.is_object()) {
                walk(section.section(name));
            }
        }
    }

private:
    /// A verb of the operator does nothing with the member's own keys; the store's matter to all.
    void tell(YamlSection& section, const std::string& name, const Key& key) {
        const bool of_the_store =
            !key.path.starts_with("postgresql") && !key.path.starts_with("tag");
        if (key.effect == Effect::refused && (purpose_ == Purpose::agent || of_the_store)) {
            section.refuse(name, not_acted_on(key), "Howdah does not start with it");
        } else {
            section.warn(name, not_acted_on(key), true);
        }
    }

    Purpose purpose_;
    std::set<std::string> named_;
};

/// Parameters of this file that would lead PostgreSQL to other files than the agent's.
void warn_of_own_paths(YamlSection postgresql, AgentConfig& config) {
    auto parameters = postgresql.section("parameters");
    for (const auto& key : parameters.keys()) {
        const auto& value = parameters.raw(key);
        Parameters one{{key, value.is_structured() ? "" : python_text(value)}};
        if (!drop_own_paths(config.postgresql, one).empty()) {
            parameters.warn(key, "ignored: it comes from postgresql.data_dir and config_dir", true);
        }
    }
}

/// Unknown words are refused, so that none can mean "no protection".
void one_of(YamlSection& section, const std::string& key, const std::vector<std::string>& values) {
    if (section.has(key) && std::ranges::find(values, section.text(key)) == values.end()) {
        section.refuse(key, fmt::format("\"{}\" is none of its values", section.text(key)),
                       fmt::format("write one of {}", fmt::join(values, ", ")));
    }
}

Credentials read_credentials(YamlSection section) {
    Credentials c{.username = section.text("username"), .password = section.text("password")};
    one_of(section, "sslmode",
           {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"});
    one_of(section, "gssencmode", {"disable", "prefer", "require"});
    one_of(section, "channel_binding", {"disable", "prefer", "require"});
    one_of(section, "sslnegotiation", {"postgres", "direct"});
    for (const auto* key : {"sslmode", "sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcrl",
                            "sslcrldir", "gssencmode", "channel_binding", "sslnegotiation"}) {
        if (section.has(key)) {
            c.options[key] = section.text(key);
        }
    }
    return c;
}

io::ClientCertificates read_verify_client(YamlSection& section) {
    const auto word = section.word("verify_client", "none");
    if (word == "required") {
        return io::ClientCertificates::required;
    }
    if (word == "optional") {
        return io::ClientCertificates::optional;
    }
    if (word != "none") {
        section.refuse("verify_client", fmt::format("\"{}\" is none of its values", word),
                       "write none, optional or required");
    }
    return io::ClientCertificates::none;
}

/// connect_address: where other members reach what listens at `listen`.
HostPort told_to_others(YamlSection& section, const HostPort& listen) {
    auto told = section.host_port("connect_address", listen.port);
    if (told.port != 0 && is_any(told.host)) {
        section.refuse("connect_address",
                       fmt::format("\"{}\" is no address that others can reach", told.text()),
                       "name the address of this host");
    }
    if (told.port != 0) {
        return told;
    }
    if (!is_any(listen.host)) {
        return listen;
    }
    told = {.host = local_address(listen.host) == "::1" ? "::1" : "127.0.0.1", .port = listen.port};
    section.warn(
        "listen",
        fmt::format("is every address, and connect_address is missing: others are told {}, "
                    "which only this host reaches",
                    told.text()));
    return told;
}

RestApi read_restapi(YamlSection section) {
    RestApi api{.listen = section.host_port("listen", 8008)};
    if (api.listen.port == 0) {
        api.listen = {.host = "127.0.0.1", .port = 8008};
    }
    api.connect_address = told_to_others(section, api.listen);
    if (section.has("authentication")) {
        api.authentication = read_credentials(section.section("authentication"));
    }
    if (section.has("certfile")) {
        api.tls = io::TlsFiles{.ca = section.text("cafile"),
                               .cert = section.text("certfile"),
                               .key = section.text("keyfile"),
                               .key_password = section.text("keyfile_password"),
                               .ciphers = section.text("ciphers")};
        api.verify_client = read_verify_client(section);
    }
    for (const auto* key : {"keyfile", "cafile", "verify_client"}) {
        if (!api.tls && section.has(key) && section.word(key, "") != "none") {
            section.refuse(
                key,
                "asks for TLS, but restapi.certfile is missing: all would be sent in clear text",
                "name the certificate, or remove this key");
        }
    }
    api.allowlist = section.list("allowlist");
    api.allowlist_include_members = section.flag("allowlist_include_members", false);
    for (const auto* key : {"http_extra_headers", "https_extra_headers"}) {
        auto headers = section.section(key);
        if (api.tls || std::string_view(key) == "http_extra_headers") {
            for (const auto& header : headers.keys()) {
                api.extra_headers[header] = headers.text(header);
            }
        }
    }
    return api;
}

/// Members ask each other without looking at host names; without a certificate of their own, at
/// nothing (patroni-compatibility.md 1.5).
void read_ctl(YamlSection section, AgentConfig& config) {
    if (section.has("authentication")) {
        config.ctl_authentication = read_credentials(section.section("authentication"));
    }
    const auto& api = config.restapi.tls;
    const io::TlsFiles files{.ca = section.text("cacert", api ? api->ca : ""),
                             .cert = section.text("certfile"),
                             .key = section.text("keyfile"),
                             .key_password = section.text("keyfile_password")};
    config.peer_tls = config.operator_tls = files;
    config.peer_tls.verify = !files.cert.empty();
    config.peer_tls.verify_host = false;
    config.operator_tls.verify = !section.flag("insecure", false);
}

std::vector<std::string> host_texts(YamlSection& section) {
    if (section.raw("hosts").is_array()) {
        return section.list("hosts");
    }
    std::vector<std::string> out;
    std::istringstream words(section.text("hosts", section.text("host")));
    for (std::string word; std::getline(words, word, ',');) {
        std::erase_if(word,
                      [](unsigned char c) { return std::isspace(c) || c == '\'' || c == '"'; });
        if (!word.empty()) {
            out.push_back(word);
        }
    }
    return out;
}

/// Unknown words do not mean "off".
bool wants_tls(YamlSection& section) {
    auto protocol = section.word("protocol", "");
    if (const auto url = section.text("url"); protocol.empty() && !url.empty()) {
        protocol = lower_case(url.substr(0, url.find("://")));
    }
    if (!protocol.empty() && protocol != "http" && protocol != "https") {
        section.refuse("protocol", fmt::format("\"{}\" is none of its values", protocol),
                       "write http or https");
    }
    if (protocol != "https") {
        for (const auto* key : {"cacert", "cert", "key"}) {
            if (section.has(key)) {
                section.refuse(key,
                               "asks for TLS, but the protocol is http: passwords and the state "
                               "of the cluster would be sent in clear text",
                               "write protocol: https, or remove this key");
                break;
            }
        }
    }
    return protocol == "https";
}

Etcd read_etcd(YamlSection section) {
    Etcd etcd{.tls = wants_tls(section),
              .username = section.text("username"),
              .password = section.text("password"),
              .cacert = section.text("cacert"),
              .cert = section.text("cert"),
              .key = section.text("key")};
    if (auto url = section.text("url"); !url.empty()) {
        url = url.substr(url.find("://") == std::string::npos ? 0 : url.find("://") + 3);
        if (auto host = parse_host_port(url.substr(0, url.find('/')), 2379)) {
            etcd.hosts.push_back(*host);
        } else {
            section.refuse("url", host.error().message, "write http://10.0.0.4:2379");
        }
    }
    for (const auto& text : host_texts(section)) {
        auto host = parse_host_port(text, 2379);
        if (!host) {
            section.refuse(section.has("hosts") ? "hosts" : "host", host.error().message,
                           "write host:port, for example 10.0.0.4:2379");
            break;
        }
        etcd.hosts.push_back(*host);
    }
    if (section.has("compact")) {
        etcd.compact = section.flag("compact", true);
    }
    if (section.has("supervised")) {
        auto own = section.section("supervised");
        SupervisedEtcd s{.name = own.required_text("name", "the name of this etcd member"),
                         .data_dir = own.required_text("data_dir", "a directory for etcd's data"),
                         .client = own.required_text(
                             "client", "the URL for clients, for example http://10.0.0.1:2379"),
                         .peer = own.required_text(
                             "peer", "the URL for peers, for example http://10.0.0.1:2380")};
        auto members = own.section("members");
        for (const auto& member : members.keys()) {
            s.members[member] = members.text(member);
        }
        etcd.supervised = std::move(s);
    }
    const bool told = section.has("hosts") || section.has("host") || section.has("url") ||
                      section.has("srv") || section.has("discovery_srv") || section.has("proxy");
    if (etcd.hosts.empty() && !told) {
        section.refuse("hosts", "is missing",
                       "name the etcd endpoints: hosts: [10.0.0.1:2379, 10.0.0.2:2379]");
    }
    return etcd;
}

/// "data-checksums" -> --data-checksums, {encoding: UTF8} -> --encoding=UTF8 (1.7).
std::vector<std::string> read_initdb(YamlSection& bootstrap) {
    static const std::set<std::string> refused{"pgdata", "nosync", "pwfile", "sync-only",
                                               "version"};
    std::vector<std::string> out;
    const auto add = [&](const std::string& key, const std::optional<std::string>& value) {
        if (refused.contains(key)) {
            bootstrap.refuse("initdb", fmt::format("\"{}\" can't be set here", key),
                             "remove it; Howdah sets it itself");
        }
        out.push_back(value ? fmt::format("--{}={}", key, *value) : "--" + key);
    };
    const auto& options = bootstrap.raw("initdb");
    if (options.is_null()) {
        return out;
    }
    if (!options.is_structured()) {
        bootstrap.refuse("initdb", fmt::format("must be a list, not \"{}\"", python_text(options)),
                         "write one option a line, each after a dash");
        return out;
    }
    for (const auto& item : options.is_array() ? options : nlohmann::ordered_json{options}) {
        if (item.is_object()) {
            for (const auto& [key, value] : item.items()) {
                if (value.is_structured() || value.is_null()) {
                    bootstrap.refuse("initdb", fmt::format("\"{}\" has no value", key),
                                     "write \"- encoding: UTF8\" or \"- data-checksums\"");
                } else {
                    add(key, python_text(value));
                }
            }
        } else if (item.is_string()) {
            add(item.get<std::string>(), std::nullopt);
        } else {
            bootstrap.refuse("initdb", "holds something that is neither an option nor a pair",
                             "write \"- encoding: UTF8\" or \"- data-checksums\"");
        }
    }
    return out;
}

/// A finding of `/config`, whose keys stand below bootstrap.dcs here.
std::string in_a_file(std::string message) {
    constexpr std::string_view asks = "did you mean ";
    if (const auto at = message.find(asks); at != std::string::npos) {
        message.insert(at + asks.size(), "bootstrap.dcs.");
    }
    return message;
}

/// What would become `/config` is checked before anything is started (dynamic_check.h).
void check_bootstrap_dcs(YamlSection& bootstrap, const nlohmann::ordered_json& dcs) {
    for (const auto& finding : check_dynamic_config(dcs)) {
        std::optional<YamlSection> section(bootstrap.section("dcs"));
        auto key = finding.key;
        for (auto dot = key.find('.'); dot != std::string::npos; dot = key.find('.')) {
            auto next = section->section(key.substr(0, dot));
            if (!next.present()) {
                break;  // the dot belongs to the name
            }
            section.emplace(std::move(next));
            key.erase(0, dot + 1);
        }
        if (finding.key == "postgresql.pg_hba") {
            section->warn(key, finding.message);  // as of the file's own lines
        } else if (finding.wrong && !finding.refused) {
            section->refuse(key, finding.message, finding.hint);
        } else {
            section->warn(key,
                          finding.refused ? finding.message + "; no cluster is made with it"
                                          : in_a_file(finding.message),
                          true);
        }
    }
}

/// Lines that PostgreSQL would refuse are told, no more: a file that a member runs with today must
/// not keep its agent from starting.
std::vector<std::string> read_hba(YamlSection& section) {
    auto lines = section.list("pg_hba");
    if (const auto faults = parse_hba(lines).faults; !faults.empty()) {
        section.warn("pg_hba", fault_text(faults) + "; PostgreSQL refuses the whole file");
    }
    return lines;
}

/// `<method>` of 1.7. As with Patroni a name without a command means initdb, which would make an
/// empty cluster where a restore was meant: refused.
std::optional<BootstrapMethod> read_method(YamlSection& bootstrap) {
    const auto name = bootstrap.text("method", "initdb");
    if (name.empty() || name == "initdb") {
        return std::nullopt;
    }
    auto section = bootstrap.section(name);
    const auto command = section.text("command");
    if (command.empty()) {
        bootstrap.refuse("method",
                         fmt::format("is \"{0}\", and bootstrap.{0} has no command", name),
                         "write the command that makes the data directory, or remove method to "
                         "make an empty cluster by initdb");
        return std::nullopt;
    }
    BootstrapMethod method{
        .name = name,
        .no_params = section.flag("no_params", false),
        .keep_existing_recovery_conf = section.flag("keep_existing_recovery_conf", false)};
    if (auto words = shell_words(command)) {
        method.command = *std::move(words);
    } else {
        section.refuse("command", words.error().message, words.error().hint);
    }
    for (const auto& key : section.keys()) {
        if (key == "recovery_conf" || key == "command" || key == "no_params" ||
            key == "keep_existing_recovery_conf") {
            continue;
        }
        method.parameters.push_back(fmt::format("--{}={}", key, section.text(key)));
    }
    auto recovery = section.section("recovery_conf");
    for (const auto& key : recovery.keys()) {
        method.recovery_conf[key] = recovery.text(key);
    }
    return method;
}

Bootstrap read_bootstrap(YamlSection section, AgentConfig& config) {
    Bootstrap b{.initdb = read_initdb(section),
                .pg_hba = read_hba(section),
                .post_bootstrap = section.text("post_bootstrap", section.text("post_init")),
                .method = read_method(section)};
    (void)section.section("dcs");  // must be a mapping
    if (section.has("dcs")) {
        const auto& dcs = section.raw("dcs");
        check_bootstrap_dcs(section, dcs);
        b.dcs_json = dcs.dump();
    }
    auto users = section.section("users");
    if (users.present()) {
        config.warnings.push_back(diagnostic(section.origin("users"), "bootstrap.users",
                                             "Patroni 4 removed it; the users are created, but "
                                             "post_bootstrap is the lasting way"));
        for (const auto& name : users.keys()) {
            auto user = users.section(name);
            b.users.push_back(
                {.name = name, .password = user.text("password"), .options = user.list("options")});
        }
    }
    return b;
}

/// "addr[,addr...]:port"
void read_listen(YamlSection& section, Postgresql& pg) {
    const auto listen = section.required_text(
        "listen", "the address and port of PostgreSQL, for example 10.0.0.1:5432");
    const auto parsed = parse_listen(listen.empty() ? "*:5432" : listen, 5432);
    if (!parsed) {
        section.refuse("listen", parsed.error().message, parsed.error().hint);
        return;
    }
    pg.listen_addresses = parsed->joined();
    pg.port = parsed->port;
    pg.connect_address =
        told_to_others(section, {.host = parsed->hosts.front(), .port = parsed->port});
}

/// What may also come from `/config`, to be merged over it (1.1).
std::string shared_settings(const nlohmann::ordered_json& json) {
    auto out = nlohmann::ordered_json::object();
    const auto methods = replica_method_names(json);
    for (auto it = json.begin(); json.is_object() && it != json.end(); ++it) {
        const auto* key = find_key(Document::file, "postgresql." + it.key());
        if ((key != nullptr && key->where == Where::both) ||
            std::ranges::find(methods, it.key()) != methods.end()) {
            out[it.key()] = it.value();
        }
    }
    return out.dump();
}

Postgresql read_postgresql(YamlSection section, YamlSection root, Purpose purpose) {
    Postgresql pg{.bin_dir = section.text("bin_dir"),
                  .pgpass = section.text("pgpass", home() + "/pgpass"),
                  .database = section.text("database", "postgres")};
    if (purpose == Purpose::agent) {
        read_listen(section, pg);
        pg.data_dir = section.required_text("data_dir", "the directory of PostgreSQL's data");
        while (pg.data_dir.size() > 1 && pg.data_dir.ends_with('/')) {
            pg.data_dir.pop_back();
        }
    } else {
        pg.data_dir = section.text("data_dir");
    }
    pg.config_dir = section.text("config_dir", pg.data_dir);
    auto authentication = section.section("authentication");
    pg.superuser = read_credentials(authentication.section("superuser"));
    pg.replication = read_credentials(authentication.section("replication"));
    if (authentication.has("rewind")) {
        pg.rewind = read_credentials(authentication.section("rewind"));
    }
    if (pg.superuser.username.empty()) {
        pg.superuser.username = "postgres";
    }
    if (purpose == Purpose::agent && pg.replication.username.empty()) {
        authentication.refuse("replication", "is missing",
                              "name the user that standbys stream as: replication: {username: "
                              "replicator, password: ...}");
    }
    pg.pg_hba = read_hba(section);
    pg.pg_ident = section.list("pg_ident");
    pg.use_unix_socket = section.flag("use_unix_socket", false);
    if (purpose == Purpose::agent && parse_hba(pg.pg_hba).faults.empty()) {
        if (const auto out = lockout(pg.pg_hba, pg, {{.name = "another member"}})) {
            section.warn("pg_hba", *out);
        }
    }
    (void)section.section("parameters");  // must be a mapping
    pg.local_json = shared_settings(root.raw("postgresql"));
    return pg;
}

Proxy read_proxy(YamlSection section) {
    Proxy proxy;
    if (section.has("listen")) {
        proxy.read_write = section.host_port("listen", 5000);
    }
    if (section.has("listen_read_only")) {
        proxy.read_only = section.host_port("listen_read_only", 5001);
    }
    proxy.hold_limit = Seconds(section.number("hold_limit", 30, 0, 3600));
    return proxy;
}

Watchdog read_watchdog(YamlSection section) {
    Watchdog watchdog;
    if (!section.present()) {
        return watchdog;
    }
    using Mode = Watchdog::Mode;
    static const std::map<std::string, Mode> modes{{"off", Mode::off},
                                                   {"false", Mode::off},
                                                   {"no", Mode::off},
                                                   {"disable", Mode::off},
                                                   {"disabled", Mode::off},
                                                   {"auto", Mode::automatic},
                                                   {"automatic", Mode::automatic},
                                                   {"require", Mode::required},
                                                   {"required", Mode::required}};
    const auto mode = section.word("mode", "automatic");
    const auto found = modes.find(mode);
    if (found == modes.end()) {
        section.refuse("mode", "is \"" + mode + "\"", "off, automatic or required");
    } else {
        watchdog.mode = found->second;
    }
    watchdog.device = section.text("device", watchdog.device);
    watchdog.safety_margin = Seconds(section.number("safety_margin", 5, -1, 3600));
    return watchdog;
}

void read_tags(YamlSection root, AgentConfig& config) {
    auto tags = root.section("tags");
    if (!tags.present()) {
        return;
    }
    for (const auto* key : {"nofailover", "noloadbalance", "nosync", "nostream", "clonefrom"}) {
        (void)tags.flag(key, false);
    }
    auto json = root.raw("tags");
    const auto meaning = ha::Member{.tags_json = json.dump()}.tags();
    config.nofailover = meaning.nofailover;
    config.failover_priority = meaning.failover_priority;
    for (const auto& [flag, priority, says_no, value] :
         {std::tuple{"nofailover", "failover_priority", meaning.nofailover,
                     meaning.failover_priority},
          std::tuple{"nosync", "sync_priority", meaning.nosync, meaning.sync_priority}}) {
        const bool both = tags.has(flag) && tags.has(priority);
        if (both && says_no != (value <= 0)) {
            tags.warn(priority, fmt::format("is {}, but {} is {}: {} counts", value, flag,
                                            says_no ? "true" : "false", flag));
        }
        // What says nothing is not published, unless it beats a priority (1.10).
        if (const auto it = json.find(flag);
            it != json.end() && (it->is_null() || (*it == false && !tags.has(priority)))) {
            json.erase(flag);
        }
    }
    for (const auto* key : {"clonefrom", "noloadbalance", "nostream"}) {
        if (const auto it = json.find(key); it != json.end() && (it->is_null() || *it == false)) {
            json.erase(key);
        }
    }
    config.tags_json = json.empty() ? "" : json.dump();
}

/// PostgreSQL knows a standby by its application_name: it cuts names at 63 bytes and replaces what
/// is no printable ASCII, so that another name would never count as synchronous.
void check_name(YamlSection& root, const std::string& name) {
    constexpr std::size_t longest = 63;
    const bool plain =
        std::ranges::all_of(name, [](unsigned char c) { return c >= ' ' && c <= '~'; });
    if (name.empty()) {
        root.refuse("name", "is missing", "each member has a name of its own, for example pgvm1");
    } else if (name.size() > longest) {
        root.refuse("name",
                    fmt::format("has {} bytes: PostgreSQL cuts it at {}, and the member would "
                                "never count as synchronous",
                                name.size(), longest),
                    "choose a shorter name");
    } else if (!plain) {
        root.refuse("name",
                    "holds more than printable ASCII: PostgreSQL replaces it, and the member would "
                    "never count as synchronous",
                    "choose another name");
    } else if (name == "__patroni_strict_sync_replica_placeholder__") {
        root.refuse("name", "is what Patroni writes for a missing synchronous standby",
                    "choose another name");
    }
}

void read_sections(YamlSection root, Purpose purpose, AgentConfig& config) {
    config.scope = purpose == Purpose::operator_verb
                       ? root.text("scope")
                       : root.required_text("scope", "the name of the cluster");
    config.namespace_path = namespace_path(root.text("namespace", "/service"));
    config.name = root.text("name", root.section("postgresql").text("name"));
    if (purpose == Purpose::agent) {
        check_name(root, config.name);
    }
    config.restapi = read_restapi(root.section("restapi"));
    read_ctl(root.section("ctl"), config);
    for (const auto* key : {"etcd3", "etcd"}) {
        if (root.has(key) && !config.etcd) {
            config.etcd = read_etcd(root.section(key));
            config.etcd->v2_section = std::string_view(key) == "etcd";
        } else if (root.has(key)) {
            root.refuse(key,
                        "stands beside etcd3: two stores are named, and Patroni would take etcd",
                        "remove the one that does not hold the cluster");
        }
    }
    if (!config.etcd && purpose != Purpose::operator_verb) {
        root.refuse("etcd3", "no configuration store is named",
                    "add for example  etcd3: {hosts: [10.0.0.1:2379]}");
    }
    if (root.has("bootstrap")) {
        config.bootstrap = read_bootstrap(root.section("bootstrap"), config);
    }
    config.postgresql = read_postgresql(root.section("postgresql"), root, purpose);
    config.watchdog = read_watchdog(root.section("watchdog"));
    read_tags(root, config);
    if (root.has("proxy")) {
        config.proxy = read_proxy(root.section("proxy"));
    } else if (purpose == Purpose::proxy) {
        root.refuse(
            "proxy", "is missing",
            "add for example  proxy: {listen: 10.0.0.5:5000, listen_read_only: 10.0.0.5:5001}");
    }
    config.backup_jobs = root.has("backup_jobs");
    config.state_dir =
        root.text("state_dir",
                  config.postgresql.data_dir.empty() ? "" : config.postgresql.data_dir + ".howdah");
}

}  // namespace

std::string namespace_path(const std::string& text) {
    std::string out = "/";
    for (const auto c : text) {
        if (c != '/' || out.back() != '/') {
            out += c;
        }
    }
    while (out.size() > 1 && out.back() == '/') {
        out.pop_back();
    }
    return out == "/" ? "" : out;
}

std::string Diagnostic::text() const {
    return fmt::format("{}: {}: {}", Origin{.place = file, .line = line}.text(), key, message);
}

namespace {

AgentConfig understand(const Sources& sources, const std::string& file, Purpose purpose,
                       std::vector<Error>& wrong) {
    AgentConfig config{.file = file};
    YamlSection::Shared shared{.sources = sources};
    YamlSection root(sources.document, "", shared);
    KeyWalk(sources, purpose).walk(root);
    read_sections(root, purpose, config);
    warn_of_own_paths(root.section("postgresql"), config);
    for (const auto& remark : sources.remarks) {
        config.warnings.push_back(diagnostic(remark.origin, remark.path, remark.text));
    }
    config.warnings.insert(config.warnings.end(), shared.warnings.begin(), shared.warnings.end());
    std::sort(config.warnings.begin(), config.warnings.end(),
              [](const Diagnostic& a, const Diagnostic& b) {
                  return std::tie(a.file, a.line, a.key) < std::tie(b.file, b.line, b.key);
              });
    wrong = std::move(shared.errors);
    return config;
}

Result<AgentConfig> first_error_or(AgentConfig config, const std::vector<Error>& wrong) {
    if (!wrong.empty()) {
        return std::unexpected(wrong.front());
    }
    return config;
}

}  // namespace

Result<AgentConfig> parse_agent_config(const std::string& text, const std::string& file,
                                       Purpose purpose) {
    HD_TRY(const auto sources, gather_text(text, file));
    std::vector<Error> wrong;
    auto config = understand(sources, file, purpose, wrong);
    return first_error_or(std::move(config), wrong);
}

Result<AgentConfig> load_agent_config(const std::string& file, Purpose purpose) {
    HD_TRY(const auto sources, gather(file, process_environment()));
    std::vector<Error> wrong;
    auto config = understand(sources, file, purpose, wrong);
    return first_error_or(std::move(config), wrong);
}

Checked check_agent_config(const Sources& sources, const std::string& file) {
    Checked out;
    out.config = understand(sources, file, Purpose::agent, out.wrong);
    return out;
}

}  // namespace howdah::config
