#include "dcs/etcd/status.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "io/http.h"

namespace howdah::dcs::etcd {
namespace {

using Json = nlohmann::json;

template <class Number>
Number number(const Json& object, const char* name) {
    const auto text = object.value(name, "0");
    Number value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

io::Task<Result<Json>> ask(io::Executor executor, io::Clock& clock, EtcdOptions options,
                           Endpoint endpoint, std::string path, Nanos limit) {
    io::HttpClient client(executor, clock, endpoint.host, endpoint.port, options.tls);
    std::string token;
    HD_CO_TRY(const auto body, co_await post(client, options, token, path, "{}", limit));
    auto json = Json::parse(body, nullptr, false);
    if (!json.is_object()) {
        co_return fail(Errc::unavailable, "answer of etcd is not a JSON object");
    }
    co_return json;
}

EtcdMemberStatus listed(const Json& member) {
    EtcdMemberStatus status{.name = member.value("name", ""),
                            .id = number<std::uint64_t>(member, "ID")};
    if (member.contains("clientURLs") && !member["clientURLs"].empty()) {
        status.client_url = member["clientURLs"][0].get<std::string>();
    } else {
        status.error = "has not joined yet";
    }
    return status;
}

void take(EtcdMemberStatus& status, const Json& json) {
    const auto leader = number<std::uint64_t>(json, "leader");
    status.leader = leader != 0 && leader == status.id;
    status.healthy = leader != 0;
    status.db_size = number<std::int64_t>(json, "dbSize");
    status.version = json.value("version", "");
    status.raft_term = number<std::uint64_t>(json, "raftTerm");
    status.error = status.healthy ? "" : "knows no leader";
}

}  // namespace

Result<Endpoint> parse_url(const std::string& url) {
    const auto scheme = url.find("://");
    const auto begin = scheme == std::string::npos ? 0 : scheme + 3;
    const auto colon = url.rfind(':');
    Endpoint endpoint{.host = url.substr(begin, colon - begin)};
    const char* end = url.data() + url.size();
    if (colon == std::string::npos || colon < begin || endpoint.host.empty() ||
        std::from_chars(url.data() + colon + 1, end, endpoint.port).ec != std::errc{}) {
        return fail(Errc::invalid, "not http://host:port: " + url);
    }
    return endpoint;
}

io::Task<Result<std::vector<EtcdMemberStatus>>> member_status(io::Executor executor,
                                                              io::Clock& clock, EtcdOptions options,
                                                              Nanos limit) {
    Result<Json> list = fail(Errc::unavailable, "no etcd endpoint");
    for (std::size_t i = 0; i < options.endpoints.size() && !list; ++i) {
        list = co_await ask(executor, clock, options, options.endpoints[i], "/cluster/member/list",
                            limit);
    }
    if (!list) {
        co_return std::unexpected(std::move(list).error());
    }
    std::vector<EtcdMemberStatus> result;
    for (const auto& member : list->value("members", Json::array())) {
        auto status = listed(member);
        if (const auto endpoint = parse_url(status.client_url); endpoint) {
            const auto answer =
                co_await ask(executor, clock, options, *endpoint, "/maintenance/status", limit);
            if (answer) {
                take(status, *answer);
            } else {
                status.error = answer.error().message;
            }
        }
        result.push_back(std::move(status));
    }
    co_return result;
}

}  // namespace howdah::dcs::etcd
