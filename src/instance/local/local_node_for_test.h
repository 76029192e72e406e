#pragma once

#include <grp.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "fencer/fencer.h"
#include "instance/local/local_instance.h"
#include "instance/local/small_disk_for_test.h"

// Real PostgreSQL servers under real fencers; the test program is the fencer's binary too.

namespace howdah::instance {

constexpr std::uint16_t port_for_test = 16543;

/// One member: its own data directory, state directory and address.
struct LocalNode {
    LocalNode(io::Executor executor, io::Clock& clock, const std::string& root,
              const std::string& name, const std::string& host, const std::string& bin_dir = "")
        : config(configuration(root, name, host, bin_dir)),
          pg(executor, clock, config, "/proc/self/exe") {}

    static config::AgentConfig configuration(const std::string& root, const std::string& name,
                                             const std::string& host, const std::string& bin_dir) {
        config::AgentConfig config{
            .scope = "demo", .name = name, .state_dir = root + "/" + name + ".howdah"};
        config.postgresql = {
            .listen_addresses = host,
            .port = port_for_test,
            .connect_address = {.host = host, .port = port_for_test},
            .data_dir = root + "/" + name,
            .bin_dir = bin_dir,
            .pgpass = root + "/" + name + ".pgpass",
            .superuser = {.username = "admin", .password = "it's \\ secret"},
            .replication = {.username = "replicator", .password = "rep:pass"},
            .rewind = config::Credentials{.username = "rewinder", .password = "rew"}};
        return config;
    }

    config::EffectivePostgresql settings() const {
        config::Parameters controlled{{"listen_addresses", config.postgresql.listen_addresses},
                                      {"port", std::to_string(port_for_test)},
                                      {"cluster_name", "demo"},
                                      {"wal_level", "replica"},
                                      {"hot_standby", "on"},
                                      {"max_connections", "30"},
                                      {"wal_log_hints", "on"}};
        auto parameters = controlled;
        parameters["unix_socket_directories"] = "";
        parameters["shared_buffers"] = "16MB";
        parameters["wal_keep_size"] = "128MB";
        return {.parameters = parameters,
                .controlled = controlled,
                .pg_hba = {"host all all 127.0.0.0/8 scram-sha-256",
                           "host replication replicator 127.0.0.0/8 scram-sha-256"},
                .use_pg_rewind = true,
                .basebackup = {"--no-sync"}};
    }

    Upstream address() const {
        return {.name = config.name,
                .host = config.postgresql.connect_address.host,
                .port = port_for_test};
    }

    config::AgentConfig config;
    LocalInstance pg;
};

/// PostgreSQL refuses root.
inline void leave_root() {
    const auto* who = getpwnam("postgres");
    if (geteuid() != 0 || who == nullptr) {
        return;
    }
    mount_small_disk(who->pw_uid);
    if (initgroups(who->pw_name, who->pw_gid) != 0 || setgid(who->pw_gid) != 0 ||
        setuid(who->pw_uid) != 0) {
        std::perror("become postgres");
        std::exit(1);
    }
    setenv("HOME", who->pw_dir, 1);
}

inline int main_for_test(int argc, char** argv) {
    if (argc > 1 && std::string_view(argv[1]) == "fencer") {
        return fencer::run(argc, argv);
    }
    leave_root();
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}

}  // namespace howdah::instance
