#include "dcs/etcd/etcd_json.h"

#include <nlohmann/json.hpp>

#include "base/base64.h"

namespace howdah::dcs::etcd {
namespace {

using Json = nlohmann::json;

std::string end_of(std::string prefix) {
    while (!prefix.empty()) {
        auto& last = prefix.back();
        if (static_cast<unsigned char>(last) < 0xff) {
            last = static_cast<char>(static_cast<unsigned char>(last) + 1);
            return prefix;
        }
        prefix.pop_back();
    }
    return std::string(1, '\0');
}

Json range_of(const std::string& prefix) {
    return {{"key", to_base64(prefix.empty() ? std::string(1, '\0') : prefix)},
            {"range_end", to_base64(end_of(prefix))}};
}

/// Absent fields are zero: the gateway leaves them out.
template <class Number>
Number number(const Json& object, const char* name) {
    const auto it = object.find(name);
    if (it == object.end()) {
        return 0;
    }
    return it->is_string() ? static_cast<Number>(std::stoull(it->get<std::string>()))
                           : it->get<Number>();
}

std::string bytes(const Json& object, const char* name) {
    auto decoded = from_base64(object.value(name, ""));
    if (!decoded) {
        throw std::invalid_argument(decoded.error().message);
    }
    return *std::move(decoded);
}

KeyValue key_value(const Json& kv) {
    return {.key = bytes(kv, "key"),
            .value = bytes(kv, "value"),
            .create_revision = number<Revision>(kv, "create_revision"),
            .mod_revision = number<Revision>(kv, "mod_revision"),
            .lease = number<LeaseId>(kv, "lease")};
}

const Json& part(const Json& object, const char* name) {
    static const Json empty = Json::object();
    const auto it = object.find(name);
    return it == object.end() ? empty : *it;
}

template <class T>
Result<T> parsed(std::string_view body, T (*take)(const Json&)) {
    try {
        return take(Json::parse(body));
    } catch (const std::exception& e) {
        return fail(Errc::unavailable, std::string("answer of etcd: ") + e.what());
    }
}

Json operation(const Operation& operation) {
    if (const auto* put = std::get_if<Put>(&operation)) {
        Json json{{"key", to_base64(put->key)}, {"value", to_base64(put->value)}};
        if (put->lease != 0) {
            json["lease"] = std::to_string(put->lease);
        }
        return {{"request_put", std::move(json)}};
    }
    if (const auto* gone = std::get_if<Delete>(&operation)) {
        return {{"request_delete_range", {{"key", to_base64(gone->key)}}}};
    }
    return {{"request_range", {{"key", to_base64(std::get<Get>(operation).key)}}}};
}

Json operations(const std::vector<Operation>& list) {
    auto json = Json::array();
    for (const auto& one : list) {
        json.push_back(operation(one));
    }
    return json;
}

Json compare(const Compare& c) {
    Json json{{"key", to_base64(c.key)}, {"result", "EQUAL"}};
    switch (c.field) {
        case Compare::Field::mod_revision:
            json["target"] = "MOD";
            json["mod_revision"] = std::to_string(c.revision);
            break;
        case Compare::Field::create_revision:
            json["target"] = "CREATE";
            json["create_revision"] = std::to_string(c.revision);
            break;
        case Compare::Field::value:
            json["target"] = "VALUE";
            json["value"] = to_base64(c.value);
            break;
    }
    return json;
}

Snapshot take_range(const Json& json) {
    Snapshot result{.revision = number<Revision>(part(json, "header"), "revision"),
                    .cluster_id = number<std::uint64_t>(part(json, "header"), "cluster_id")};
    for (const auto& kv : part(json, "kvs")) {
        result.keys.push_back(key_value(kv));
    }
    return result;
}

TxnAnswer take_txn(const Json& json) {
    TxnAnswer result{.succeeded = json.value("succeeded", false),
                     .revision = number<Revision>(part(json, "header"), "revision"),
                     .cluster_id = number<std::uint64_t>(part(json, "header"), "cluster_id")};
    for (const auto& response : part(json, "responses")) {
        for (const auto& kv : part(part(response, "response_range"), "kvs")) {
            result.found.push_back(key_value(kv));
        }
    }
    return result;
}

Lease take_grant(const Json& json) {
    return {.id = number<LeaseId>(json, "ID"), .ttl = Seconds(number<std::int64_t>(json, "TTL"))};
}

std::int64_t take_db_size(const Json& doc) {
    return number<std::int64_t>(doc, "dbSize");
}

std::int64_t take_ttl(const Json& json) {
    return number<std::int64_t>(part(json, "result"), "TTL");
}

WatchMessage take_watch(const Json& json) {
    if (json.contains("error")) {
        return {.cancelled = true, .reason = json["error"].dump()};
    }
    const auto& result = part(json, "result");
    WatchMessage message{.revision = number<Revision>(part(result, "header"), "revision"),
                         .cancelled = result.value("canceled", false),
                         .compacted = number<Revision>(result, "compact_revision") != 0,
                         .reason = result.value("cancel_reason", "")};
    for (const auto& event : part(result, "events")) {
        message.events.push_back(
            {.deleted = event.value("type", "") == "DELETE", .kv = key_value(event.at("kv"))});
    }
    return message;
}

}  // namespace

std::string render_range(const std::string& prefix, bool stale_is_fine) {
    auto json = range_of(prefix);
    if (stale_is_fine) {
        json["serializable"] = true;
    }
    return json.dump();
}

std::string render_txn(const Txn& txn) {
    auto compares = Json::array();
    for (const auto& c : txn.when) {
        compares.push_back(compare(c));
    }
    return Json{{"compare", std::move(compares)},
                {"success", operations(txn.then)},
                {"failure", operations(txn.otherwise)}}
        .dump();
}

std::string render_grant(Seconds ttl) {
    return Json{{"TTL", std::to_string(ttl.count())}}.dump();
}

std::string render_lease(LeaseId id) {
    return Json{{"ID", std::to_string(id)}}.dump();
}

std::string render_compaction(Revision revision) {
    return Json{{"revision", std::to_string(revision)}}.dump();
}

std::string render_watch(const std::string& prefix, Revision from) {
    auto json = range_of(prefix);
    json["start_revision"] = std::to_string(from);
    return Json{{"create_request", std::move(json)}}.dump();
}

std::string render_probe() {
    return Json{{"key", to_base64("howdah")}, {"count_only", true}}.dump();
}

Result<Snapshot> parse_range(std::string_view body) {
    return parsed(body, take_range);
}

Result<TxnAnswer> parse_txn(std::string_view body) {
    return parsed(body, take_txn);
}

Result<Lease> parse_grant(std::string_view body) {
    return parsed(body, take_grant);
}

Result<> parse_keep_alive(std::string_view body) {
    HD_TRY(const auto ttl, parsed(body, take_ttl));
    return ttl > 0 ? Result<>{} : fail(Errc::not_found, "lease is gone");
}

Result<std::int64_t> parse_db_size(std::string_view body) {
    return parsed(body, take_db_size);
}

bool says_compacted(const Error& error) {
    return error.message.find("has been compacted") != std::string::npos;
}

Result<WatchMessage> parse_watch(std::string_view object) {
    return parsed(object, take_watch);
}

std::optional<std::string> cut_object(std::string& text) {
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            i += c == '\\' ? 1 : 0;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{') {
            ++depth;
        } else if (c == '}' && --depth == 0) {
            auto object = text.substr(0, i + 1);
            text.erase(0, i + 1);
            return object;
        }
    }
    return std::nullopt;
}

Error parse_error(int status, std::string_view body) {
    const auto json = Json::parse(body, nullptr, false);
    int code = 14;
    std::string message = "HTTP status " + std::to_string(status);
    if (json.is_object() && json.contains("code") && json["code"].is_number_integer()) {
        code = json["code"].get<int>();
        message = json.value("message", message);
    }
    switch (code) {
        case 3:   // invalid argument
        case 7:   // permission denied
        case 12:  // unimplemented
        case 16:  // unauthenticated
            return {.code = Errc::invalid, .message = message};
        case 5:
            return {.code = Errc::not_found, .message = message};
        case 11:
            return {.code = Errc::conflict, .message = message};
        default:
            return {.code = Errc::unavailable, .message = message};
    }
}

bool needs_login(std::string_view body) {
    for (const auto* text :
         {"invalid auth token", "user name is empty", "revision of auth store"}) {
        if (body.find(text) != std::string_view::npos) {
            return true;
        }
    }
    return false;
}

}  // namespace howdah::dcs::etcd
