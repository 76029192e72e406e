#include "api/rest.h"

#include <nlohmann/json.hpp>

#include "api/answers.h"
#include "api/health.h"
#include "api/metrics.h"
#include "api/overview.h"
#include "api/status_document.h"

namespace howdah::api {

namespace {

using Json = nlohmann::ordered_json;

Json history_json(const ha::Cluster& cluster) {
    Json out = Json::array();
    for (const auto& row : cluster.history) {
        Json item{row.parent, row.switch_lsn.bytes(), row.reason};
        if (!row.timestamp.empty()) {
            item.push_back(row.timestamp);
        }
        if (!row.new_leader.empty()) {
            item.push_back(row.new_leader);
        }
        out.push_back(std::move(item));
    }
    return out;
}

io::HttpResponse from_store(const std::string& path, const agent::Status& s) {
    if (!s.dcs_reachable) {
        return text_answer(503, "DCS is not accessible");
    }
    if (path == "/cluster") {
        return json_answer(200, cluster_json(s.cluster, s.scope));
    }
    if (path == "/history") {
        return json_answer(200, history_json(s.cluster));
    }
    const auto config = object_of(s.cluster.config_json);
    return config.empty() ? error_page(502) : json_answer(200, config);
}

io::HttpResponse get(const Target& target, const agent::Status& s, Now now) {
    const auto first = target.path.substr(0, target.path.find('/', 1));
    if (first == "/liveness") {
        return bare_answer(is_live(s, now) ? 200 : 503);
    }
    if (first == "/readiness") {
        return bare_answer(is_ready(target, s) ? 200 : 503);
    }
    if (first == "/metrics") {
        return {.headers = {{"Content-Type", "text/plain"}}, .body = metrics(s)};
    }
    if (first == "/patroni") {
        return json_answer(200, status_document(s));
    }
    if (first == "/cluster" || first == "/history" || first == "/config") {
        return from_store(first, s);
    }
    if (first == "/failsafe") {
        // The last one known, with or without the store.
        const auto listed = object_of(s.cluster.failsafe_json);
        return listed.empty() ? error_page(502) : json_answer(200, listed);
    }
    return json_answer(passes(target, s, now) ? 200 : 503, status_document(s));
}

}  // namespace

io::HttpResponse answer(const io::HttpRequest& request, const agent::Status& status, Now now) {
    const auto target = parse_target(request.target);
    if (request.method == "GET") {
        return get(target, status, now);
    }
    if (request.method == "HEAD" || request.method == "OPTIONS") {
        return bare_answer(passes(target, status, now) ? 200 : 503);
    }
    return error_page(501, "Unsupported method ('" + request.method + "')");
}

}  // namespace howdah::api
