#include "api/rest.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "api/access.h"
#include "api/overview.h"
#include "api/switchover.h"

namespace howdah::api {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

const fs::path fixtures = fs::path(HOWDAH_SOURCE_DIR) / "tests/fixtures/patroni/4.1.4";

std::string contents(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

ha::Cluster recorded_cluster(const fs::path& state) {
    const auto doc = Json::parse(contents(state / "etcd.json"));
    const auto prefix = doc.at("prefix").get<std::string>();
    std::vector<ha::ScopeKey> keys;
    for (const auto& key : doc.at("keys")) {
        keys.push_back({.name = key.at("key").get<std::string>().substr(prefix.size()),
                        .value = key.at("value"),
                        .mod_revision = key.at("mod_revision")});
    }
    return ha::parse_cluster(keys, doc.at("revision"));
}

struct Recorded {
    int code = 0;
    std::string content_type{};
    std::string body{};
    bool bare = false;
};
Recorded recorded_answer(const fs::path& file) {
    const auto text = contents(file);
    const auto end = text.find("\r\n\r\n");
    const auto head = text.substr(0, end);
    Recorded out{.code = std::stoi(text.substr(9, 3)), .body = text.substr(end + 4)};
    out.bare = head.find("\r\n") == std::string::npos;
    if (const auto at = head.find("Content-Type: "); at != std::string::npos) {
        out.content_type = head.substr(at + 14, head.find("\r\n", at) - at - 14);
    }
    return out;
}

/// The local server that gave the recorded document.
instance::Local local_of(const Json& doc) {
    instance::Local local;
    local.state = ha::parse_pg_state(doc.at("state").get<std::string>()).value();
    const auto role = doc.at("role").get<std::string>();
    local.role = role == "primary"         ? ha::Role::primary
                 : role == "uninitialized" ? ha::Role::none
                                           : ha::Role::standby;
    local.data_dir = role == "uninitialized" ? ha::DataDir::empty : ha::DataDir::initialized;
    local.accepting = local.postmaster = doc.contains("server_version");
    local.server_version = doc.value("server_version", 0);
    local.postmaster_start_time = doc.value("postmaster_start_time", "");
    local.timeline = doc.value("timeline", 0U);
    local.system_id = doc.value("database_system_identifier", "");
    local.replication_state = doc.value("replication_state", "");
    const auto xlog = doc.value("xlog", Json::object());
    local.lsn = pg::Lsn(xlog.value("location", std::uint64_t{0}));
    local.received = pg::Lsn(xlog.value("received_location", std::uint64_t{0}));
    local.replayed = pg::Lsn(xlog.value("replayed_location", std::uint64_t{0}));
    if (const auto at = xlog.find("replayed_timestamp"); at != xlog.end() && at->is_string()) {
        local.replayed_at = *at;
    }
    for (const auto& w : doc.value("replication", Json::array())) {
        local.walsenders.push_back({.application_name = w.at("application_name"),
                                    .client_addr = w.at("client_addr"),
                                    .state = w.at("state"),
                                    .sync_state = w.at("sync_state"),
                                    .usename = w.at("usename"),
                                    .sync_priority = w.at("sync_priority")});
    }
    return local;
}

agent::Status recorded_status(const fs::path& state, const std::string& member, const Json& doc) {
    agent::Status s{.scope = doc.at("patroni").at("scope"), .name = member};
    s.cluster = recorded_cluster(state);
    s.local = local_of(doc);
    s.holds_leader = s.cluster.leader_name() == member;
    s.dcs_reachable = true;
    s.dcs_last_seen = doc.at("dcs_last_seen");
    s.pause = mode_of(s.cluster).pause;
    if (const auto* self = s.cluster.member(member)) {
        s.tags_json = self->tags_json;
        s.local.pending_restart_json = self->pending_restart_reason_json;
        s.scheduled_restart_json = self->scheduled_restart_json;
    }
    return s;
}

io::HttpRequest request_of(const std::string& file_stem) {
    for (const std::string method : {"OPTIONS", "HEAD"}) {
        if (file_stem.starts_with(method + "-")) {
            const auto path = file_stem.substr(method.size() + 1);
            return {.method = method, .target = path == "root" ? "/" : "/" + path};
        }
    }
    return {.method = "GET", .target = file_stem == "root" ? "/" : "/" + file_stem};
}

class RecordedState : public testing::TestWithParam<std::string> {};

TEST_P(RecordedState, IsAnsweredAsPatroniDid) {
    const auto state = fixtures / GetParam();
    int compared = 0;
    for (const auto& member : fs::directory_iterator(state / "rest")) {
        for (const auto& file : fs::directory_iterator(member.path())) {
            const auto wanted = recorded_answer(file.path());
            if (file.path().stem() == "metrics") {
                continue;
            }
            auto doc = Json::parse(recorded_answer(member.path() / "patroni.txt").body);
            if (const auto own = Json::parse(wanted.body, nullptr, false); own.contains("state")) {
                doc = own;
            }
            const auto status = recorded_status(state, member.path().filename(), doc);
            const auto got = answer(request_of(file.path().stem()), status, {});
            SCOPED_TRACE(file.path().string());
            EXPECT_EQ(got.status, wanted.code);
            EXPECT_EQ(got.bare, wanted.bare);
            EXPECT_EQ(got.body, wanted.body);
            if (!wanted.bare) {
                EXPECT_EQ(got.headers.at("Content-Type"), wanted.content_type);
            }
            ++compared;
        }
    }
    EXPECT_GT(compared, 15);
}

INSTANTIATE_TEST_SUITE_P(All, RecordedState,
                         testing::Values("three-async", "paused", "sync", "quorum", "tags",
                                         "no-leader", "uninitialized", "single",
                                         "scheduled-switchover", "scheduled-restart",
                                         "pending-restart", "after-switchover", "after-failover",
                                         "after-failover-rejoined", "standby-cluster"),
                         [](const auto& test) {
                             auto name = test.param;
                             std::erase(name, '-');
                             return name;
                         });

agent::Status three_members() {
    const auto state = fixtures / "three-async";
    return recorded_status(state, "n1",
                           Json::parse(recorded_answer(state / "rest/n1/patroni.txt").body));
}

TEST(Rest, LagBeyondTheAskedLimitFailsAReplica) {
    const auto state = fixtures / "three-async";
    auto status = recorded_status(state, "n2",
                                  Json::parse(recorded_answer(state / "rest/n2/patroni.txt").body));
    status.cluster.optime = status.local.replayed.bytes() + 2'000'000;
    EXPECT_EQ(answer({.target = "/replica"}, status, {}).status, 200);
    EXPECT_EQ(answer({.target = "/replica?lag=1MB"}, status, {}).status, 503);
    EXPECT_EQ(answer({.target = "/replica?lag=2MB"}, status, {}).status, 200);
    EXPECT_EQ(answer({.target = "/readiness"}, status, {}).status, 503);
}

TEST(Rest, TagsMustMatch) {
    const auto state = fixtures / "tags";
    const auto status = recorded_status(
        state, "n3", Json::parse(recorded_answer(state / "rest/n3/patroni.txt").body));
    EXPECT_EQ(answer({.target = "/replica?tag_zone=b&tag_ssd=true"}, status, {}).status, 200);
    EXPECT_EQ(answer({.target = "/replica?tag_zone=a"}, status, {}).status, 503);
    EXPECT_EQ(answer({.target = "/replica?tag_none=a"}, status, {}).status, 503);
}

TEST(Rest, LivenessFailsWhenTheLoopIsOverdue) {
    auto status = three_members();
    status.next_cycle_due = Instant{Seconds(100)};
    EXPECT_EQ(answer({.target = "/liveness"}, status, {.boot = Instant{Seconds(119)}}).status, 200);
    EXPECT_EQ(answer({.target = "/liveness"}, status, {.boot = Instant{Seconds(121)}}).status, 503);
}

TEST(Rest, UnknownMethodsGetPythonsPage) {
    const auto got = answer({.method = "POST", .target = "/nosuch"}, three_members(), {});
    EXPECT_EQ(got.status, 501);
    EXPECT_EQ(got.body.size(), 357U);
}

/// Without what the release does not have yet, and Howdah's own.
std::string patronis_metrics(const std::string& text) {
    std::istringstream lines(text);
    std::string out;
    for (std::string line; std::getline(lines, line);) {
        const bool newer = line.contains("patroni_failsafe_mode_enabled") ||
                           line.contains("patroni_failsafe_member") ||
                           line.contains("patroni_failover_priority") || line.contains("howdah_");
        out += newer ? "" : line + "\n";
    }
    return out;
}

TEST_P(RecordedState, MetricsAreTheSameBytes) {
    const auto state = fixtures / GetParam();
    for (const auto& member : fs::directory_iterator(state / "rest")) {
        const auto file = member.path() / "metrics.txt";
        if (!fs::exists(file) || fs::file_size(file) == 0) {
            continue;
        }
        const auto wanted = recorded_answer(file);
        const auto doc = Json::parse(recorded_answer(member.path() / "patroni.txt").body);
        auto status = recorded_status(state, member.path().filename(), doc);
        // Taken a moment after the document.
        const auto seen = wanted.body.find("\npatroni_dcs_last_seen{");
        status.dcs_last_seen = std::stoll(wanted.body.substr(wanted.body.find("} ", seen) + 2));
        SCOPED_TRACE(file.string());
        const auto got = answer({.target = "/metrics"}, status, {});
        EXPECT_EQ(got.headers.at("Content-Type"), wanted.content_type);
        EXPECT_EQ(patronis_metrics(got.body), patronis_metrics(wanted.body));
    }
}

struct Refusal {
    std::string body{};
    int code = 0;
    std::string text{};
};
void expect_refusals(Action action, const agent::Status& status,
                     const std::vector<Refusal>& refusals) {
    for (const auto& [body, code, text] : refusals) {
        const auto got =
            check(action, {.headers = {{"content-length", "1"}}, .body = body}, status, 1795427071);
        const auto* refused = std::get_if<io::HttpResponse>(&got);
        ASSERT_NE(refused, nullptr) << body;
        EXPECT_EQ(refused->status, code) << body;
        if (!text.empty()) {
            EXPECT_EQ(refused->body, text) << body;
        }
    }
}

TEST(Switchover, IsRefusedInPatronisWords) {
    expect_refusals(Action::switchover, three_members(),
                    {{"not json", 400, ""},
                     {"", 400, ""},
                     {"{}", 400, ""},
                     {"[1]", 400, ""},
                     {R"({"candidate": "n2"})", 400,
                      "Switchover could be performed only from a specific leader"},
                     {R"({"leader": "n9", "candidate": "n2"})", 412, "leader name does not match"},
                     {R"({"leader": "n1", "candidate": "n9"})", 412, "candidate does not exists"},
                     {R"({"leader": "n1", "candidate": "n1"})", 400,
                      "Switchover target and source are the same"},
                     {R"({"leader": "n1", "scheduled_at": "2030-01-01T00:00:00"})", 400,
                      "Timezone information is mandatory for the scheduled switchover"},
                     {R"({"leader": "n1", "scheduled_at": "2020-01-01T00:00:00+00:00"})", 422,
                      "Cannot schedule switchover in the past"},
                     {R"({"leader": "n1", "scheduled_at": "soon"})", 422,
                      "Unable to parse scheduled timestamp. It should be in an unambiguous format, "
                      "e.g. ISO 8601"}});
    auto paused = three_members();
    paused.pause = true;
    expect_refusals(
        Action::switchover, paused,
        {{R"({"leader": "n1"})", 400,
          "Switchover is possible only to a specific candidate in a paused state"},
         {R"({"leader": "n1", "candidate": "n2", "scheduled_at": "2030-01-01T00:00:00+00:00"})",
          400, "Can't schedule switchover in the paused state"}});
}

TEST(Failover, IsRefusedInPatronisWords) {
    expect_refusals(
        Action::failover, three_members(),
        {{R"({"leader": "n1"})", 400, "Failover could be performed only to a specific candidate"},
         {R"({"candidate": "n9"})", 412, "candidate does not exists"},
         {R"({"candidate": "n2", "scheduled_at": "2030-01-01T00:00:00+00:00"})", 400,
          "Failover can't be scheduled"}});
}

TEST(Switchover, ToAKnownMemberIsAskedOfTheAgent) {
    const auto got = check(
        Action::switchover,
        {.headers = {{"content-length", "1"}}, .body = R"({"leader": "n1", "candidate": "n2"})"},
        three_members(), 0);
    const auto* request = std::get_if<agent::SwitchoverRequest>(&got);
    ASSERT_NE(request, nullptr);
    EXPECT_EQ(request->leader, "n1");
    EXPECT_EQ(request->candidate, "n2");
}

TEST(Access, AllowlistTakesAddressesAndNetworks) {
    const std::vector<std::string> list{"10.0.0.5", "192.168.0.0/20", "fd00::/8"};
    for (const auto* peer : {"10.0.0.5", "192.168.15.255", "fd12::1"}) {
        EXPECT_TRUE(is_allowed(peer, list)) << peer;
    }
    for (const auto* peer : {"10.0.0.6", "192.168.16.0", "fe80::1", "", "x"}) {
        EXPECT_FALSE(is_allowed(peer, list)) << peer;
    }
    EXPECT_TRUE(is_allowed("9.9.9.9", {"0.0.0.0/0"}));
    for (const auto* name : {"host", "10.0.0.0/33", "10.0.0.0/x", "10.0.0"}) {
        EXPECT_FALSE(is_network(name)) << name;
    }
}

TEST(Access, AddressesOfIpv4AreTheSameOnASocketOfIpv6) {
    EXPECT_TRUE(is_allowed("::ffff:10.0.0.5", {"10.0.0.0/24"}));
    EXPECT_FALSE(is_allowed("::ffff:10.0.1.5", {"10.0.0.0/24"}));
}

TEST(Access, WhatMembersAskIsNotForStrangers) {
    const std::vector<std::string> members{"10.0.0.5", "fd00::7"};
    for (const auto* peer :
         {"127.0.0.1", "127.0.53.2", "::1", "10.0.0.5", "::ffff:10.0.0.5", "fd00::7"}) {
        EXPECT_FALSE(refuse_stranger({.method = "POST", .peer = peer}, members)) << peer;
    }
    for (const auto* peer : {"10.0.0.6", "fd00::8", ""}) {
        const auto refused = refuse_stranger({.method = "POST", .peer = peer}, members);
        ASSERT_TRUE(refused) << peer;
        EXPECT_EQ(refused->status, 403);
    }
    EXPECT_FALSE(refuse_stranger(
        {.method = "POST", .peer = "10.0.0.6", .tls = true, .client_certificate = true}, members));
}

TEST(Access, ClientCertificateIsAskedForOnlyOverTls) {
    using enum io::ClientCertificates;
    const io::HttpRequest bare{.method = "POST", .tls = true};
    EXPECT_EQ(refuse_without_certificate(bare, optional)->body, "client certificate required");
    EXPECT_FALSE(refuse_without_certificate(bare, none));
    EXPECT_FALSE(refuse_without_certificate({.method = "POST"}, optional));
    EXPECT_FALSE(refuse_without_certificate(
        {.method = "POST", .tls = true, .client_certificate = true}, required));
}

TEST(Access, UnsafeMethodsNeedTheConfiguredCredentials) {
    const config::Credentials admin{.username = "admin", .password = "sample-password"};
    const io::HttpRequest bare{.method = "POST"};
    EXPECT_FALSE(refuse_access(bare, std::nullopt));
    EXPECT_FALSE(refuse_access({.method = "GET"}, admin));
    const auto none = refuse_access(bare, admin);
    ASSERT_TRUE(none);
    EXPECT_EQ(none->status, 401);
    EXPECT_EQ(none->body, "no auth header received");
    EXPECT_EQ(none->headers.at("WWW-Authenticate"), "Basic realm=\"Patroni\"");
    EXPECT_EQ(refuse_access(
                  {.method = "POST", .headers = {{"authorization", "Basic Zm9vOmJhcg=="}}}, admin)
                  ->body,
              "not authenticated");
    EXPECT_FALSE(refuse_access(
        {.method = "POST", .headers = {{"authorization", "Basic YWRtaW46c2FtcGxlLXBhc3N3b3Jk"}}},
        admin));
}

}  // namespace
}  // namespace howdah::api
