#include "cli/up_layout.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

namespace howdah::cli {

namespace {

UpHost host_at(const std::string& dir, const std::string& network, int number) {
    const auto name = fmt::format("pgvm{}", number);
    return {.name = name,
            .address = fmt::format("{}.{}", network, 80 + number),
            .dir = dir + "/" + name};
}

std::string dsn(const std::string& host, std::uint16_t port, const UpPasswords& passwords) {
    return fmt::format("host={} port={} dbname=postgres user=postgres password={}", host, port,
                       passwords.superuser);
}

/// YAML takes JSON strings, whatever a path contains.
std::string quoted(const std::string& text) {
    return nlohmann::json(text).dump();
}

std::string etcd_section(const UpLayout& layout, const UpHost* member) {
    std::vector<std::string> hosts;
    for (const auto& address : layout.etcd_addresses()) {
        hosts.push_back(address + ":2379");
    }
    auto out = fmt::format("etcd3:\n  hosts: [{}]\n", fmt::join(hosts, ", "));
    if (member == nullptr || layout.one_etcd) {
        return out;
    }
    out += fmt::format(
        "  supervised:\n    name: {0}\n    data_dir: {1}\n    client: http://{2}:2379\n    peer: "
        "http://{2}:2380\n"
        "    members:\n",
        member->name, quoted(member->etcd_dir()), member->address);
    for (const auto& other : layout.members) {
        out += fmt::format("      {}: http://{}:2380\n", other.name, other.address);
    }
    return out;
}

std::string bootstrap_section(const UpSettings& settings) {
    const auto strict = settings.sync == "strict";
    return fmt::format(R"(bootstrap:
  dcs:
    loop_wait: 10
    retry_timeout: 10
    maximum_lag_on_failover: 1048576
    synchronous_mode: "{}"
    synchronous_mode_strict: {}
    howdah:
      lease: {}
    postgresql:
      use_pg_rewind: true
      use_slots: true
      parameters:
        shared_buffers: 32MB
        max_connections: 100
        max_wal_senders: 10
        max_replication_slots: 10
        wal_keep_size: 128MB
        max_wal_size: 256MB
        log_line_prefix: '%m [%p] '
  initdb:
    - encoding: UTF8
    - data-checksums
)",
                       strict ? "quorum" : settings.sync, strict, settings.lease_profile);
}

std::string postgresql_section(const UpHost& member, const UpPasswords& passwords,
                               const UpSettings& settings) {
    return fmt::format(R"(postgresql:
  listen: {0}:5432
  connect_address: {0}:5432
  data_dir: {1}
  bin_dir: {2}
  pgpass: {3}
  authentication:
    superuser:
      username: postgres
      password: {4}
    replication:
      username: replicator
      password: {5}
    rewind:
      username: rewind_user
      password: {6}
  # The three members share this machine and a port number: a socket in one common folder would collide.
  parameters:
    unix_socket_directories: ''
  pg_hba:
    - host replication replicator 127.0.0.0/8 scram-sha-256
    - host all all 127.0.0.0/8 scram-sha-256
)",
                       member.address, quoted(member.data_dir()), quoted(settings.bin_dir),
                       quoted(member.dir + "/pgpass"), passwords.superuser, passwords.replication,
                       passwords.rewind);
}

}  // namespace

std::vector<std::string> UpLayout::etcd_addresses() const {
    if (one_etcd) {
        return {etcd.address};
    }
    std::vector<std::string> out;
    for (const auto& member : members) {
        out.push_back(member.address);
    }
    return out;
}

UpLayout make_layout(const std::string& dir, const std::string& network, bool one_etcd) {
    UpLayout out{.dir = dir, .network = network, .one_etcd = one_etcd};
    for (int number = 1; number <= 3; ++number) {
        out.members.push_back(host_at(dir, network, number));
    }
    out.etcd = host_at(dir, network, 4);
    out.endpoint = host_at(dir, network, 5);
    return out;
}

std::string default_up_dir(unsigned uid) {
    return fmt::format("/tmp/howdah-up-{}", uid);
}

std::vector<UpPort> ports_of(const UpLayout& layout) {
    std::vector<UpPort> out;
    for (const auto& member : layout.members) {
        out.push_back({member.address, 5432, "PostgreSQL of " + member.name});
        out.push_back({member.address, 8008, "REST API of " + member.name});
    }
    for (const auto& address : layout.etcd_addresses()) {
        out.push_back({address, 2379, "etcd"});
        out.push_back({address, 2380, "etcd"});
    }
    out.push_back({layout.endpoint.address, read_write_port, "the endpoint"});
    out.push_back({layout.endpoint.address, read_only_port, "the endpoint"});
    return out;
}

std::string render_member_config(const UpLayout& layout, const UpHost& member,
                                 const UpPasswords& passwords, const UpSettings& settings) {
    return fmt::format(
               "# Written by howdah up.\nscope: {}\nname: {}\nstate_dir: {}\nrestapi:\n"
               "  listen: {}:8008\n  connect_address: {}:8008\n"
               "  authentication:\n    username: howdah\n    password: {}\n",
               up_scope, member.name, quoted(member.state_dir()), member.address, member.address,
               passwords.restapi) +
           etcd_section(layout, &member) + bootstrap_section(settings) +
           postgresql_section(member, passwords, settings) +
           // A laptop must not be reset because a cluster that is tried on it was.
           "watchdog:\n  mode: off\n";
}

std::string render_proxy_config(const UpLayout& layout, const UpPasswords& passwords) {
    return fmt::format("# Written by howdah up.\nscope: {}\nname: {}\n", up_scope,
                       layout.endpoint.name) +
           etcd_section(layout, nullptr) +
           fmt::format(
               "postgresql:\n  authentication:\n    superuser:\n      username: postgres\n      "
               "password: {0}\n"
               "proxy:\n  listen: {1}:{2}\n  listen_read_only: {1}:{3}\n",
               passwords.superuser, layout.endpoint.address, read_write_port, read_only_port);
}

std::string render_cluster_json(const UpLayout& layout, const UpPasswords& passwords) {
    nlohmann::ordered_json members;
    for (const auto& m : layout.members) {
        members[m.name] = {{"host", m.address},        {"dsn", dsn(m.address, 5432, passwords)},
                           {"data_dir", m.data_dir()}, {"config", m.config()},
                           {"pid_file", m.pid_file()}, {"log", m.log()}};
    }
    const nlohmann::ordered_json out{
        {"endpoint", dsn(layout.endpoint.address, read_write_port, passwords)},
        {"read_only", dsn(layout.endpoint.address, read_only_port, passwords)},
        {"members", std::move(members)}};
    return out.dump(2) + "\n";
}

std::vector<std::string> single_etcd_command(const UpLayout& layout) {
    const auto client = "http://" + layout.etcd.address + ":2379";
    const auto peer = "http://" + layout.etcd.address + ":2380";
    return {"etcd",
            "--name",
            layout.etcd.name,
            "--data-dir",
            layout.etcd.etcd_dir(),
            "--listen-client-urls",
            client,
            "--advertise-client-urls",
            client,
            "--listen-peer-urls",
            peer,
            "--initial-advertise-peer-urls",
            peer,
            "--initial-cluster",
            layout.etcd.name + "=" + peer,
            "--logger",
            "zap"};
}

}  // namespace howdah::cli
