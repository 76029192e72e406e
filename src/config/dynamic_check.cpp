#include "config/dynamic_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "config/hba.h"
#include "config/keys.h"
#include "config/own_paths.h"
#include "config/quantity.h"
#include "config/yaml_scalar.h"
#include "ha/settings.h"

namespace howdah::config {
namespace {

using Json = nlohmann::ordered_json;

/// The key itself; a key inside an open mapping has no rule of its own.
const Key* rule_of(const std::string& key) {
    const auto* found = find_key(Document::config, key);
    return found != nullptr && found->path == key ? found : nullptr;
}

constexpr std::int64_t shortest_ttl = 2;
constexpr std::string_view hba_key = "postgresql.pg_hba";

/// As it is quoted in a sentence.
std::string shown(const Json& value) {
    auto text = value.is_string() ? '"' + value.get<std::string>() + '"' : value.dump();
    return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

std::string range_hint(const Key& rule, std::string_view what) {
    auto hint = fmt::format("write {}, {} or more", what, rule.least);
    return rule.otherwise.empty() ? hint
                                  : hint + fmt::format("; the default is {}", rule.otherwise);
}

using Found = std::optional<Finding>;

Found wrong(std::string_view key, std::string message, std::string hint) {
    return Finding{.key = std::string(key), .message = std::move(message), .hint = std::move(hint)};
}

Found check_number(const Key& rule, const Json& value) {
    const auto unit = rule.kind == Kind::bytes     ? Unit::bytes
                      : rule.kind == Kind::seconds ? Unit::seconds
                                                   : Unit::none;
    const std::string_view what = unit == Unit::bytes     ? "bytes or a size like 16MB"
                                  : unit == Unit::seconds ? "seconds or a time like 30min"
                                                          : "a whole number";
    const auto number =
        value.is_boolean() ? std::nullopt : parse_quantity(setting_text(value), unit);
    if (!number) {
        return wrong(rule.path, shown(value) + " is no number", range_hint(rule, what));
    }
    if (*number < rule.least) {
        return wrong(rule.path, fmt::format("{} is below the minimum of {}", *number, rule.least),
                     range_hint(rule, what));
    }
    const auto most = unit == Unit::bytes ? std::int64_t{1} << 53 : std::int64_t{INT32_MAX};
    if (*number > most) {
        return wrong(rule.path, fmt::format("{} is out of range", shown(value)),
                     range_hint(rule, what));
    }
    return std::nullopt;
}

Found check_by(const Key& rule, const Json& value) {
    switch (rule.kind) {
        case Kind::count:
        case Kind::bytes:
        case Kind::seconds:
            return check_number(rule, value);
        case Kind::flag:
            if (!parse_truth(setting_text(value))) {
                return wrong(rule.path, shown(value) + " is neither true nor false",
                             "write true or false");
            }
            return std::nullopt;
        case Kind::sync_mode:
            if (!parse_truth(setting_text(value)) && lower_case(setting_text(value)) != "quorum") {
                return wrong(rule.path, shown(value) + " is no mode", "write off, on or quorum");
            }
            return std::nullopt;
        case Kind::section:
        case Kind::open:
            return value.is_object() ? std::nullopt
                                     : wrong(rule.path, shown(value) + " is no mapping",
                                             "write keys and values below it, indented");
        case Kind::list:
            return value.is_array() ? std::nullopt
                                    : wrong(rule.path, shown(value) + " is no list",
                                            "write one item a line, each after a dash");
        case Kind::text:
            return value.is_string() ? std::nullopt
                                     : wrong(rule.path, shown(value) + " is no text",
                                             "write one value after the colon");
        case Kind::any:
            return std::nullopt;
    }
    return std::nullopt;
}

/// L13: T must leave room for three renewals, the fence and the graceful stop.
Found check_ttl(const Json& value) {
    const auto number =
        value.is_boolean() ? std::nullopt : parse_quantity(setting_text(value), Unit::none);
    if (!number || *number > 86400) {
        return wrong("ttl", shown(value) + " is no number of seconds",
                     "write a whole number from 2 to 86400, or remove ttl to use howdah.lease");
    }
    if (const auto times = ha::LeaseTimes::of_ttl(Seconds(*number)); !times) {
        auto message = times.error().message;
        if (message.starts_with("ttl: ")) {
            message.erase(0, 5);
        }
        return wrong("ttl", std::move(message), times.error().hint);
    }
    return std::nullopt;
}

/// The shortest one for a number below it, else none.
Json nearest_ttl(const Json& value) {
    const auto number = parse_quantity(setting_text(value), Unit::none);
    return number && *number < shortest_ttl ? Json(shortest_ttl) : Json();
}

Found check_wal_keep_size(const std::string& key, const Json& value) {
    constexpr std::int64_t least = 16;
    const auto megabytes = parse_quantity(setting_text(value), Unit::megabytes);
    if (!megabytes || *megabytes < least) {
        return wrong(key, shown(value) + " is not 16MB or more",
                     "write a size like 128MB, which is the default");
    }
    return std::nullopt;
}

Found odd(const std::string& key, std::string message) {
    return Finding{.key = key, .message = std::move(message), .wrong = false};
}

/// The parameters that Patroni and Howdah set themselves (1.12).
Found check_parameter(const std::string& key, const std::string& name, const Json& value) {
    if (value.is_structured()) {
        return wrong(key, shown(value) + " is no value of a parameter",
                     "write one value after the colon");
    }
    if (name == "listen_addresses" || name == "port" || name == "cluster_name") {
        return odd(key, "ignored here: it is made from postgresql.listen and scope");
    }
    if (name == "data_directory" || name == "config_file") {
        return wrong(key, "would start another server than the agent looks at",
                     "remove it; it is made from each member's own data_dir and config_dir");
    }
    if (is_own_path(name)) {
        return odd(key, "ignored: it is made from each member's own data_dir and config_dir");
    }
    if (name == "synchronous_standby_names") {
        return odd(key, "in effect only while synchronous_mode is off");
    }
    if (name == "wal_keep_size") {
        return check_wal_keep_size(key, value);
    }
    const auto text = lower_case(setting_text(value));
    if (name == "restart_after_crash" && parse_truth(text) != false) {
        return odd(key,
                   "ignored: it is always off, since a crash is a failover or a start of "
                   "Howdah's");
    }
    if ((name == "fsync" || name == "full_page_writes") && parse_truth(text) == false) {
        return odd(key,
                   "a host that loses power loses acknowledged commits, or its data directory");
    }
    if (name == "synchronous_commit" && (text == "local" || parse_truth(text) == false)) {
        return odd(key,
                   "commits are acknowledged before a standby has them, in every synchronous_mode");
    }
    if (name == "wal_level" && text != "replica" && text != "hot_standby" && text != "logical") {
        return wrong(key, shown(value) + " is not enough for replication",
                     "write replica or logical; the default is replica");
    }
    if (name == "hot_standby" && parse_truth(text) != true) {
        return wrong(key, shown(value) + " would make standbys unreadable",
                     "remove it; it is always on");
    }
    return std::nullopt;
}

/// A broken line makes PostgreSQL refuse the whole file, and the next start fail.
Found check_hba(const std::string& key, const Json& value) {
    std::vector<std::string> lines;
    for (const auto& line : value.is_array() ? value : Json::array()) {
        lines.push_back(setting_text(line));
    }
    const auto faults = parse_hba(lines).faults;
    return faults.empty()
               ? std::nullopt
               : wrong(key, fault_text(faults),
                       "correct or remove the line; PostgreSQL would refuse the whole file");
}

/// Names of methods that have a section of their own below `postgresql` (13.3).
std::vector<std::string> method_sections(const Json& document) {
    std::vector<std::string> out;
    const auto section = document.find("postgresql");
    if (section == document.end() || !section->is_object()) {
        return out;
    }
    for (const auto* key : {"create_replica_methods", "create_replica_method"}) {
        const auto list = section->find(key);
        for (const auto& name : list != section->end() && list->is_array() ? *list : Json()) {
            out.push_back("postgresql." + setting_text(name));
        }
    }
    return out;
}

/// Of a key that is not acted on.
Found objection(const Key& key, const std::string& path) {
    if (key.effect == Effect::full) {
        return std::nullopt;
    }
    return Finding{.key = path,
                   .message = not_acted_on(key),
                   .hint = "remove it (a value of null does)",
                   .wrong = key.effect == Effect::refused,
                   .refused = key.effect == Effect::refused};
}

class Checker {
public:
    explicit Checker(const Json& document) : methods_(method_sections(document)) {}
    std::vector<Finding> found{};

    void walk(const Json& section, const std::string& path) {
        for (const auto& [name, value] : section.items()) {
            const auto key = path.empty() ? name : path + "." + name;
            if (value.is_null()) {
                continue;  // as absent
            }
            const auto before = found.size();
            check(key, name, path, value);
            const auto* rule = rule_of(key);
            const bool open = (rule != nullptr && rule->kind == Kind::section) ||
                              key.starts_with("postgresql.parameters");
            if (value.is_object() && open && found.size() == before) {
                walk(value, key);
            }
        }
    }

private:
    void add(Found finding) {
        if (finding) {
            found.push_back(*std::move(finding));
        }
    }

    void check(const std::string& key, const std::string& name, const std::string& path,
               const Json& value) {
        if (path == "postgresql.parameters") {
            add(check_parameter(key, name, value));
        } else if (path.starts_with("postgresql.parameters_") && is_controlled(name)) {
            add(odd(key, "ignored: it is the same for all roles; set it in postgresql.parameters"));
            return;
        } else if (std::ranges::find(methods_, key) != methods_.end()) {
            return;
        }
        const auto* known = find_key(Document::config, key);
        if (known == nullptr) {
            add(odd(key, path == "postgresql" && find_key(Document::file, key) != nullptr
                             ? "ignored in the DCS: it belongs into each member's own file"
                             : "unknown key, ignored; " + guess(Document::config, key)));
            return;
        }
        const auto before = found.size();
        if (key == "ttl") {
            add(check_ttl(value));
        } else if (key == "howdah.lease") {
            add(check_profile(value));
        } else if (const auto* rule = rule_of(key)) {
            add(check_by(*rule, value));
            if (found.size() == before && key == hba_key) {
                add(check_hba(key, value));
            }
        }
        if (found.size() == before && known->path == key && is_set(*known, value)) {
            add(objection(*known, key));
        }
    }

    static bool is_controlled(const std::string& name) {
        return rule_of("postgresql.parameters." + name) != nullptr || name == "listen_addresses" ||
               name == "port" || name == "cluster_name" || name == "restart_after_crash";
    }

    static Found check_profile(const Json& value) {
        if (ha::LeaseTimes::of_profile(setting_text(value))) {
            return std::nullopt;
        }
        return wrong("howdah.lease", shown(value) + " is no lease profile",
                     "write lan-fast (2 s), default (5 s) or wan (20 s)");
    }

    std::vector<std::string> methods_;
};

/// The value at a dotted key; parameters may hold dots themselves (pg_stat_statements.max).
Json* find(Json& document, const std::string& key) {
    static constexpr std::string_view parameters = "postgresql.parameters.";
    Json* at = &document;
    for (std::size_t start = 0; start < key.size();) {
        const bool rest = start == parameters.size() && key.starts_with(parameters);
        const auto end = rest ? key.size() : std::min(key.find('.', start), key.size());
        const auto it = at->find(key.substr(start, end - start));
        if (it == at->end()) {
            return nullptr;
        }
        at = &*it;
        start = end + 1;
    }
    return at;
}

}  // namespace

std::vector<Finding> check_dynamic_config(const Json& document) {
    if (!document.is_object()) {
        return {{.key = "config",
                 .message = "the document is no mapping",
                 .hint = "write it as show-config prints it: a key a line"}};
    }
    Checker checker(document);
    checker.walk(document, "");
    return std::move(checker.found);
}

Json without_wrong_values(Json document) {
    for (const auto& finding : check_dynamic_config(document)) {
        auto* value = finding.wrong ? find(document, finding.key) : nullptr;
        // PostgreSQL decides about lines of pg_hba that are in effect; without any it would be
        // open to others, or closed to the standbys.
        if (value == nullptr || (finding.key == hba_key && value->is_array())) {
            continue;
        }
        const auto* rule = rule_of(finding.key);
        const auto number =
            rule == nullptr ? std::nullopt : parse_quantity(setting_text(*value), Unit::none);
        // A null counts as absent everywhere; erasing would need the parent.
        const bool low = number && *number < rule->least;
        *value = finding.key == "ttl"              ? nearest_ttl(*value)
                 : low && rule->kind != Kind::flag ? Json(rule->least)
                                                   : Json();
    }
    return document;
}

std::vector<Finding> newly_wrong(const Json& before, const Json& after) {
    const auto known = check_dynamic_config(before);
    auto found = check_dynamic_config(after);
    std::erase_if(found, [&known](const Finding& f) {
        return !f.wrong || std::ranges::find(known, f) != known.end();
    });
    return found;
}

Error refusal(const std::vector<Finding>& findings) {
    std::string message;
    for (const auto& finding : findings) {
        message += (message.empty() ? "" : "; ") + finding.text();
    }
    return {.code = Errc::invalid, .message = message, .hint = findings.front().hint};
}

std::optional<std::string> default_of(const std::string& key) {
    const auto* rule = rule_of(key);
    return rule == nullptr || rule->otherwise.empty() ? std::nullopt
                                                      : std::optional(std::string(rule->otherwise));
}

bool patch(Json& document, const Json& change) {
    bool changed = false;
    for (const auto& [key, value] : change.items()) {
        const auto there = document.find(key);
        if (there == document.end()) {
            if (!value.is_null()) {
                document[key] = value;
                changed = true;
            }
        } else if (value.is_null()) {
            document.erase(key);
            changed = true;
        } else if (value.is_object() && there->is_object()) {
            changed = patch(*there, value) || changed;
        } else if (python_text(value) != python_text(*there)) {
            *there = value;
            changed = true;
        }
    }
    return changed;
}

bool same_settings(const Json& a, const Json& b) {
    if (!a.is_object() || !b.is_object()) {
        return python_text(a) == python_text(b);
    }
    if (a.size() != b.size()) {
        return false;
    }
    return std::ranges::all_of(a.items(), [&b](const auto& item) {
        const auto other = b.find(item.key());
        return other != b.end() && same_settings(item.value(), *other);
    });
}

}  // namespace howdah::config
