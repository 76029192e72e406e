#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace howdah::cli {

/// What is drawn once and kept in D/cluster.json and the members' files.
struct UpPasswords {
    std::string superuser{}, replication{}, rewind{}, restapi{};
};

struct UpHost {
    std::string name{};     ///< pgvm1
    std::string address{};  ///< 127.0.52.81
    std::string dir{};      ///< D/pgvm1
    std::string config() const { return dir + "/patroni.yml"; }
    std::string data_dir() const { return dir + "/data"; }
    std::string state_dir() const { return dir + "/state"; }
    std::string pid_file() const { return state_dir() + "/agent.pid"; }
    std::string log() const { return dir + "/agent.log"; }
    std::string etcd_dir() const { return dir + "/etcd"; }
};

/// Where everything of `howdah up` lives and listens. All below one directory D:
///
///     cluster.json                       how to reach it (mode 0600)
///     pgvm1 ... pgvm3/                   patroni.yml, data/, state/, etcd/, agent.log
///     pgvm4/                             etcd/, etcd.pid, etcd.log   (only with --etcd 1)
///     pgvm5/                             proxy.yml, proxy.pid, proxy.log
struct UpLayout {
    std::string dir{};
    std::string network = "127.0.52";  ///< first three parts of all addresses
    bool one_etcd = false;
    std::vector<UpHost> members{};  ///< pgvm1 ... pgvm3
    UpHost etcd{};                  ///< pgvm4
    UpHost endpoint{};              ///< pgvm5

    std::string cluster_json() const { return dir + "/cluster.json"; }
    std::string proxy_config() const { return endpoint.dir + "/proxy.yml"; }
    std::string proxy_pid_file() const { return endpoint.dir + "/proxy.pid"; }
    std::string proxy_log() const { return endpoint.dir + "/proxy.log"; }
    std::string etcd_pid_file() const { return etcd.dir + "/etcd.pid"; }
    std::string etcd_log() const { return etcd.dir + "/etcd.log"; }
    std::vector<std::string> etcd_addresses() const;
};
UpLayout make_layout(const std::string& dir, const std::string& network, bool one_etcd);
/// /tmp/howdah-up-UID: never the home directory, since root's is closed to `postgres`.
std::string default_up_dir(unsigned uid);

inline constexpr const char* up_scope = "howdah";
inline constexpr std::uint16_t read_write_port = 5000;
inline constexpr std::uint16_t read_only_port = 5001;

/// Every address that something of it listens on.
struct UpPort {
    std::string host{};
    std::uint16_t port = 0;
    std::string what{};
};
std::vector<UpPort> ports_of(const UpLayout& layout);

struct UpSettings {
    std::string lease_profile = "default";
    /// off, on, quorum, or strict: quorum that never acknowledges what one host alone has.
    std::string sync = "off";
    std::string bin_dir{};  ///< of PostgreSQL
};
std::string render_member_config(const UpLayout& layout, const UpHost& member,
                                 const UpPasswords& passwords, const UpSettings& settings);
std::string render_proxy_config(const UpLayout& layout, const UpPasswords& passwords);
std::string render_cluster_json(const UpLayout& layout, const UpPasswords& passwords);
std::vector<std::string> single_etcd_command(const UpLayout& layout);

}  // namespace howdah::cli
