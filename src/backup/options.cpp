#include "backup/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "backup/option_table.h"
#include "repo/paths.h"

namespace howdah::backup {
namespace {

/// A value and where it stands.
struct Given {
    std::string value{}, where{};
    std::vector<std::string> more{};  ///< further values of a list
};
using Values = std::map<std::string, Given, std::less<>>;  ///< by OptionKey::text()

struct Line {
    std::string section{}, key{};
    Given given{};
};

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(" \t\r");
    const auto end = text.find_last_not_of(" \t\r");
    return begin == std::string_view::npos ? std::string_view()
                                           : text.substr(begin, end - begin + 1);
}

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

std::string unknown(std::string_view key, std::string_view where) {
    const auto near = nearest_option(key);
    return fmt::format("{}: there is no option '{}'{}", where, key,
                       near.empty() ? "" : fmt::format("; did you mean '{}'?", near));
}

/// What the words say, and the words that are no options.
struct CommandWords {
    Values values{};
    std::vector<std::string> others{};
};

Result<CommandWords> read_words(const std::vector<std::string>& words) {
    CommandWords out;
    for (std::size_t i = 0; i < words.size(); ++i) {
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
            return fail(Errc::invalid, unknown(name, "command line"));
        }
        std::string value = negated ? "n" : "y";
        if (equals != std::string::npos) {
            value = words[i].substr(equals + 1);
        } else if (key->facts->kind != OptionKind::flag) {
            if (++i == words.size()) {
                return fail(Errc::invalid, fmt::format("option '{}' needs a value", name));
            }
            value = words[i];
        }
        if (key->facts->secret) {
            return fail(
                Errc::invalid,
                fmt::format("option '{}' is a secret: the command line shows it to all", name),
                "put it into the configuration file or the environment");
        }
        const auto [at, is_new] =
            out.values.try_emplace(key->text(), Given{.value = value, .where = "command line"});
        if (!is_new && key->facts->kind != OptionKind::list) {
            return fail(Errc::invalid, fmt::format("option '{}' is given twice", name));
        }
        if (!is_new) {
            at->second.more.push_back(value);
        }
    }
    return out;
}

/// One layer of the sections over the others: what is given already stays.
Result<> add_section(const std::vector<Line>& lines, const std::string& section, Values& values,
                     std::vector<std::string>& warnings) {
    std::set<std::string> added;
    for (const auto& line : lines) {
        if (line.section != section) {
            continue;
        }
        const auto key = find_option(line.key);
        if (!key) {
            warnings.push_back(unknown(line.key, line.given.where));
            continue;
        }
        if (key->facts->stanza_only && section.starts_with("global")) {
            return fail(
                Errc::invalid,
                fmt::format("{}: option '{}' belongs to one stanza", line.given.where, line.key),
                "move it into the stanza's own section");
        }
        const auto [at, is_new] = values.try_emplace(key->text(), line.given);
        if (is_new) {
            added.insert(key->text());
        } else if (key->facts->kind == OptionKind::list && added.contains(key->text())) {
            at->second.more.push_back(line.given.value);
        }
    }
    return {};
}

void add_environment(const std::map<std::string, std::string>& environment, Values& values,
                     std::vector<std::string>& warnings) {
    for (const auto& [name, value] : environment) {
        std::string key = name.substr(std::string_view("PGBACKREST_").size());
        std::ranges::transform(key, key.begin(), [](char c) {
            return c == '_' ? '-' : static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        });
        if (const auto found = find_option(key)) {
            values.try_emplace(found->text(),
                               Given{.value = value, .where = "environment " + name});
        } else {
            warnings.push_back(unknown(key, "environment " + name));
        }
    }
}

/// Takes typed values out; the first wrong one is kept as the error.
class Taker {
public:
    explicit Taker(const Values& values) : values_(values) {}

    bool has(const std::string& key) const { return values_.contains(key); }
    void text(const std::string& key, std::string& into) {
        if (const auto* given = find(key)) {
            into = given->value;
        }
    }
    void flag(const std::string& key, bool& into) {
        const auto* given = find(key);
        if (given == nullptr) {
            return;
        }
        if (given->value != "y" && given->value != "n") {
            return wrong(key, *given, "y or n");
        }
        into = given->value == "y";
    }
    std::vector<std::string> list(const std::string& key) {
        const auto* given = find(key);
        std::vector<std::string> all;
        if (given != nullptr) {
            all = given->more;
            all.insert(all.begin(), given->value);
        }
        return all;
    }
    /// Items of the form NAME=VALUE.
    void map(const std::string& key, std::map<std::string, std::string>& into) {
        for (const auto& item : list(key)) {
            const auto equals = item.find('=');
            if (equals == std::string::npos || equals == 0) {
                return wrong(key, {.value = item, .where = find(key)->where}, "NAME=VALUE");
            }
            into.insert_or_assign(item.substr(0, equals), item.substr(equals + 1));
        }
    }
    template <class Number>
    void number(const std::string& key, Number lowest, Number highest, Number& into) {
        const auto* given = find(key);
        if (given == nullptr) {
            return;
        }
        Number value{};
        const auto* end = given->value.data() + given->value.size();
        const auto [stop, error] = std::from_chars(given->value.data(), end, value);
        if (error != std::errc() || stop != end || value < lowest || value > highest) {
            return wrong(key, *given, fmt::format("a number from {} to {}", lowest, highest));
        }
        into = value;
    }
    void one_of(const std::string& key, const std::vector<std::string>& words, std::string& into) {
        const auto* given = find(key);
        if (given == nullptr) {
            return;
        }
        if (std::ranges::find(words, given->value) == words.end()) {
            std::string all;
            for (const auto& word : words) {
                all += (all.empty() ? "" : ", ") + word;
            }
            return wrong(key, *given, all);
        }
        into = given->value;
    }
    void absolute(const std::string& key, std::string& into) {
        const auto* given = find(key);
        if (given == nullptr) {
            return;
        }
        if (!given->value.starts_with('/')) {
            return wrong(key, *given, "an absolute path");
        }
        into = given->value;
    }
    void wrong(const std::string& key, const Given& given, const std::string& allowed) {
        if (!error_) {
            error_ = Error{.code = Errc::invalid,
                           .message = fmt::format("{}: '{}' is no value of option '{}'",
                                                  given.where, given.value, key),
                           .hint = "allowed: " + allowed};
        }
    }
    const std::optional<Error>& error() const { return error_; }
    const Values& values() const { return values_; }

private:
    const Given* find(const std::string& key) const {
        const auto found = values_.find(key);
        return found == values_.end() ? nullptr : &found->second;
    }

    const Values& values_;
    std::optional<Error> error_{};
};

/// Numbers of "repo" or "pg" that any option has.
std::vector<std::uint32_t> indexes(const Values& values, std::string_view group) {
    std::vector<std::uint32_t> all;
    for (const auto& [key, given] : values) {
        const auto found = find_option(key);
        if (found->facts->name.starts_with(fmt::format("{}-", group)) &&
            std::ranges::find(all, found->index) == all.end()) {
            all.push_back(found->index);
        }
    }
    std::ranges::sort(all);
    return all;
}

RepositoryOptions take_repository(Taker& take, std::uint32_t index) {
    RepositoryOptions repository{.index = index};
    const auto key = [&](std::string_view name) { return fmt::format("repo{}-{}", index, name); };
    take.one_of(key("type"), {"posix", "cifs", "s3", "gcs", "azure", "sftp"}, repository.type);
    take.absolute(key("path"), repository.path);
    take.text(key("host"), repository.host);
    std::string cipher = "none";
    take.one_of(key("cipher-type"), {"none", "aes-256-cbc"}, cipher);
    if (cipher != "none") {
        take.text(key("cipher-pass"), repository.cipher_pass);
        if (repository.cipher_pass.empty()) {
            take.wrong(key("cipher-pass"), {.where = key("cipher-type") + "=" + cipher},
                       "the pass phrase of the repository");
        }
    }
    return repository;
}

ClusterOptions take_cluster(Taker& take, std::uint32_t index) {
    ClusterOptions cluster{.index = index};
    const auto key = [&](std::string_view name) { return fmt::format("pg{}-{}", index, name); };
    take.absolute(key("path"), cluster.path);
    take.text(key("host"), cluster.host);
    take.number<std::uint16_t>(key("port"), 1, 65535, cluster.port);
    take.absolute(key("socket-path"), cluster.socket_path);
    take.text(key("user"), cluster.user);
    take.text(key("database"), cluster.database);
    return cluster;
}

/// `backup` and `restore` mean different things by --type; each verb checks its own words.
RestoreOptions take_restore(Taker& take) {
    RestoreOptions restore;
    take.flag("delta", restore.delta);
    take.text("set", restore.set);
    take.text("type", restore.type);
    take.text("target", restore.target);
    take.one_of("target-action", {"pause", "promote", "shutdown"}, restore.target_action);
    take.flag("target-exclusive", restore.target_exclusive);
    take.text("target-timeline", restore.target_timeline);
    take.map("tablespace-map", restore.tablespace_map);
    take.absolute("tablespace-map-all", restore.tablespace_map_all);
    take.map("link-map", restore.link_map);
    take.flag("link-all", restore.link_all);
    restore.db_include = take.list("db-include");
    restore.db_exclude = take.list("db-exclude");
    take.map("recovery-option", restore.recovery_options);
    take.text("cmd", restore.command);
    take.one_of("archive-mode", {"off", "preserve"}, restore.archive_mode);
    return restore;
}

/// What was said on the command line about where things are.
std::vector<std::string> words_to_repeat(const Values& words) {
    std::vector<std::string> repeated;
    for (const auto& [key, given] : words) {
        if (key.starts_with("config") || key.starts_with("log-") || key == "lock-path" ||
            key == "stanza" || key.starts_with("pg") ||
            (key.starts_with("repo") && key.contains('-') && !key.contains("retention"))) {
            repeated.push_back(fmt::format("--{}={}", key, given.value));
        }
    }
    return repeated;
}

Result<Options> typed(const Values& values, Options options) {
    Taker take(values);
    for (const auto index : indexes(values, "repo")) {
        options.repositories.push_back(take_repository(take, index));
    }
    if (options.repositories.empty()) {
        options.repositories.emplace_back();
    }
    for (const auto index : indexes(values, "pg")) {
        options.clusters.push_back(take_cluster(take, index));
    }
    if (take.has("repo")) {
        take.number<std::uint32_t>("repo", 1, 256, options.repo.emplace());
    }
    std::string compress = "gz";
    bool compressed = true;
    take.flag("compress", compressed);
    take.one_of("compress-type", {"none", "gz", "bz2", "lz4", "zst"}, compress);
    options.compress = repo::compress_type(compressed ? compress : "none").value();
    if (take.has("compress-level")) {
        const auto range = repo::levels_of(options.compress);
        take.number<int>("compress-level", range.lowest, range.highest,
                         options.compress_level.emplace());
    }
    take.number<std::uint32_t>("process-max", 1, 999, options.process_max);
    take.flag("archive-header-check", options.archive_header_check);
    take.flag("online", options.online);
    take.flag("force", options.force);
    take.absolute("lock-path", options.lock_path);
    take.one_of("log-level-console", {"off", "error", "warn", "info", "detail", "debug", "trace"},
                options.log_level_console);
    take.flag("log-timestamp", options.log_timestamp);
    take.one_of("output", {"text", "json"}, options.output);
    options.restore = take_restore(take);
    if (take.error()) {
        return std::unexpected(*take.error());
    }
    return options;
}

}  // namespace

Result<ClusterOptions> Options::cluster() const {
    for (const auto& cluster : clusters) {
        if (cluster.host.empty() && !cluster.path.empty()) {
            return cluster;
        }
    }
    return fail(Errc::invalid, fmt::format("{} needs option 'pg1-path'", command),
                "it names the data directory; put it into the stanza's section");
}

Result<Options> read_options(const OptionSources& sources) {
    HD_TRY(auto words, read_words(sources.words));
    Options options;
    if (!words.others.empty()) {
        options.command = words.others.front();
        options.arguments.assign(words.others.begin() + 1, words.others.end());
    }
    auto values = std::move(words.values);
    options.words_to_repeat = words_to_repeat(values);
    add_environment(sources.environment, values, options.warnings);
    if (const auto stanza = values.find("stanza"); stanza != values.end()) {
        options.stanza = stanza->second.value;
        HD_TRY_VOID(repo::check_stanza(options.stanza));
    }
    std::vector<Line> lines;
    for (const auto& file : sources.files) {
        HD_TRY(auto more, lines_of(file));
        std::ranges::move(more, std::back_inserter(lines));
    }
    const std::array sections{options.stanza + ":" + options.command, options.stanza,
                              "global:" + options.command, std::string("global")};
    for (const auto& section : sections) {
        HD_TRY_VOID(add_section(lines, section, values, options.warnings));
    }
    return typed(values, std::move(options));
}

}  // namespace howdah::backup
