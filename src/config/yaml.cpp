#include "config/yaml.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

namespace howdah::config {
namespace {

std::string kind_of(const YAML::Node& node) {
    return node.IsMap()        ? "a mapping"
           : node.IsSequence() ? "a list"
           : node.IsNull()     ? "nothing"
                               : fmt::format("\"{}\"", node.Scalar());
}

std::optional<bool> parse_bool(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    static const std::set<std::string> yes{"true", "on", "yes", "1"};
    static const std::set<std::string> no{"false", "off", "no", "0"};
    return yes.contains(text)  ? std::optional(true)
           : no.contains(text) ? std::optional(false)
                               : std::nullopt;
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() && !text.empty()
               ? std::optional(value)
               : std::nullopt;
}

nlohmann::ordered_json scalar_to_json(const YAML::Node& node) {
    const auto& text = node.Scalar();
    if (node.Tag() == "!") {  // quoted
        return text;
    }
    if (text == "~" || text == "null" || text == "Null" || text == "NULL") {
        return nullptr;
    }
    if (const auto number = parse_number<std::int64_t>(text)) {
        return *number;
    }
    if (text != "1" && text != "0") {
        if (const auto truth = parse_bool(text)) {
            return *truth;
        }
    }
    if (text.find('.') != std::string::npos) {
        if (const auto number = parse_number<double>(text)) {
            return *number;
        }
    }
    return text;
}

}  // namespace

nlohmann::ordered_json to_json(const YAML::Node& node) {
    if (node.IsMap()) {
        auto out = nlohmann::ordered_json::object();
        for (const auto& item : node) {
            out[item.first.Scalar()] = to_json(item.second);
        }
        return out;
    }
    if (node.IsSequence()) {
        auto out = nlohmann::ordered_json::array();
        for (const auto& item : node) {
            out.push_back(to_json(item));
        }
        return out;
    }
    return node.IsScalar() ? scalar_to_json(node) : nlohmann::ordered_json();
}

Result<HostPort> parse_host_port(const std::string& text, std::uint16_t default_port) {
    HostPort out{.host = text, .port = default_port};
    const auto bracket = text.rfind(']');
    const auto colon = text.rfind(':');
    const auto has_port =
        colon != std::string::npos && (bracket == std::string::npos || colon > bracket);
    if (has_port) {
        const auto port = parse_number<std::uint16_t>(std::string_view(text).substr(colon + 1));
        if (!port || *port == 0) {
            return fail(Errc::invalid,
                        fmt::format("\"{}\" has no port between 1 and 65535 after its colon", text),
                        "write host:port, for example 10.0.0.1:8008");
        }
        out.port = *port;
        out.host = text.substr(0, colon);
    } else if (default_port == 0) {
        return fail(Errc::invalid, fmt::format("\"{}\" has no port", text),
                    "write host:port, for example 10.0.0.1:8008");
    }
    if (out.host.size() > 1 && out.host.front() == '[' && out.host.back() == ']') {
        out.host = out.host.substr(1, out.host.size() - 2);
    }
    return out;
}

void YamlSection::Shared::refuse(Error wrong) {
    if (!error) {
        error = wrong;
    }
    errors.push_back(std::move(wrong));
}

YamlSection::YamlSection(YAML::Node node, std::string path, Shared& shared)
    : node_(std::move(node)), path_(std::move(path)), shared_(shared) {
    if (node_ && !node_.IsNull() && !node_.IsMap()) {
        shared_.refuse(
            {.code = Errc::invalid,
             .message = fmt::format("{}: {}: must be a mapping, not {}",
                                    shared_.sources.origin_of(path_).text(), path_, kind_of(node_)),
             .hint = "indent its keys below it"});
        node_ = YAML::Node();
    }
}

void YamlSection::refuse(const std::string& key, const std::string& why, const std::string& hint) {
    shared_.refuse({.code = Errc::invalid,
                    .message = fmt::format("{}: {}: {}", origin(key).text(), path_of(key), why),
                    .hint = hint});
}

Origin YamlSection::origin(const std::string& key) const {
    return shared_.sources.origin_of(path_of(key));
}

YAML::Node YamlSection::raw(const std::string& key) const {
    if (!node_ || !node_.IsMap()) {
        return YAML::Node(YAML::NodeType::Undefined);
    }
    const YAML::Node& constant = node_;  // operator[] of a non-const node would add the key
    return constant[key];
}

bool YamlSection::has(const std::string& key) const {
    const auto value = raw(key);
    return value && !value.IsNull();
}

YamlSection YamlSection::section(const std::string& key) {
    return YamlSection(raw(key), path_of(key), shared_);
}

std::string YamlSection::text(const std::string& key, std::string otherwise) {
    const auto value = raw(key);
    if (!value || value.IsNull()) {
        return otherwise;
    }
    if (!value.IsScalar()) {
        refuse(key, fmt::format("must be text, not {}", kind_of(value)),
               "write one value after the colon");
        return otherwise;
    }
    return value.Scalar();
}

std::string YamlSection::required_text(const std::string& key, const std::string& hint) {
    auto value = text(key);
    if (value.empty()) {
        refuse(key, "is missing", hint);
    }
    return value;
}

bool YamlSection::flag(const std::string& key, bool otherwise) {
    const auto value = raw(key);
    if (!value || value.IsNull()) {
        return otherwise;
    }
    const auto truth = value.IsScalar() ? parse_bool(value.Scalar()) : std::nullopt;
    if (!truth) {
        refuse(key, fmt::format("must be true or false, not {}", kind_of(value)),
               "write true or false");
    }
    return truth.value_or(otherwise);
}

std::int64_t YamlSection::number(const std::string& key, std::int64_t otherwise, std::int64_t least,
                                 std::int64_t most) {
    const auto value = raw(key);
    if (!value || value.IsNull()) {
        return otherwise;
    }
    const auto number =
        value.IsScalar() ? parse_number<std::int64_t>(value.Scalar()) : std::nullopt;
    if (!number || *number < least || *number > most) {
        refuse(key,
               fmt::format("must be a number from {} to {}, not {}", least, most, kind_of(value)),
               "write a whole number");
        return otherwise;
    }
    return *number;
}

std::vector<std::string> YamlSection::list(const std::string& key) {
    std::vector<std::string> out;
    const auto value = raw(key);
    if (!value || value.IsNull()) {
        return out;
    }
    if (!value.IsSequence()) {
        refuse(key, fmt::format("must be a list, not {}", kind_of(value)),
               "write one item a line, each after a dash");
        return out;
    }
    for (const auto& item : value) {
        if (!item.IsScalar()) {
            refuse(key, fmt::format("must be a list of text, but holds {}", kind_of(item)),
                   "write one item a line, each after a dash");
            return out;
        }
        out.push_back(item.Scalar());
    }
    return out;
}

HostPort YamlSection::host_port(const std::string& key, std::uint16_t default_port) {
    const auto value = text(key);
    if (value.empty()) {
        return {};
    }
    auto parsed = parse_host_port(value, default_port);
    if (!parsed) {
        refuse(key, parsed.error().message, parsed.error().hint);
        return {};
    }
    return *parsed;
}

}  // namespace howdah::config
