#include "config/schema.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/nearest.h"

namespace howdah::config {
namespace {

std::vector<std::string> split(const std::string& words) {
    std::vector<std::string> out;
    std::size_t at = 0;
    while (at < words.size()) {
        const auto end = std::min(words.find(' ', at), words.size());
        if (end > at) {
            out.push_back(words.substr(at, end - at));
        }
        at = end + 1;
    }
    return out;
}

struct Section {
    std::string path;
    std::string keys;  ///< a trailing '*' marks a section that takes any key
};

const std::vector<Section>& sections() {
    static const std::string etcd =
        "host hosts url proxy srv srv_suffix protocol username password cacert cert key "
        "use_proxies discovery_srv "
        "srv_domain supervised compact";
    static const std::string supervised = "name data_dir client peer members*";
    static const std::string credentials =
        "username password sslmode sslcert sslkey sslpassword sslrootcert sslcrl sslcrldir "
        "gssencmode channel_binding "
        "sslnegotiation";
    static const std::vector<Section> all{
        {"",
         "scope name namespace thread_pool_size thread_stack_size state_dir log restapi ctl etcd "
         "etcd3 consul* "
         "zookeeper* exhibitor* raft* kubernetes* bootstrap postgresql watchdog tags* citus* proxy "
         "backup_jobs "
         "repo"},
        {"log",
         "type level traceback_level format* dateformat static_fields* max_queue_size dir mode "
         "file_num "
         "file_size loggers* deduplicate_heartbeat_logs"},
        {"restapi",
         "listen connect_address authentication certfile keyfile keyfile_password cafile ciphers "
         "verify_client allowlist allowlist_include_members http_extra_headers* "
         "https_extra_headers* "
         "request_queue_size thread_pool_size server_tokens"},
        {"restapi.authentication", "username password"},
        {"ctl", "authentication insecure cacert certfile keyfile keyfile_password"},
        {"ctl.authentication", "username password"},
        {"etcd", etcd},
        {"etcd3", etcd},
        {"etcd.supervised", supervised},
        {"etcd3.supervised", supervised},
        {"bootstrap", "dcs method initdb* pg_hba users* post_bootstrap post_init"},
        {"bootstrap.dcs",
         "ttl loop_wait retry_timeout maximum_lag_on_failover maximum_lag_on_syncnode "
         "max_timelines_history "
         "primary_start_timeout master_start_timeout primary_stop_timeout master_stop_timeout "
         "primary_race_backoff "
         "check_timeline synchronous_mode synchronous_mode_strict synchronous_node_count "
         "failsafe_mode pause "
         "standby_cluster* slots* permanent_slots* permanent_replication_slots* ignore_slots* "
         "member_slots_ttl "
         "postgresql howdah"},
        {"bootstrap.dcs.howdah", "lease archive_into archive_claim origin"},
        {"bootstrap.dcs.postgresql",
         "use_slots parameters* parameters_primary* parameters_replica* "
         "parameters_standby_leader* pg_hba pg_ident pg_hba_primary pg_hba_replica "
         "pg_hba_standby_leader pg_ident_primary pg_ident_replica pg_ident_standby_leader "
         "recovery_conf* custom_conf "
         "use_pg_rewind rewind* remove_data_directory_on_rewind_failure "
         "remove_data_directory_on_diverged_timelines use_unix_socket use_unix_socket_repl "
         "create_replica_methods create_replica_method basebackup* callbacks* pre_promote "
         "before_stop pg_ctl_timeout krbsrvname bin_dir bin_name* database"},
        {"postgresql",
         "listen connect_address proxy_address data_dir config_dir bin_dir bin_name* pgpass "
         "database authentication "
         "parameters* parameters_primary* parameters_replica* parameters_standby_leader* pg_hba "
         "pg_ident "
         "pg_hba_primary pg_hba_replica pg_hba_standby_leader pg_ident_primary pg_ident_replica "
         "pg_ident_standby_leader recovery_conf* custom_conf config_base_name use_pg_rewind "
         "rewind* "
         "remove_data_directory_on_rewind_failure remove_data_directory_on_diverged_timelines "
         "use_slots "
         "use_unix_socket use_unix_socket_repl create_replica_methods create_replica_method "
         "basebackup* callbacks* "
         "pre_promote before_stop pg_ctl_timeout krbsrvname name"},
        {"postgresql.authentication", "superuser replication rewind"},
        {"postgresql.authentication.superuser", credentials},
        {"postgresql.authentication.replication", credentials},
        {"postgresql.authentication.rewind", credentials},
        {"watchdog", "mode device safety_margin driver"},
        {"proxy", "listen listen_read_only hold_limit"},
        {"backup_jobs", "listen tls config"},
        {"backup_jobs.tls", "ca cert key"},
        {"repo", "config listen tls schedule* state"},
        {"repo.tls", "ca cert key"},
    };
    return all;
}

const Section* section_at(const std::string& path) {
    const auto& all = sections();
    const auto it =
        std::find_if(all.begin(), all.end(), [&](const Section& s) { return s.path == path; });
    return it == all.end() ? nullptr : &*it;
}

std::pair<std::string, std::string> parent_and_key(const std::string& path) {
    const auto dot = path.rfind('.');
    return dot == std::string::npos ? std::pair{std::string(), path}
                                    : std::pair{path.substr(0, dot), path.substr(dot + 1)};
}

std::string join(const std::string& section, const std::string& key) {
    return section.empty() ? key : section + "." + key;
}

bool is_open(const std::string& path) {
    const auto [parent, key] = parent_and_key(path);
    const auto* section = section_at(parent);
    const auto keys = section == nullptr ? std::vector<std::string>{} : split(section->keys);
    return std::find(keys.begin(), keys.end(), key + "*") != keys.end();
}

}  // namespace

bool is_known(const std::string& path) {
    const auto [parent, key] = parent_and_key(path);
    if (const auto* section = section_at(parent)) {
        const auto keys = split(section->keys);
        return std::find(keys.begin(), keys.end(), key) != keys.end() ||
               std::find(keys.begin(), keys.end(), key + "*") != keys.end();
    }
    for (auto up = parent; !up.empty(); up = parent_and_key(up).first) {
        if (is_open(up)) {
            return true;
        }
    }
    return false;
}

std::string guess(const std::string& path) {
    const auto [parent, key] = parent_and_key(path);
    std::vector<std::string> near;
    if (const auto* section = section_at(parent)) {
        for (auto known : split(section->keys)) {
            if (known.ends_with('*')) {
                known.pop_back();
            }
            near.push_back(known);
        }
    }
    if (const auto typo = nearest(key, near)) {
        return fmt::format("did you mean {}?", join(parent, *typo));
    }
    // The same word in another place: the one that shares most of the path.
    std::string best;
    for (const auto& section : sections()) {
        const auto keys = split(section.keys);
        const auto here = std::find(keys.begin(), keys.end(), key) != keys.end() ||
                          std::find(keys.begin(), keys.end(), key + "*") != keys.end();
        const auto shared = parent.starts_with(section.path) ? section.path.size() : 0;
        const auto best_shared =
            parent.starts_with(parent_and_key(best).first) ? parent_and_key(best).first.size() : 0;
        if (here && (best.empty() || shared > best_shared)) {
            best = join(section.path, key);
        }
    }
    if (!best.empty()) {
        return fmt::format("did you mean {}?", best);
    }
    if (parent == "postgresql" || parent == "bootstrap.dcs.postgresql") {
        return fmt::format("did you mean {}.parameters.{}?", parent, key);
    }
    if (parent.empty()) {
        return "it is no section of patroni.yml";
    }
    return fmt::format("{} knows no such key", parent);
}

std::optional<std::string> not_yet(const std::string& path) {
    static const std::vector<std::string> later{"log",
                                                "citus",
                                                "consul",
                                                "zookeeper",
                                                "kubernetes",
                                                "exhibitor",
                                                "raft",
                                                "bootstrap.dcs.standby_cluster",
                                                "bootstrap.dcs.slots",
                                                "postgresql.callbacks",
                                                "postgresql.pre_promote",
                                                "postgresql.before_stop"};
    if (std::find(later.begin(), later.end(), path) != later.end()) {
        return "not supported yet, ignored";
    }
    return std::nullopt;
}

}  // namespace howdah::config
