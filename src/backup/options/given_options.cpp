#include "backup/options/given_options.h"

#include <fmt/format.h>

#include <algorithm>

#include "backup/options/exit_code.h"

namespace howdah::backup {
namespace {

constexpr auto command_line = "command line";

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(" \t\r");
    const auto end = text.find_last_not_of(" \t\r");
    return begin == std::string_view::npos ? std::string_view()
                                           : text.substr(begin, end - begin + 1);
}

std::string unknown(std::string_view key, std::string_view where) {
    const auto near = nearest_option(key);
    return fmt::format("{}: there is no option '{}'{}", where, key,
                       near.empty() ? "" : fmt::format("; did you mean '{}'?", near));
}

Error invalid_option(std::string message, std::string hint = {}) {
    return ending_with(ExitCode::option_invalid,
                       Error{Errc::invalid, std::move(message), std::move(hint)});
}

/// Items of a list in the environment: "a:b".
std::vector<std::string> parts_of(const std::string& value) {
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin <= value.size();) {
        const auto end = std::min(value.find(':', begin), value.size());
        parts.push_back(value.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

}  // namespace

Result<std::vector<Line>> lines_of(const ConfigText& config) {
    std::vector<Line> lines;
    std::string section;
    std::size_t number = 0;
    for (std::size_t begin = 0; begin < config.text.size();) {
        const auto end = std::min(config.text.find('\n', begin), config.text.size());
        const auto line = trimmed(std::string_view(config.text).substr(begin, end - begin));
        begin = end + 1;
        const auto where = fmt::format("{}:{}", config.file, ++number);
        if (line.empty() || line.starts_with('#')) {
            continue;
        }
        if (line.starts_with('[') && line.ends_with(']')) {
            section = line.substr(1, line.size() - 2);
            continue;
        }
        const auto equals = line.find('=');
        if (equals == std::string_view::npos || section.empty()) {
            return fail(Errc::invalid,
                        fmt::format("{}: \"{}\" is neither a section nor key=value", where, line));
        }
        lines.push_back(
            {.section = section,
             .key = std::string(trimmed(line.substr(0, equals))),
             .given = {.value = std::string(trimmed(line.substr(equals + 1))), .where = where}});
    }
    return lines;
}

Result<CommandWords> read_words(const std::vector<std::string>& words) {
    CommandWords out;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i].starts_with("-") && !words[i].starts_with("--")) {
            return fail_with(ExitCode::option_invalid, Errc::invalid,
                             fmt::format("option '{}' must begin with --", words[i]));
        }
        if (!words[i].starts_with("--")) {
            out.others.push_back(words[i]);
            continue;
        }
        const auto equals = words[i].find('=');
        auto name = words[i].substr(2, equals == std::string::npos ? equals : equals - 2);
        const auto negated = !find_option(name) && name.starts_with("no-");
        name = negated ? name.substr(3) : name;
        const auto key = find_option(name);
        if (!key) {
            return fail_with(ExitCode::option_invalid, Errc::invalid, unknown(name, command_line));
        }
        std::string value = negated ? "n" : "y";
        if (negated && key->facts->kind != OptionKind::flag && name != "config") {
            return fail_with(ExitCode::option_invalid, Errc::invalid,
                             fmt::format("option 'no-{}' cannot be negated", name));
        }
        if (equals != std::string::npos) {
            value = words[i].substr(equals + 1);
        } else if (!negated && key->facts->kind != OptionKind::flag) {
            if (++i == words.size()) {
                return fail_with(ExitCode::option_invalid, Errc::invalid,
                                 fmt::format("option '{}' needs a value", name));
            }
            value = words[i];
        }
        if (key->facts->secret) {
            return fail_with(
                ExitCode::option_invalid, Errc::invalid,
                fmt::format("option '{}' is a secret: the command line shows it to all", name),
                "put it into the configuration file or the environment");
        }
        const auto [at, is_new] =
            out.values.try_emplace(key->text(), Given{.value = value, .where = command_line});
        if (!is_new && key->facts->kind != OptionKind::list) {
            return fail_with(ExitCode::option_invalid, Errc::invalid,
                             fmt::format("option '{}' cannot be set multiple times", name));
        }
        if (!is_new) {
            at->second.more.push_back(value);
        }
    }
    return out;
}

Result<> check_words(const Values& words, const std::string& command) {
    for (const auto& [key, given] : words) {
        switch (use_of(*find_option(key)->facts, command)) {
            case OptionUse::foreign:
                return std::unexpected(invalid_option(
                    fmt::format("option '{}' not valid for command '{}'", key, command)));
            case OptionUse::missing:
                return std::unexpected(invalid_option(
                    fmt::format("Howdah does not act on option '{}' in command '{}' yet", key,
                                command),
                    "leave it out where the command does what you want without it"));
            case OptionUse::honoured:
            case OptionUse::idle:
                break;
        }
    }
    return {};
}

Result<> Layers::add_section(const std::vector<Line>& lines, const std::string& section) {
    std::set<std::string> stronger, added;
    for (const auto& [key, given] : values_) {
        stronger.insert(key);
    }
    for (const auto& line : lines) {
        const auto key = line.section == section ? find_option(line.key) : std::nullopt;
        if (line.section == section && !key) {
            warnings_.push_back(unknown(line.key, line.given.where));
        }
        if (!key) {
            continue;
        }
        HD_TRY(const auto counts, counts_in(section, line, *key));
        if (!counts) {
            continue;
        }
        const auto is_new = added.insert(key->text()).second;
        if (!is_new && key->facts->kind != OptionKind::list) {
            return std::unexpected(
                invalid_option(fmt::format("{}: option '{}' cannot be set multiple times",
                                           line.given.where, line.key),
                               fmt::format("section [{}] has it already", section)));
        }
        if (!stronger.contains(key->text())) {
            put(key->text(), line.given);
        }
    }
    return {};
}

void Layers::add_environment(const std::map<std::string, std::string>& environment) {
    for (const auto& [name, value] : environment) {
        std::string key = name.substr(std::string_view("PGBACKREST_").size());
        std::ranges::transform(key, key.begin(), [](char c) {
            return c == '_' ? '-' : static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        });
        const auto found = find_option(key);
        if (!found) {
            warnings_.push_back(unknown(key, "environment " + name));
        } else if (is_used(*found) && !values_.contains(found->text())) {
            const auto is_list = found->facts->kind == OptionKind::list;
            for (const auto& item : is_list ? parts_of(value) : std::vector{value}) {
                put(found->text(), {.value = item, .where = "environment " + name});
            }
        }
    }
}

void Layers::warn_of_missing() {
    if (!missing_.empty()) {
        warnings_.push_back(fmt::format("options that have no effect on {} yet: {}", command_,
                                        fmt::join(missing_, ", ")));
    }
}

bool Layers::is_used(const OptionKey& key) {
    const auto use = use_of(*key.facts, command_);
    if (use == OptionUse::missing) {
        missing_.insert(key.text());
    }
    return use == OptionUse::honoured || use == OptionUse::idle;
}

Result<bool> Layers::counts_in(const std::string& section, const Line& line, const OptionKey& key) {
    const auto is_global = section == "global" || section.starts_with("global:");
    if (key.facts->stanza_only && is_global) {
        return fail(
            Errc::invalid,
            fmt::format("{}: option '{}' belongs to one stanza", line.given.where, line.key),
            "move it into the stanza's own section");
    }
    const auto warn = [&](const std::string& why) {
        warnings_.push_back(fmt::format("{}: option '{}' {}", line.given.where, line.key, why));
    };
    if (key.facts->line_only) {
        warn("belongs on the command line: it is not used");
        return false;
    }
    if (section.contains(':') && use_of(*key.facts, command_) == OptionUse::foreign) {
        warn(fmt::format("is none of section '{}'", section));
    }
    return is_used(key);
}

void Layers::put(const std::string& key, const Given& given) {
    const auto [at, is_new] = values_.try_emplace(key, given);
    if (!is_new) {
        at->second.more.push_back(given.value);
    }
}

}  // namespace howdah::backup
