#include "cli/dcs_status.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/http_once.h"
#include "cli/table.h"

namespace howdah::cli {

namespace {

using Json = nlohmann::ordered_json;

constexpr Seconds patience{2};

std::string first_of(const Json& object, const char* key) {
    const auto it = object.find(key);
    return it != object.end() && it->is_array() && !it->empty() && it->front().is_string()
               ? it->front().get<std::string>()
               : "";
}

std::uint64_t number_of(const Json& object, const char* key) {
    const auto text = object.value(key, std::string("0"));
    std::uint64_t out = 0;
    std::from_chars(text.data(), text.data() + text.size(), out);
    return out;
}

/// Host and port of "http://127.0.0.1:2379".
std::optional<HttpAddress> address_of(std::string url) {
    if (const auto scheme = url.find("://"); scheme != std::string::npos) {
        url = url.substr(scheme + 3);
    }
    const auto colon = url.rfind(':');
    std::uint16_t port = 0;
    if (colon == std::string::npos ||
        std::from_chars(url.data() + colon + 1, url.data() + url.size(), port).ec != std::errc()) {
        return std::nullopt;
    }
    return HttpAddress{.host = url.substr(0, colon), .port = port};
}

std::shared_ptr<const io::TlsFiles> tls_of(const config::Etcd& etcd) {
    return etcd.tls ? std::make_shared<const io::TlsFiles>(
                          io::TlsFiles{.ca = etcd.cacert, .cert = etcd.cert, .key = etcd.key})
                    : nullptr;
}

Result<std::string> ask(const HttpAddress& address, const std::string& path) {
    const io::HttpRequest request{.method = "POST",
                                  .target = path,
                                  .headers = {{"content-type", "application/json"}},
                                  .body = "{}"};
    HD_TRY(auto answer, http_once(address, request, patience));
    if (answer.status != 200) {
        return fail(Errc::unavailable, fmt::format("{}:{}{}: {} {}", address.host, address.port,
                                                   path, answer.status, answer.body));
    }
    return std::move(answer.body);
}

Result<std::vector<EtcdMember>> members_from_any(const config::Etcd& etcd) {
    Error last{.code = Errc::unavailable, .message = "no hosts"};
    for (const auto& host : etcd.hosts) {
        const auto body = ask({.host = host.host, .port = host.port, .tls = tls_of(etcd)},
                              "/v3/cluster/member/list");
        if (body) {
            return parse_member_list(*body);
        }
        last = body.error();
    }
    last.hint = "is etcd running? etcd3.hosts names where it was looked for";
    return std::unexpected(std::move(last));
}

std::string health_of(const EtcdMember& member) {
    return !member.answers         ? "no answer"
           : member.errors.empty() ? "healthy"
                                   : member.errors.front();
}

Json json_of(const EtcdMember& m) {
    return {{"id", m.id},
            {"name", m.name},
            {"client", m.client_url},
            {"peer", m.peer_url},
            {"healthy", m.answers && m.errors.empty()},
            {"leader", m.leads},
            {"version", m.version},
            {"db_size_bytes", m.db_bytes},
            {"errors", m.errors}};
}

}  // namespace

Result<std::vector<EtcdMember>> parse_member_list(const std::string& body) {
    const auto doc = Json::parse(body, nullptr, false);
    if (!doc.is_object() || !doc.contains("members")) {
        return fail(Errc::corrupt, "etcd's member list is not understood: " + body.substr(0, 100));
    }
    std::vector<EtcdMember> out;
    for (const auto& member : doc["members"]) {
        out.push_back({.id = member.value("ID", ""),
                       .name = member.value("name", ""),
                       .client_url = first_of(member, "clientURLs"),
                       .peer_url = first_of(member, "peerURLs")});
    }
    std::ranges::sort(out, {}, &EtcdMember::name);
    return out;
}

Result<> take_status(EtcdMember& member, const std::string& body) {
    const auto doc = Json::parse(body, nullptr, false);
    if (!doc.is_object()) {
        return fail(Errc::corrupt, "etcd's status is not understood: " + body.substr(0, 100));
    }
    const auto leader = doc.value("leader", std::string("0"));
    member.version = doc.value("version", "");
    member.answers = leader != "0";
    member.leads = leader == member.id;
    member.db_bytes = number_of(doc, "dbSize");
    for (const auto& error : doc.value("errors", Json::array())) {
        member.errors.push_back(error.get<std::string>());
    }
    return {};
}

std::string render_dcs_status(const std::vector<EtcdMember>& members, bool json) {
    if (json) {
        Json out = Json::array();
        for (const auto& member : members) {
            out.push_back(json_of(member));
        }
        return Json{{"members", std::move(out)}}.dump(2) + "\n";
    }
    std::vector<std::vector<std::string>> rows;
    for (const auto& m : members) {
        rows.push_back({m.name.empty() ? "(unstarted)" : m.name, m.client_url,
                        m.leads ? "leader" : "follower", health_of(m), m.version,
                        m.answers ? fmt::format("{:.1f} MB", double(m.db_bytes) / 1e6) : ""});
    }
    return draw_table(" etcd ",
                      {{"Member"}, {"Client"}, {"Role"}, {"Health"}, {"Version"}, {"Size", true}},
                      rows);
}

Result<int> run(const DcsStatusCommand& command, const config::AgentConfig& config) {
    if (!config.etcd) {
        return fail(Errc::invalid, config.file + ": no section etcd3",
                    "etcd3: {hosts: [HOST:2379, ...]} names the store");
    }
    HD_TRY(auto members, members_from_any(*config.etcd));
    bool all = true;
    for (auto& member : members) {
        if (auto address = address_of(member.client_url)) {
            address->tls = tls_of(*config.etcd);
            if (const auto body = ask(*address, "/v3/maintenance/status")) {
                HD_TRY_VOID(take_status(member, *body));
            }
        }
        all = all && member.answers;
    }
    std::fputs(render_dcs_status(members, command.json).c_str(), stdout);
    return all ? 0 : 1;
}

}  // namespace howdah::cli
