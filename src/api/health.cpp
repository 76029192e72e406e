#include "api/health.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "api/overview.h"
#include "api/status_document.h"

namespace howdah::api {

namespace {

std::string decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned byte = 0;
        const auto* digits = text.data() + i + 1;
        if (text[i] == '%' && i + 2 < text.size() &&
            std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
            out += char(byte);
            i += 2;
        } else {
            out += text[i] == '+' ? ' ' : text[i];
        }
    }
    return out;
}

/// "16MB", "1048576": bytes. Errors: nullopt, which Patroni takes for "no limit".
std::optional<std::uint64_t> parse_bytes(std::string_view text) {
    std::uint64_t number = 0;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
    if (end.ec != std::errc()) {
        return std::nullopt;
    }
    const std::string_view unit(end.ptr, text.data() + text.size());
    constexpr std::array<std::pair<std::string_view, int>, 6> units{
        {{"", 0}, {"B", 0}, {"kB", 10}, {"MB", 20}, {"GB", 30}, {"TB", 40}}};
    for (const auto& [name, shift] : units) {
        if (name == unit) {
            return number << shift;
        }
    }
    return std::nullopt;
}

std::string tag_text(const nlohmann::ordered_json& value) {
    if (value.is_string()) {
        return value.get<std::string>();
    }
    auto text = value.dump();
    std::ranges::transform(text, text.begin(),
                           [](unsigned char c) { return char(std::tolower(c)); });
    return text;
}

/// Everything that the checks of one request are made of.
class Checks {
public:
    Checks(const Target& target, const agent::Status& status, Now now)
        : target_(target),
          s_(status),
          now_(now),
          mode_(mode_of(status.cluster)),
          tags_(object_of(status.tags_json)) {}

    bool holds_lock() const {
        // While paused and without the store, Patroni goes by the role of PostgreSQL (3.3).
        return s_.holds_leader ||
               (s_.pause && !s_.dcs_reachable && s_.local.role == ha::Role::primary && running());
    }
    bool standby_cluster() const { return mode_.standby_cluster; }
    /// One that is still being promoted would refuse every write.
    bool primary() const { return holds_lock() && !mode_.standby_cluster && !s_.local.in_recovery; }
    bool standby_leader() const {
        return holds_lock() && mode_.standby_cluster && s_.local.role == ha::Role::standby;
    }
    bool running() const { return state_word(s_) == "running"; }
    bool replica() const {
        const bool is_standby = s_.local.role == ha::Role::standby && role_word(s_) == "replica";
        return running() && is_standby && !spared_load() && within_lag() && has_asked_state() &&
               has_tags();
    }
    bool view_is_fresh() const {
        return s_.dcs_reachable || now_.wall_seconds - s_.dcs_last_seen < mode_.ttl_seconds;
    }
    bool sync_standby() const { return in_sync() && !mode_.quorum; }
    bool quorum_standby() const { return in_sync() && mode_.quorum; }
    bool has_tags() const {
        return std::ranges::all_of(target_.query, [this](const auto& parameter) {
            if (!parameter.first.starts_with("tag_")) {
                return true;
            }
            const auto tag = tags_.find(parameter.first.substr(4));
            return tag != tags_.end() && tag_text(*tag) == parameter.second;
        });
    }

private:
    bool in_sync() const { return mode_.synchronous && is_sync_standby(s_.cluster, s_.name); }
    bool spared_load() const { return ha::Member{.tags_json = s_.tags_json}.tags().noloadbalance; }
    bool within_lag() const {
        const auto* lag = target_.parameter("lag");
        const auto limit = lag != nullptr ? parse_bytes(*lag) : std::nullopt;
        return !limit || s_.cluster.optime.value_or(0) <= s_.local.replayed.bytes() + *limit;
    }
    bool has_asked_state() const {
        const auto* state = target_.parameter("replication_state");
        return state == nullptr || *state == s_.local.replication_state;
    }

    const Target& target_;
    const agent::Status& s_;
    Now now_;
    ClusterMode mode_;
    nlohmann::ordered_json tags_;
};

bool passes_sync_group(const std::string& path, const Checks& c) {
    if (!c.view_is_fresh()) {
        return false;
    }
    const bool led = c.primary() || c.standby_leader();
    if (path == "/sync" || path == "/synchronous") {
        return c.replica() && c.sync_standby();
    }
    if (path == "/quorum") {
        return c.replica() && c.quorum_standby();
    }
    if (path == "/async" || path == "/asynchronous") {
        return c.replica() && !c.sync_standby() && !c.quorum_standby();
    }
    if (path == "/read-only-sync" || path == "/read-only-synchronous") {
        return led || (c.replica() && c.sync_standby());
    }
    return path == "/read-only-quorum" && (led || (c.replica() && c.quorum_standby()));
}

}  // namespace

const std::string* Target::parameter(std::string_view name) const {
    const auto it = std::ranges::find(query, name, &std::pair<std::string, std::string>::first);
    return it != query.end() ? &it->second : nullptr;
}

Target parse_target(const std::string& target) {
    const auto mark = target.find('?');
    Target out{.path = target.substr(0, mark)};
    if (mark == std::string::npos) {
        return out;
    }
    std::string_view rest = std::string_view(target).substr(mark + 1);
    while (!rest.empty()) {
        const auto end = std::min(rest.find('&'), rest.size());
        const auto item = rest.substr(0, end);
        const auto equals = item.find('=');
        if (equals != std::string_view::npos) {
            out.query.emplace_back(decoded(item.substr(0, equals)),
                                   decoded(item.substr(equals + 1)));
        }
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return out;
}

bool passes(const Target& target, const agent::Status& status, Now now) {
    const Checks c(target, status, now);
    const auto& path = target.path;
    if (path.contains("standby_leader") || path.contains("standby-leader")) {
        return c.standby_leader();
    }
    if (path.contains("leader")) {
        return c.holds_lock();
    }
    if (path == "/" || path.contains("master") || path.contains("primary") ||
        path.contains("read-write")) {
        return c.primary();
    }
    if (path.contains("replica")) {
        return c.replica();
    }
    if (path.contains("read-only") && !path.contains("sync") && !path.contains("quorum")) {
        return c.primary() || c.standby_leader() || c.replica();
    }
    if (path.contains("health")) {
        return c.running() && c.has_tags();
    }
    return passes_sync_group(path, c);
}

bool is_live(const agent::Status& status, Now now) {
    if (status.pause) {
        return true;
    }
    const Seconds ttl(mode_of(status.cluster).ttl_seconds);
    const bool primary = status.local.role == ha::Role::primary && status.local.accepting;
    return now.boot <= status.next_cycle_due + ttl * (primary ? 1 : 2);
}

bool is_ready(const Target& target, const agent::Status& status) {
    if (status.holds_leader) {
        return true;
    }
    const auto& local = status.local;
    if (state_word(status) != "running" || local.replication_state != "streaming" ||
        !status.cluster.optime) {
        return false;
    }
    const auto* lag = target.parameter("lag");
    const auto limit = (lag != nullptr ? parse_bytes(*lag) : std::nullopt)
                           .value_or(status.maximum_lag_on_failover);
    const auto* mode = target.parameter("mode");
    const auto reached = mode != nullptr && *mode == "write" ? local.received : local.replayed;
    return *status.cluster.optime <= reached.bytes() + limit;
}

}  // namespace howdah::api
