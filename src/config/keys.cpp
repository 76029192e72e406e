#include "config/keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/nearest.h"
#include "config/quantity.h"
#include "config/yaml_scalar.h"

namespace howdah::config {
namespace {

using enum Where;
using enum Kind;
using enum Effect;

constexpr std::array keys{
    Key{.path = "scope"},
    Key{.path = "name"},
    Key{.path = "namespace", .otherwise = "/service"},
    Key{.path = "thread_pool_size",
        .kind = count,
        .effect = none,
        .remark = "there is no pool of threads"},
    Key{.path = "thread_stack_size",
        .kind = count,
        .effect = none,
        .remark = "there is no pool of threads"},
    Key{.path = "state_dir"},
    Key{.path = "log",
        .kind = open,
        .effect = none,
        .remark = "messages go to the standard error; HOWDAH_LOG_LEVEL sets their level"},
    Key{.path = "restapi", .kind = section},
    Key{.path = "restapi.listen"},
    Key{.path = "restapi.connect_address"},
    Key{.path = "restapi.authentication", .kind = section},
    Key{.path = "restapi.authentication.username"},
    Key{.path = "restapi.authentication.password"},
    Key{.path = "restapi.certfile"},
    Key{.path = "restapi.keyfile"},
    Key{.path = "restapi.keyfile_password"},
    Key{.path = "restapi.cafile"},
    Key{.path = "restapi.ciphers"},
    Key{.path = "restapi.verify_client", .otherwise = "none"},
    Key{.path = "restapi.allowlist", .kind = list},
    Key{.path = "restapi.allowlist_include_members", .kind = flag, .otherwise = "false"},
    Key{.path = "restapi.http_extra_headers", .kind = open},
    Key{.path = "restapi.https_extra_headers", .kind = open},
    Key{.path = "restapi.request_queue_size",
        .kind = count,
        .effect = none,
        .remark = "the queue is the largest that the system allows"},
    Key{.path = "restapi.thread_pool_size",
        .kind = count,
        .effect = none,
        .remark = "there is no pool of threads"},
    Key{.path = "restapi.server_tokens",
        .effect = none,
        .remark = "no Server header is sent at all"},
    Key{.path = "ctl", .kind = section},
    Key{.path = "ctl.authentication", .kind = section},
    Key{.path = "ctl.authentication.username"},
    Key{.path = "ctl.authentication.password"},
    Key{.path = "ctl.insecure", .kind = flag, .otherwise = "false"},
    Key{.path = "ctl.cacert"},
    Key{.path = "ctl.certfile"},
    Key{.path = "ctl.keyfile"},
    Key{.path = "ctl.keyfile_password"},
    Key{.path = "etcd", .kind = section},
    Key{.path = "etcd.host"},
    Key{.path = "etcd.hosts", .kind = any},
    Key{.path = "etcd.url"},
    Key{.path = "etcd.protocol", .otherwise = "http"},
    Key{.path = "etcd.username"},
    Key{.path = "etcd.password"},
    Key{.path = "etcd.cacert"},
    Key{.path = "etcd.cert"},
    Key{.path = "etcd.key"},
    Key{.path = "etcd.compact", .kind = flag},
    Key{.path = "etcd.supervised", .kind = section},
    Key{.path = "etcd.supervised.name"},
    Key{.path = "etcd.supervised.data_dir"},
    Key{.path = "etcd.supervised.client"},
    Key{.path = "etcd.supervised.peer"},
    Key{.path = "etcd.supervised.members", .kind = open},
    Key{.path = "etcd.srv",
        .effect = refused,
        .remark = "endpoints are not looked up in DNS; name them in hosts"},
    Key{.path = "etcd.srv_suffix",
        .effect = refused,
        .remark = "endpoints are not looked up in DNS; name them in hosts"},
    Key{.path = "etcd.discovery_srv",
        .effect = refused,
        .remark = "endpoints are not looked up in DNS; name them in hosts"},
    Key{.path = "etcd.srv_domain",
        .effect = refused,
        .remark = "endpoints are not looked up in DNS; name them in hosts"},
    Key{.path = "etcd.proxy",
        .kind = any,
        .effect = refused,
        .remark = "etcd is asked directly, not through a proxy; name its endpoints in hosts and "
                  "remove this key"},
    Key{.path = "etcd.use_proxies",
        .kind = any,
        .effect = refused,
        .remark = "etcd is asked directly, not through a proxy; name its endpoints in hosts and "
                  "remove this key"},
    Key{.path = "etcd3", .kind = section},
    Key{.path = "etcd3.host"},
    Key{.path = "etcd3.hosts", .kind = any},
    Key{.path = "etcd3.url"},
    Key{.path = "etcd3.protocol", .otherwise = "http"},
    Key{.path = "etcd3.username"},
    Key{.path = "etcd3.password"},
    Key{.path = "etcd3.cacert"},
    Key{.path = "etcd3.cert"},
    Key{.path = "etcd3.key"},
    Key{.path = "etcd3.compact", .kind = flag},
    Key{.path = "etcd3.supervised", .kind = section},
    Key{.path = "etcd3.supervised.name"},
    Key{.path = "etcd3.supervised.data_dir"},
    Key{.path = "etcd3.supervised.client"},
    Key{.path = "etcd3.supervised.peer"},
    Key{.path = "etcd3.supervised.members", .kind = open},
    Key{.path = "etcd3.srv",
        .effect = refused,
        .remark = "endpoints are not looked up in DNS; name them in hosts"},
    Key{.path = "etcd3.srv_suffix",
        .effect = refused,
        .remark = "endpoints are not looked up in DNS; name them in hosts"},
    Key{.path = "etcd3.discovery_srv",
        .effect = refused,
        .remark = "endpoints are not looked up in DNS; name them in hosts"},
    Key{.path = "etcd3.srv_domain",
        .effect = refused,
        .remark = "endpoints are not looked up in DNS; name them in hosts"},
    Key{.path = "etcd3.proxy",
        .kind = any,
        .effect = refused,
        .remark = "etcd is asked directly, not through a proxy; name its endpoints in hosts and "
                  "remove this key"},
    Key{.path = "etcd3.use_proxies",
        .kind = any,
        .effect = refused,
        .remark = "etcd is asked directly, not through a proxy; name its endpoints in hosts and "
                  "remove this key"},
    Key{.path = "consul",
        .kind = open,
        .effect = refused,
        .remark = "Howdah keeps its state in etcd alone; move the site to etcd3 first, and remove "
                  "this section"},
    Key{.path = "zookeeper",
        .kind = open,
        .effect = refused,
        .remark = "Howdah keeps its state in etcd alone; move the site to etcd3 first, and remove "
                  "this section"},
    Key{.path = "exhibitor",
        .kind = open,
        .effect = refused,
        .remark = "Howdah keeps its state in etcd alone; move the site to etcd3 first, and remove "
                  "this section"},
    Key{.path = "raft",
        .kind = open,
        .effect = refused,
        .remark = "Howdah keeps its state in etcd alone; move the site to etcd3 first, and remove "
                  "this section"},
    Key{.path = "kubernetes",
        .kind = open,
        .effect = refused,
        .remark = "Howdah keeps its state in etcd alone; move the site to etcd3 first, and remove "
                  "this section"},
    Key{.path = "citus",
        .kind = open,
        .effect = refused,
        .remark = "groups of Citus are not led; leave this cluster to Patroni"},
    Key{.path = "bootstrap", .kind = section},
    Key{.path = "bootstrap.dcs", .kind = section},
    Key{.path = "bootstrap.method", .otherwise = "initdb"},
    Key{.path = "bootstrap.initdb", .kind = any},
    Key{.path = "bootstrap.pg_hba", .kind = list},
    Key{.path = "bootstrap.users", .kind = open},
    Key{.path = "bootstrap.post_bootstrap"},
    Key{.path = "bootstrap.post_init"},
    Key{.path = "postgresql", .where = both, .kind = section},
    Key{.path = "postgresql.name"},
    Key{.path = "postgresql.listen"},
    Key{.path = "postgresql.connect_address"},
    Key{.path = "postgresql.proxy_address",
        .effect = none,
        .remark = "members do not publish a proxy_url"},
    Key{.path = "postgresql.data_dir"},
    Key{.path = "postgresql.config_dir"},
    Key{.path = "postgresql.pgpass"},
    Key{.path = "postgresql.config_base_name",
        .effect = none,
        .remark = "the file that was there becomes postgresql.base.conf"},
    Key{.path = "postgresql.bin_dir"},
    Key{.path = "postgresql.database", .otherwise = "postgres"},
    Key{.path = "postgresql.use_unix_socket", .kind = flag, .otherwise = "false"},
    Key{.path = "postgresql.authentication", .kind = section},
    Key{.path = "postgresql.authentication.superuser", .kind = section},
    Key{.path = "postgresql.authentication.superuser.username"},
    Key{.path = "postgresql.authentication.superuser.password"},
    Key{.path = "postgresql.authentication.superuser.sslmode"},
    Key{.path = "postgresql.authentication.superuser.sslcert"},
    Key{.path = "postgresql.authentication.superuser.sslkey"},
    Key{.path = "postgresql.authentication.superuser.sslpassword"},
    Key{.path = "postgresql.authentication.superuser.sslrootcert"},
    Key{.path = "postgresql.authentication.superuser.sslcrl"},
    Key{.path = "postgresql.authentication.superuser.sslcrldir"},
    Key{.path = "postgresql.authentication.superuser.gssencmode"},
    Key{.path = "postgresql.authentication.superuser.channel_binding"},
    Key{.path = "postgresql.authentication.superuser.sslnegotiation"},
    Key{.path = "postgresql.authentication.replication", .kind = section},
    Key{.path = "postgresql.authentication.replication.username"},
    Key{.path = "postgresql.authentication.replication.password"},
    Key{.path = "postgresql.authentication.replication.sslmode"},
    Key{.path = "postgresql.authentication.replication.sslcert"},
    Key{.path = "postgresql.authentication.replication.sslkey"},
    Key{.path = "postgresql.authentication.replication.sslpassword"},
    Key{.path = "postgresql.authentication.replication.sslrootcert"},
    Key{.path = "postgresql.authentication.replication.sslcrl"},
    Key{.path = "postgresql.authentication.replication.sslcrldir"},
    Key{.path = "postgresql.authentication.replication.gssencmode"},
    Key{.path = "postgresql.authentication.replication.channel_binding"},
    Key{.path = "postgresql.authentication.replication.sslnegotiation"},
    Key{.path = "postgresql.authentication.rewind", .kind = section},
    Key{.path = "postgresql.authentication.rewind.username"},
    Key{.path = "postgresql.authentication.rewind.password"},
    Key{.path = "postgresql.authentication.rewind.sslmode"},
    Key{.path = "postgresql.authentication.rewind.sslcert"},
    Key{.path = "postgresql.authentication.rewind.sslkey"},
    Key{.path = "postgresql.authentication.rewind.sslpassword"},
    Key{.path = "postgresql.authentication.rewind.sslrootcert"},
    Key{.path = "postgresql.authentication.rewind.sslcrl"},
    Key{.path = "postgresql.authentication.rewind.sslcrldir"},
    Key{.path = "postgresql.authentication.rewind.gssencmode"},
    Key{.path = "postgresql.authentication.rewind.channel_binding"},
    Key{.path = "postgresql.authentication.rewind.sslnegotiation"},
    Key{.path = "postgresql.parameters", .where = both, .kind = open},
    Key{.path = "postgresql.parameters_primary",
        .where = both,
        .kind = open,
        .effect = none,
        .remark = "parameters are the same in every role"},
    Key{.path = "postgresql.parameters_replica",
        .where = both,
        .kind = open,
        .effect = none,
        .remark = "parameters are the same in every role"},
    Key{.path = "postgresql.parameters_standby_leader",
        .where = both,
        .kind = open,
        .effect = none,
        .remark = "parameters are the same in every role"},
    Key{.path = "postgresql.pg_hba", .where = both, .kind = list},
    Key{.path = "postgresql.pg_ident", .where = both, .kind = list},
    Key{.path = "postgresql.pg_hba_primary",
        .where = both,
        .kind = list,
        .effect = refused,
        .remark = "the rules of a role would not apply; write them into postgresql.pg_hba"},
    Key{.path = "postgresql.pg_hba_replica",
        .where = both,
        .kind = list,
        .effect = refused,
        .remark = "the rules of a role would not apply; write them into postgresql.pg_hba"},
    Key{.path = "postgresql.pg_hba_standby_leader",
        .where = both,
        .kind = list,
        .effect = refused,
        .remark = "the rules of a role would not apply; write them into postgresql.pg_hba"},
    Key{.path = "postgresql.pg_ident_primary",
        .where = both,
        .kind = list,
        .effect = refused,
        .remark = "the rules of a role would not apply; write them into postgresql.pg_ident"},
    Key{.path = "postgresql.pg_ident_replica",
        .where = both,
        .kind = list,
        .effect = refused,
        .remark = "the rules of a role would not apply; write them into postgresql.pg_ident"},
    Key{.path = "postgresql.pg_ident_standby_leader",
        .where = both,
        .kind = list,
        .effect = refused,
        .remark = "the rules of a role would not apply; write them into postgresql.pg_ident"},
    Key{.path = "postgresql.recovery_conf", .where = both, .kind = open},
    Key{.path = "postgresql.custom_conf", .where = both},
    Key{.path = "postgresql.use_slots", .where = config, .kind = flag, .otherwise = "true"},
    Key{.path = "postgresql.use_pg_rewind", .where = both, .kind = flag, .otherwise = "false"},
    Key{.path = "postgresql.rewind",
        .where = both,
        .kind = any,
        .effect = none,
        .remark = "pg_rewind gets no further options"},
    Key{.path = "postgresql.remove_data_directory_on_rewind_failure",
        .where = both,
        .kind = flag,
        .otherwise = "false"},
    Key{.path = "postgresql.remove_data_directory_on_diverged_timelines",
        .where = both,
        .kind = flag,
        .effect = none,
        .remark = "a directory that left the history is always set aside and copied anew"},
    Key{.path = "postgresql.use_unix_socket_repl",
        .where = both,
        .kind = flag,
        .effect = none,
        .remark = "standbys connect by TCP"},
    Key{.path = "postgresql.create_replica_methods", .where = both, .kind = list},
    Key{.path = "postgresql.create_replica_method", .where = both, .kind = list},
    Key{.path = "postgresql.basebackup", .where = both, .kind = any},
    Key{.path = "postgresql.callbacks", .where = both, .kind = section},
    Key{.path = "postgresql.callbacks.on_start", .where = both},
    Key{.path = "postgresql.callbacks.on_stop", .where = both},
    Key{.path = "postgresql.callbacks.on_restart", .where = both},
    Key{.path = "postgresql.callbacks.on_role_change", .where = both},
    Key{.path = "postgresql.callbacks.on_reload", .where = both},
    Key{.path = "postgresql.pre_promote",
        .where = both,
        .effect = refused,
        .remark = "it would not be asked before a promotion; remove it"},
    Key{.path = "postgresql.before_stop",
        .where = both,
        .effect = refused,
        .remark = "it would not be run before PostgreSQL stops; remove it"},
    Key{.path = "postgresql.pg_ctl_timeout", .where = both, .kind = count, .otherwise = "60"},
    Key{.path = "postgresql.krbsrvname",
        .where = both,
        .effect = none,
        .remark = "connections use the service name postgres"},
    Key{.path = "postgresql.bin_name",
        .where = both,
        .kind = open,
        .effect = refused,
        .remark = "programs are found by their own names; put links with these names into bin_dir"},
    Key{.path = "watchdog", .kind = section},
    Key{.path = "watchdog.mode", .otherwise = "automatic"},
    Key{.path = "watchdog.device", .otherwise = "/dev/watchdog"},
    Key{.path = "watchdog.safety_margin", .kind = count, .least = -1, .otherwise = "5"},
    Key{.path = "watchdog.driver", .effect = none, .remark = "there is one driver"},
    Key{.path = "tags", .kind = open},
    Key{.path = "tags.nofailover", .kind = flag},
    Key{.path = "tags.noloadbalance", .kind = flag},
    Key{.path = "tags.nosync", .kind = flag},
    Key{.path = "tags.failover_priority", .kind = any},
    Key{.path = "tags.sync_priority", .kind = any},
    Key{.path = "tags.clonefrom",
        .kind = flag,
        .effect = none,
        .remark = "copies come from the leader"},
    Key{.path = "tags.replicatefrom",
        .effect = none,
        .remark = "every standby streams from the leader"},
    Key{.path = "tags.nostream",
        .kind = flag,
        .effect = refused,
        .remark = "this member would stream all the same, and count for synchronous replication; "
                  "remove it"},
    Key{.path = "proxy", .kind = section},
    Key{.path = "proxy.listen"},
    Key{.path = "proxy.listen_read_only"},
    Key{.path = "proxy.hold_limit", .kind = count, .otherwise = "30"},
    Key{.path = "backup_jobs", .kind = section},
    Key{.path = "backup_jobs.listen"},
    Key{.path = "backup_jobs.config"},
    Key{.path = "backup_jobs.tls", .kind = section},
    Key{.path = "backup_jobs.tls.ca"},
    Key{.path = "backup_jobs.tls.cert"},
    Key{.path = "backup_jobs.tls.key"},
    Key{.path = "repo", .kind = section},
    Key{.path = "repo.config"},
    Key{.path = "repo.listen"},
    Key{.path = "repo.state"},
    Key{.path = "repo.schedule", .kind = open},
    Key{.path = "repo.tls", .kind = section},
    Key{.path = "repo.tls.ca"},
    Key{.path = "repo.tls.cert"},
    Key{.path = "repo.tls.key"},
    Key{.path = "ttl", .where = config, .kind = any},
    Key{.path = "loop_wait", .where = config, .kind = count, .least = 1, .otherwise = "10"},
    Key{.path = "retry_timeout",
        .where = config,
        .kind = count,
        .effect = none,
        .remark = "how long the store may be silent follows from howdah.lease or ttl",
        .least = 3,
        .otherwise = "10"},
    Key{.path = "maximum_lag_on_failover", .where = config, .kind = bytes, .otherwise = "1048576"},
    Key{.path = "maximum_lag_on_syncnode",
        .where = config,
        .kind = bytes,
        .least = -1,
        .otherwise = "-1"},
    Key{.path = "max_timelines_history",
        .where = config,
        .kind = count,
        .effect = none,
        .remark = "the history is kept whole",
        .otherwise = "0"},
    Key{.path = "primary_start_timeout", .where = config, .kind = count, .otherwise = "300"},
    Key{.path = "master_start_timeout", .where = config, .kind = count},
    Key{.path = "primary_stop_timeout",
        .where = config,
        .kind = count,
        .effect = none,
        .remark = "a stop is fast, and ends with the lease at the latest",
        .otherwise = "0"},
    Key{.path = "master_stop_timeout",
        .where = config,
        .kind = count,
        .effect = none,
        .remark = "a stop is fast, and ends with the lease at the latest"},
    Key{.path = "primary_race_backoff",
        .where = config,
        .kind = count,
        .effect = none,
        .remark = "members agree by votes, not by a race",
        .otherwise = "0"},
    Key{.path = "check_timeline",
        .where = config,
        .kind = flag,
        .effect = none,
        .remark = "timelines are always compared",
        .otherwise = "false"},
    Key{.path = "synchronous_mode", .where = config, .kind = sync_mode, .otherwise = "false"},
    Key{.path = "synchronous_mode_strict", .where = config, .kind = flag, .otherwise = "false"},
    Key{.path = "synchronous_node_count",
        .where = config,
        .kind = count,
        .least = 1,
        .otherwise = "1"},
    Key{.path = "failsafe_mode", .where = config, .kind = flag, .otherwise = "false"},
    Key{.path = "pause", .where = config, .kind = flag, .otherwise = "false"},
    Key{.path = "standby_cluster", .where = config, .kind = open},
    Key{.path = "slots",
        .where = config,
        .kind = open,
        .effect = refused,
        .remark = "permanent slots are not made on the next primary: who reads from them loses WAL "
                  "at a failover; remove the key, and make the slots by hand after each one"},
    Key{.path = "permanent_slots",
        .where = config,
        .kind = open,
        .effect = refused,
        .remark = "permanent slots are not made on the next primary: who reads from them loses WAL "
                  "at a failover; remove the key, and make the slots by hand after each one"},
    Key{.path = "permanent_replication_slots",
        .where = config,
        .kind = open,
        .effect = refused,
        .remark = "permanent slots are not made on the next primary: who reads from them loses WAL "
                  "at a failover; remove the key, and make the slots by hand after each one"},
    Key{.path = "ignore_slots", .where = config, .kind = list},
    Key{.path = "member_slots_ttl",
        .where = config,
        .kind = seconds,
        .effect = none,
        .remark = "a member's slot goes with its key, at the latest after 30 s or 3 ttl",
        .otherwise = "1800"},
    Key{.path = "howdah", .where = config, .kind = section},
    Key{.path = "howdah.lease", .where = config, .kind = any, .otherwise = "default"},
    Key{.path = "howdah.archive_into", .where = config},
    Key{.path = "howdah.archive_claim", .where = config},
    Key{.path = "howdah.archive_proven", .where = config, .kind = any},
    Key{.path = "howdah.origin", .where = config, .kind = any},
    Key{.path = "postgresql.parameters.max_connections",
        .where = config,
        .kind = count,
        .least = 25,
        .otherwise = "100"},
    Key{.path = "postgresql.parameters.max_wal_senders",
        .where = config,
        .kind = count,
        .least = 3,
        .otherwise = "10"},
    Key{.path = "postgresql.parameters.max_prepared_transactions",
        .where = config,
        .kind = count,
        .otherwise = "0"},
    Key{.path = "postgresql.parameters.max_locks_per_transaction",
        .where = config,
        .kind = count,
        .least = 32,
        .otherwise = "64"},
    Key{.path = "postgresql.parameters.max_replication_slots",
        .where = config,
        .kind = count,
        .least = 4,
        .otherwise = "10"},
    Key{.path = "postgresql.parameters.max_worker_processes",
        .where = config,
        .kind = count,
        .least = 2,
        .otherwise = "8"},
    Key{.path = "postgresql.parameters.track_commit_timestamp",
        .where = config,
        .kind = flag,
        .otherwise = "off"},
    Key{.path = "postgresql.parameters.wal_log_hints",
        .where = config,
        .kind = flag,
        .otherwise = "on"},
    Key{.path = "postgresql.parameters.wal_keep_segments",
        .where = config,
        .kind = count,
        .least = 1,
        .otherwise = "8"},
    Key{.path = "postgresql.parameters.wal_level",
        .where = config,
        .kind = any,
        .otherwise = "replica"},
    Key{.path = "postgresql.parameters.hot_standby",
        .where = config,
        .kind = any,
        .otherwise = "on"},
    Key{.path = "postgresql.parameters.wal_keep_size",
        .where = config,
        .kind = any,
        .otherwise = "128MB"},
};

constexpr std::string_view in_file = "bootstrap.dcs.";

std::string_view parent_of(std::string_view path) {
    const auto dot = path.rfind('.');
    return dot == std::string_view::npos ? std::string_view() : path.substr(0, dot);
}

std::string_view name_of(std::string_view path) {
    return path.substr(path.rfind('.') + 1);
}

bool stands_in(Document document, const Key& key) {
    return key.where == both || (key.where == file) == (document == Document::file);
}

/// As it is written in such a document; empty: it can't be.
std::string shown(Document document, const Key& key) {
    if (stands_in(document, key)) {
        return std::string(key.path);
    }
    return document == Document::file ? std::string(in_file) + std::string(key.path)
                                      : std::string();
}

const Key* exact(Document document, std::string_view path) {
    const auto found = std::ranges::find_if(
        keys, [&](const Key& key) { return key.path == path && stands_in(document, key); });
    return found == keys.end() ? nullptr : &*found;
}

std::vector<std::string> names_below(Document document, std::string_view parent) {
    std::vector<std::string> out;
    for (const auto& key : keys) {
        if (parent_of(key.path) == parent && stands_in(document, key)) {
            out.emplace_back(name_of(key.path));
        }
    }
    return out;
}

/// A slip of the hand, or a longer or shorter word: certfile for cert.
std::optional<std::string> nearest_below(Document document, const std::string& parent,
                                         const std::string& name) {
    constexpr std::size_t shortest = 4;
    const auto names = names_below(document, parent);
    if (auto typo = nearest(name, names)) {
        return typo;
    }
    const auto longer = std::ranges::find_if(names, [&](const std::string& known) {
        return std::min(known.size(), name.size()) >= shortest &&
               (known.starts_with(name) || name.starts_with(known));
    });
    return longer == names.end() ? std::nullopt : std::optional(*longer);
}

std::size_t shared_prefix(std::string_view a, std::string_view b) {
    return a.starts_with(b) ? b.size() : 0;
}

/// The same word in another place: the one that shares most of the path.
std::string elsewhere(Document document, std::string_view parent, std::string_view name) {
    std::string best;
    std::size_t best_shared = 0;
    for (const auto& key : keys) {
        const auto place = shown(document, key);
        const auto shared = shared_prefix(parent, parent_of(place));
        if (name_of(key.path) == name && !place.empty() && (best.empty() || shared > best_shared)) {
            best = place;
            best_shared = shared;
        }
    }
    return best;
}

}  // namespace

std::span<const Key> all_keys() {
    return keys;
}

const Key* find_key(Document document, const std::string& path) {
    if (document == Document::file && path.starts_with(in_file)) {
        return find_key(Document::config, path.substr(in_file.size()));
    }
    if (const auto* key = exact(document, path)) {
        return key;
    }
    for (auto up = parent_of(path); !up.empty(); up = parent_of(up)) {
        if (const auto* key = exact(document, up)) {
            return key->kind == open ? key : nullptr;
        }
    }
    return nullptr;
}

std::string_view where_text(Where where) {
    return where == both ? "both" : where == file ? "file" : "/config";
}

std::string type_text(const Key& key) {
    static constexpr std::array names{std::pair{count, "whole number"},
                                      std::pair{bytes, "bytes, or a size like 16MB"},
                                      std::pair{seconds, "seconds, or a time like 30min"},
                                      std::pair{flag, "true or false"},
                                      std::pair{sync_mode, "off, on or quorum"},
                                      std::pair{text, "text"},
                                      std::pair{list, "list"},
                                      std::pair{section, "section"},
                                      std::pair{open, "mapping"},
                                      std::pair{any, "value"}};
    const auto* found = std::ranges::find(names, key.kind, &std::pair<Kind, const char*>::first);
    return key.kind == count || key.least != 0
               ? fmt::format("{}, {} or more", found->second, key.least)
               : found->second;
}

bool is_set(const Key& key, const nlohmann::ordered_json& value) {
    const bool says_nothing = value.is_null() || value == false || value == "" ||
                              (value.is_structured() && value.empty());
    if (says_nothing || value.is_structured() || key.otherwise.empty()) {
        return !says_nothing;
    }
    const auto unit = key.kind == seconds ? Unit::seconds
                      : key.kind == bytes ? Unit::bytes
                                          : Unit::none;
    const auto number = parse_quantity(std::string(key.otherwise), unit);
    return number ? parse_quantity(setting_text(value), unit) != number
                  : lower_case(python_text(value)) != key.otherwise;
}

std::string not_acted_on(const Key& key) {
    return fmt::format(
        "{}: {}", key.effect == Effect::refused ? "is not supported" : "has no effect", key.remark);
}

std::string guess(Document document, const std::string& path) {
    if (document == Document::file && path.starts_with(in_file)) {
        auto text = guess(Document::config, path.substr(in_file.size()));
        constexpr std::string_view asks = "did you mean ";
        return text.starts_with(asks)
                   ? fmt::format("{}{}{}", asks, in_file, text.substr(asks.size()))
                   : text;
    }
    const auto parent = std::string(parent_of(path));
    const auto name = std::string(name_of(path));
    const auto best = elsewhere(document, parent, name);
    if (parent.empty() && !best.empty()) {
        return fmt::format("did you mean {}?", best);
    }
    if (const auto typo = nearest_below(document, parent, name)) {
        return fmt::format("did you mean {}{}{}?", parent, parent.empty() ? "" : ".", *typo);
    }
    if (!best.empty()) {
        return fmt::format("did you mean {}?", best);
    }
    if (parent == "postgresql") {
        return fmt::format("did you mean {}.parameters.{}?", parent, name);
    }
    if (parent.empty()) {
        return document == Document::file ? "it is no section of patroni.yml" : "no such key here";
    }
    return fmt::format("{} knows no such key", parent);
}

}  // namespace howdah::config
