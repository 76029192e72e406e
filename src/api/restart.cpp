#include "api/restart.h"

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <vector>

#include "api/answers.h"
#include "api/body.h"
#include "base/timestamp.h"
#include "config/quantity.h"
#include "config/yaml_scalar.h"

namespace howdah::api {

using Json = nlohmann::ordered_json;

namespace {

using Refusal = std::optional<io::HttpResponse>;

std::string text_of(const Json& value) {
    return value.is_string() ? value.get<std::string>() : config::python_text(value);
}

Refusal take_schedule(const Json& value, const agent::Status& status, std::int64_t now,
                      agent::RestartRequest& out) {
    const auto when = parse_iso8601(text_of(value));
    if (!when) {
        return text_answer(422,
                           "Unable to parse scheduled timestamp. It should be in an unambiguous "
                           "format, e.g. ISO 8601");
    }
    if (!when->has_zone) {
        return text_answer(400, "Timezone information is mandatory for the scheduled restart");
    }
    if (when->seconds < now) {
        return text_answer(422, "Cannot schedule restart in the past");
    }
    if (status.pause) {
        return text_answer(500, "Can't schedule restart in the paused state");
    }
    out.at = when->seconds;
    return std::nullopt;
}

Refusal take_role(const Json& value, agent::RestartRequest& out) {
    static constexpr std::array roles{"primary", "standby_leader", "replica"};
    out.role = text_of(value);
    const bool known = std::ranges::find(roles, out.role) != roles.end();
    return known ? Refusal()
                 : text_answer(400,
                               "PostgreSQL role should be either primary, standby_leader, or "
                               "replica");
}

Refusal take_version(const Json& value, agent::RestartRequest& out) {
    const auto number = version_number(text_of(value));
    if (!number) {
        return text_answer(400, "Invalid PostgreSQL version: " + text_of(value));
    }
    out.below_version = *number;
    return std::nullopt;
}

Refusal take_timeout(const Json& value, agent::RestartRequest& out) {
    const auto seconds = config::parse_quantity(text_of(value), config::Unit::seconds);
    if (!seconds || *seconds <= 0) {
        return text_answer(400, "Timeout should be a positive number of seconds");
    }
    out.timeout = Seconds(*seconds);
    return std::nullopt;
}

}  // namespace

std::optional<int> version_number(const std::string& text) {
    std::vector<int> parts;
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at != end) {
        int number = 0;
        const auto read = std::from_chars(at, end, number);
        if (read.ec != std::errc{} || number < 0 || number > 99) {
            return std::nullopt;
        }
        parts.push_back(number);
        at = read.ptr;
        if (at != end && (*at != '.' || ++at == end)) {
            return std::nullopt;
        }
    }
    if (parts.empty() || parts.size() > 3) {
        return std::nullopt;
    }
    if (parts[0] >= 10 && parts.size() < 3) {
        parts.insert(parts.begin() + 1, 0);  // from 10 on the second number is the minor one
    }
    parts.resize(3);
    return parts[0] * 10000 + parts[1] * 100 + parts[2];
}

bool is_true(const Json& body, const char* key) {
    const auto it = body.find(key);
    return it != body.end() && config::parse_truth(text_of(*it)).value_or(false);
}

std::expected<agent::RestartRequest, io::HttpResponse> restart_in(const io::HttpRequest& request,
                                                                  const agent::Status& status,
                                                                  std::int64_t wall_seconds) {
    auto body = optional_object_in(request);
    if (!body) {
        return std::unexpected(std::move(body).error());
    }
    agent::RestartRequest out;
    for (const auto& [key, value] : body->items()) {
        Refusal refused;
        if (key == "schedule") {
            refused = take_schedule(value, status, wall_seconds, out);
        } else if (key == "role") {
            refused = take_role(value, out);
        } else if (key == "postgres_version") {
            refused = take_version(value, out);
        } else if (key == "timeout") {
            refused = take_timeout(value, out);
        } else if (key == "restart_pending") {
            out.if_pending = true;
        } else {
            refused = text_answer(400, "Unknown filter for the scheduled restart: " + key);
        }
        if (refused) {
            return std::unexpected(*std::move(refused));
        }
    }
    out.json = body->dump();
    return out;
}

}  // namespace howdah::api
