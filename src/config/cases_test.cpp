#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "config/agent_config.h"
#include "config/dynamic_check.h"
#include "config/sources.h"

namespace howdah::config {
namespace {

namespace fs = std::filesystem;

/// Files as people have written them (tests/fixtures/cases), and what is said of them.
struct Case {
    std::string file;
    std::string refused{};  ///< part of the first error; empty: none
    std::string warned{};   ///< part of some warning; empty: none at all
};

const std::vector<Case>& cases() {
    static const std::vector<Case> all{
        {"A01/anchors.yml", "", "x-timing: unknown key"},
        {"A02/numbers.yml"},
        {"A03/duplicates.yml", "", "postgresql.parameters: is written again; this line counts"},
        {"A04/any-without-connect.yml", "", "postgresql.listen: is every address, and connect_add"},
        {"A04/bare-connect.yml", "", "pg_hba: it locks out the superuser postgres from ::1"},
        {"A04/listen-list.yml"},
        {"A04/no-port.yml", "", "pg_hba: it locks out the superuser postgres from ::1"},
        {"A04/rest.yml"},
        {"A05/comment.yml"},
        {"A05/percent.yml", "percent.yml:29: not valid YAML"},
        {"A05/special.yml"},
        {"A05/star.yml", "star.yml:29: the anchor of *secret1 is not defined above"},
        {"A05/tag.yml", "tag.yml:29: !secret1 is a tag that no setting takes"},
        {"A05/typed.yml", "", "superuser.password: what stands there is a number or a truth value"},
        {"A06/both-sections.yml", "etcd: stands beside etcd3: two stores are named"},
        {"A06/ca-but-http.yml", "etcd3.cacert: asks for TLS, but the protocol is http"},
        {"A06/certfile.yml", "", "etcd3.certfile: unknown key, ignored; did you mean etcd3.cert?"},
        {"A06/comma-spaces.yml"},
        {"A06/empty-items.yml", "etcd3.hosts: must be a list of text, but holds nothing"},
        {"A06/https-capital.yml"},
        {"A06/mapping-items.yml", "etcd3.hosts: must be a list of text, but holds a mapping"},
        {"A06/port-apart.yml", "", "etcd3.port: unknown key, ignored"},
        {"A06/proxy.yml", "etcd3.proxy: is not supported: etcd is asked directly"},
        {"A06/srv.yml", "etcd3.srv: is not supported: endpoints are not looked up in DNS"},
        {"A06/url-in-host.yml", "etcd3.host: \"http://127.0.77.1:2379\" is a URL"},
        {"A06/urls.yml", "etcd3.hosts: \"http://127.0.77.1:2379\" is a URL"},
        {"A08/parameters.yml"},
        {"A09/relative.yml"},
        {"A09/several.yml", "", "use_unix_socket_repl: has no effect: standbys connect by TCP"},
        {"A10/any.yml"},
        {"A10/at.yml"},
        {"A10/colon.yml"},
        {"A10/dots.yml"},
        {"A10/first.yml"},
        {"A10/long.yml", "name: has 71 bytes: PostgreSQL cuts it at 63"},
        {"A10/number.yml"},
        {"A10/quote.yml"},
        {"A10/slash.yml"},
        {"A10/space.yml"},
        {"A10/umlaut.yml", "name: holds more than printable ASCII"},
        {"A10/zero.yml", "", "name: YAML reads 01 as 1, as Patroni does"},
        {"A11/waldir.yml"},
        {"A12/data-directory-slash.yml"},
        {"A12/data-directory.yml", "", "parameters.data_directory: ignored: it comes from"},
    };
    return all;
}

const std::string folder = HOWDAH_SOURCE_DIR "/tests/fixtures/cases/";

/// The first error and all warnings.
std::pair<std::string, std::string> judged(const std::string& file) {
    const auto sources = gather(file, {});
    if (!sources) {
        return {sources.error().message, ""};
    }
    const auto checked = check_agent_config(*sources, file);
    std::string warnings;
    for (const auto& warning : checked.config.warnings) {
        warnings += warning.text() + "\n";
    }
    return {checked.wrong.empty() ? "" : checked.wrong.front().message, warnings};
}

TEST(Cases, EachFileIsJudgedAsItShould) {
    for (const auto& one : cases()) {
        const auto [error, warnings] = judged(folder + one.file);
        EXPECT_TRUE(one.refused.empty() ? error.empty()
                                        : error.find(one.refused) != std::string::npos)
            << one.file << ": " << error;
        if (one.refused.empty()) {
            EXPECT_TRUE(one.warned.empty() ? warnings.empty()
                                           : warnings.find(one.warned) != std::string::npos)
                << one.file << ": " << warnings;
        }
    }
}

TEST(Cases, AllFilesStandInTheTable) {
    std::set<std::string> known;
    for (const auto& one : cases()) {
        known.insert(one.file);
    }
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        const auto name = fs::relative(entry.path(), folder).string();
        if (entry.is_regular_file() && name.starts_with("A")) {
            EXPECT_TRUE(known.contains(name)) << name;
        }
    }
}

AgentConfig config_of(const std::string& name) {
    return load_agent_config(folder + name, Purpose::agent).value();
}

TEST(Cases, ValuesAreThoseOfPatroni) {
    const auto anchors = gather(folder + "A01/anchors.yml", {})->document;
    EXPECT_EQ(anchors["bootstrap"]["dcs"]["ttl"], 30);
    EXPECT_EQ(anchors["bootstrap"]["dcs"]["loop_wait"], 5);
    EXPECT_EQ(anchors["bootstrap"]["dcs"]["retry_timeout"], 10);
    EXPECT_EQ(anchors["postgresql"]["parameters"]["shared_buffers"], "16MB");
    EXPECT_EQ(anchors["postgresql"]["parameters"]["work_mem"], "12MB");
    const auto numbers =
        gather(folder + "A02/numbers.yml", {})->document["postgresql"]["parameters"];
    EXPECT_EQ(numbers["log_file_mode"], 416) << numbers;
    EXPECT_EQ(numbers["unix_socket_permissions"], 504);
    EXPECT_EQ(numbers["max_wal_size"], 1024);
    const auto twice =
        gather(folder + "A03/duplicates.yml", {})->document["postgresql"]["parameters"];
    EXPECT_EQ(twice["work_mem"], "64MB");
    EXPECT_FALSE(twice.contains("max_wal_size")) << twice;
}

TEST(Cases, AddressesOfIpv6) {
    const auto list = config_of("A04/listen-list.yml").postgresql;
    EXPECT_EQ(list.listen_addresses, "127.0.77.1,::1,fd00:77::1");
    EXPECT_EQ(list.connect_address.text(), "[fd00:77::1]:5432");
    EXPECT_EQ(config_of("A04/bare-connect.yml").postgresql.connect_address.text(),
              "[fd00:77::1]:5432");
    const auto bare = config_of("A04/no-port.yml").postgresql;
    EXPECT_EQ(bare.listen_addresses, "::1");
    EXPECT_EQ(bare.connect_address.text(), "[::1]:5432");
    EXPECT_EQ(config_of("A04/any-without-connect.yml").postgresql.connect_address.text(),
              "[::1]:5432");
    EXPECT_TRUE(config_of("A06/https-capital.yml").etcd->tls);
}

}  // namespace
}  // namespace howdah::config
