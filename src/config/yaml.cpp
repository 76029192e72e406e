#include "config/yaml.h"

#include <fmt/format.h>

#include <charconv>

#include "config/quantity.h"
#include "config/yaml_scalar.h"

namespace howdah::config {
namespace {

using Json = nlohmann::ordered_json;

const Json nothing{};

bool is_scalar(const Json& value) {
    return !value.is_structured();
}

std::string kind_of(const Json& value) {
    return value.is_object()  ? "a mapping"
           : value.is_array() ? "a list"
           : value.is_null()  ? "nothing"
                              : fmt::format("\"{}\"", python_text(value));
}

/// As Patroni reads what should be true or false.
std::optional<bool> truth_of(const Json& value) {
    return is_scalar(value) ? parse_truth(python_text(value)) : std::nullopt;
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() && !text.empty()
               ? std::optional(value)
               : std::nullopt;
}

}  // namespace

void YamlSection::Shared::refuse(Error wrong) {
    if (!error) {
        error = wrong;
    }
    errors.push_back(std::move(wrong));
}

YamlSection::YamlSection(const Json& node, std::string path, Shared& shared)
    : node_(&node), path_(std::move(path)), shared_(shared) {
    if (!node.is_null() && !node.is_object()) {
        shared_.refuse(
            {.code = Errc::invalid,
             .message = fmt::format("{}: {}: must be a mapping, not {}",
                                    shared_.sources.origin_of(path_).text(), path_, kind_of(node)),
             .hint = "indent its keys below it"});
        node_ = &nothing;
    }
}

void YamlSection::refuse(const std::string& key, const std::string& why, const std::string& hint) {
    shared_.refuse({.code = Errc::invalid,
                    .message = fmt::format("{}: {}: {}", origin(key).text(), path_of(key), why),
                    .hint = hint});
}

void YamlSection::warn(const std::string& key, std::string what, bool without_effect) {
    const auto from = origin(key);
    shared_.warnings.push_back({.file = from.place,
                                .line = from.line,
                                .key = path_of(key),
                                .message = std::move(what),
                                .without_effect = without_effect});
}

Origin YamlSection::origin(const std::string& key) const {
    return shared_.sources.origin_of(path_of(key));
}

const Json& YamlSection::raw(const std::string& key) const {
    const auto found = node_->is_object() ? node_->find(key) : node_->end();
    return found == node_->end() ? nothing : *found;
}

bool YamlSection::has(const std::string& key) const {
    return !raw(key).is_null();
}

std::vector<std::string> YamlSection::keys() const {
    std::vector<std::string> out;
    for (const auto& [key, value] : node_->items()) {
        if (node_->is_object()) {
            out.push_back(key);
        }
    }
    return out;
}

YamlSection YamlSection::section(const std::string& key) {
    return YamlSection(raw(key), path_of(key), shared_);
}

/// As it was written.
std::string YamlSection::shown(const std::string& key) const {
    const auto written = shared_.sources.written.find(path_of(key));
    return written == shared_.sources.written.end() ? kind_of(raw(key))
                                                    : fmt::format("\"{}\"", written->second);
}

std::string YamlSection::as_text(const Json& scalar, const std::string& key) {
    auto text = python_text(scalar);
    const auto written = shared_.sources.written.find(path_of(key));
    if (!scalar.is_string() && written != shared_.sources.written.end()) {
        // A secret is not repeated.
        const bool secret = key.find("password") != std::string::npos;
        warn(key, secret ? "what stands there is a number or a truth value for YAML, and read as "
                           "such, as Patroni reads it; write it in quotes"
                         : fmt::format("YAML reads {} as {}, as Patroni does; write it in quotes "
                                       "to keep it as it stands",
                                       written->second, text));
    }
    return text;
}

std::string YamlSection::text(const std::string& key, std::string otherwise) {
    const auto& value = raw(key);
    if (value.is_null()) {
        return otherwise;
    }
    if (!is_scalar(value)) {
        refuse(key, fmt::format("must be text, not {}", kind_of(value)),
               "write one value after the colon");
        return otherwise;
    }
    return as_text(value, key);
}

std::string YamlSection::word(const std::string& key, std::string otherwise) {
    const auto& value = raw(key);
    return value.is_boolean() ? (value.get<bool>() ? "on" : "off")
                              : lower_case(text(key, std::move(otherwise)));
}

std::string YamlSection::required_text(const std::string& key, const std::string& hint) {
    auto value = text(key);
    if (value.empty()) {
        refuse(key, "is missing", hint);
    }
    return value;
}

bool YamlSection::flag(const std::string& key, bool otherwise) {
    const auto& value = raw(key);
    if (value.is_null()) {
        return otherwise;
    }
    const auto truth = truth_of(value);
    if (!truth) {
        refuse(key, fmt::format("must be true or false, not {}", shown(key)),
               "write true or false");
    }
    return truth.value_or(otherwise);
}

std::int64_t YamlSection::number(const std::string& key, std::int64_t otherwise, std::int64_t least,
                                 std::int64_t most) {
    const auto& value = raw(key);
    if (value.is_null()) {
        return otherwise;
    }
    const auto number = value.is_number_integer() ? std::optional(value.get<std::int64_t>())
                        : value.is_string() ? parse_number<std::int64_t>(value.get<std::string>())
                                            : std::nullopt;
    if (!number || *number < least || *number > most) {
        refuse(key, fmt::format("must be a number from {} to {}, not {}", least, most, shown(key)),
               "write a whole number");
        return otherwise;
    }
    return *number;
}

std::vector<std::string> YamlSection::list(const std::string& key) {
    std::vector<std::string> out;
    const auto& value = raw(key);
    if (value.is_null()) {
        return out;
    }
    if (!value.is_array()) {
        refuse(key, fmt::format("must be a list, not {}", kind_of(value)),
               "write one item a line, each after a dash");
        return out;
    }
    for (const auto& item : value) {
        if (!is_scalar(item) || item.is_null()) {
            refuse(key, fmt::format("must be a list of text, but holds {}", kind_of(item)),
                   "write one item a line, each after a dash");
            return out;
        }
        out.push_back(python_text(item));
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
