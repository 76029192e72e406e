#include "backup/options/options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "backup/options/exit_code.h"
#include "backup/options/given_options.h"
#include "backup/options/option_table.h"
#include "backup/options/taker.h"
#include "base/nearest.h"
#include "repo/paths.h"

namespace howdah::backup {
namespace {

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

void take_retention(Taker& take, std::uint32_t index, RepositoryOptions& repository) {
    const auto count = [&](std::string_view name, std::uint32_t least,
                           std::optional<std::uint32_t>& into) {
        const auto key = fmt::format("repo{}-retention-{}", index, name);
        if (take.has(key)) {
            take.number<std::uint32_t>(key, least, 9'999'999, into.emplace());
        }
    };
    auto& retention = repository.retention;
    count("full", 1, retention.full);
    count("diff", 1, retention.diff);
    count("archive", 1, retention.archive);
    count("history", 0, repository.history_days);
    std::string full_type = "count";
    take.one_of(fmt::format("repo{}-retention-full-type", index), {"count", "time"}, full_type);
    retention.full_by_time = full_type == "time";
    std::string archive_type = "full";
    take.one_of(fmt::format("repo{}-retention-archive-type", index), {"full", "diff", "incr"},
                archive_type);
    retention.archive_type = archive_type == "full"   ? repo::BackupType::full
                             : archive_type == "diff" ? repo::BackupType::diff
                                                      : repo::BackupType::incr;
}

BucketOptions take_bucket(Taker& take, std::uint32_t index) {
    BucketOptions bucket;
    const auto s3 = [&](std::string_view name) { return fmt::format("repo{}-s3-{}", index, name); };
    const auto storage = [&](std::string_view name) {
        return fmt::format("repo{}-storage-{}", index, name);
    };
    take.text(s3("bucket"), bucket.bucket);
    take.text(s3("endpoint"), bucket.endpoint);
    take.text(s3("region"), bucket.region);
    take.one_of(s3("key-type"), {"shared", "auto", "web-id", "pod-id"}, bucket.key_type);
    take.text(s3("key"), bucket.key);
    take.text(s3("key-secret"), bucket.key_secret);
    take.text(s3("token"), bucket.token);
    take.one_of(s3("uri-style"), {"host", "path"}, bucket.uri_style);
    take.text(s3("kms-key-id"), bucket.kms_key_id);
    take.text(s3("sse-customer-key"), bucket.sse_customer_key);
    take.text(storage("host"), bucket.host);
    take.number<std::uint16_t>(storage("port"), 1, 65535, bucket.port);
    take.absolute(storage("ca-file"), bucket.ca_file);
    take.flag(storage("verify-tls"), bucket.verify_tls);
    take.size(storage("upload-chunk-size"), bucket.part_bytes);
    return bucket;
}

HostOptions take_host(Taker& take, std::string_view group, std::uint32_t index) {
    HostOptions host;
    const auto key = [&](std::string_view name) {
        return fmt::format("{}{}-host{}", group, index, name);
    };
    take.text(key(""), host.name);
    take.number<std::uint16_t>(key("-port"), 1, 65535, host.port);
    take.one_of(key("-type"), {"tls", "ssh"}, host.type);
    take.absolute(key("-ca-file"), host.ca_file);
    take.absolute(key("-cert-file"), host.cert_file);
    take.absolute(key("-key-file"), host.key_file);
    return host;
}

RepositoryOptions take_repository(Taker& take, std::uint32_t index) {
    RepositoryOptions repository{.index = index};
    const auto key = [&](std::string_view name) { return fmt::format("repo{}-{}", index, name); };
    take.one_of(key("type"), {"posix", "cifs", "s3", "gcs", "azure", "sftp"}, repository.type);
    take.absolute(key("path"), repository.path);
    repository.host = take_host(take, "repo", index);
    std::string cipher = "none";
    take.one_of(key("cipher-type"), {"none", "aes-256-cbc"}, cipher);
    if (cipher != "none") {
        take.text(key("cipher-pass"), repository.cipher_pass);
        if (repository.cipher_pass.empty()) {
            take.wrong(key("cipher-pass"), {.where = key("cipher-type") + "=" + cipher},
                       "the pass phrase of the repository");
        }
    }
    take.flag(key("bundle"), repository.bundle);
    take.flag(key("block"), repository.block);
    take.flag(key("hardlink"), repository.hardlink);
    take.flag(key("symlink"), repository.symlink);
    take.size(key("bundle-size"), repository.bundle_size);
    take.size(key("bundle-limit"), repository.bundle_limit);
    take_retention(take, index, repository);
    repository.bucket = take_bucket(take, index);
    take.time("io-timeout", repository.io_timeout);
    return repository;
}

ClusterOptions take_cluster(Taker& take, std::uint32_t index) {
    ClusterOptions cluster{.index = index};
    const auto key = [&](std::string_view name) { return fmt::format("pg{}-{}", index, name); };
    take.absolute(key("path"), cluster.path);
    cluster.host = take_host(take, "pg", index);
    take.number<std::uint16_t>(key("port"), 1, 65535, cluster.port);
    take.absolute(key("socket-path"), cluster.socket_path);
    take.text(key("user"), cluster.user);
    take.text(key("database"), cluster.database);
    return cluster;
}

BackupOptions take_backup(Taker& take) {
    BackupOptions backup;
    take.text("type", backup.type);
    take.flag("start-fast", backup.start_fast);
    take.flag("delta", backup.delta);
    take.flag("resume", backup.resume);
    take.flag("archive-check", backup.archive_check);
    take.flag("archive-copy", backup.archive_copy);
    take.flag("archive-mode-check", backup.archive_mode_check);
    take.time("archive-timeout", backup.archive_timeout);
    take.time("db-timeout", backup.db_timeout);
    take.one_of("backup-standby", {"y", "n", "prefer"}, backup.backup_standby);
    if (take.has("checksum-page")) {
        take.flag("checksum-page", backup.checksum_page.emplace());
    }
    backup.excludes = take.list("exclude");
    take.map("annotation", backup.annotations);
    take.size("manifest-save-threshold", backup.manifest_save_threshold);
    take.flag("expire-auto", backup.expire_auto);
    take.flag("all-repos", backup.all_repos);
    return backup;
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

/// --repo-optional=2 --repo-optional=3: never all, for then nobody would have to have the WAL.
void take_optional(Taker& take, std::vector<RepositoryOptions>& repositories) {
    for (const auto& number : take.list("repo-optional")) {
        const auto found = std::ranges::find_if(
            repositories, [&](const auto& each) { return std::to_string(each.index) == number; });
        if (found == repositories.end()) {
            take.wrong("repo-optional", {.value = number, .where = "option 'repo-optional'"},
                       "the number of a configured repository");
            return;
        }
        found->optional = true;
        if (std::ranges::all_of(repositories, &RepositoryOptions::optional)) {
            take.wrong("repo-optional", {.value = number, .where = "option 'repo-optional'"},
                       "some repositories, not all of them");
            return;
        }
    }
}

ArchiveOptions take_archive(Taker& take) {
    ArchiveOptions archive;
    take.flag("archive-async", archive.async);
    take.flag("archive-missing-retry", archive.missing_retry);
    take.absolute("spool-path", archive.spool_path);
    take.time("archive-timeout", archive.timeout);
    take.size("archive-get-queue-max", archive.get_queue_max);
    take.size("archive-push-batch-size", archive.push_batch_size);
    if (take.has("archive-push-queue-max")) {
        take.size("archive-push-queue-max", archive.push_queue_max.emplace());
    }
    return archive;
}

/// What was said on the command line, or in an environment that PostgreSQL will not have, and is
/// of use to archive-get: where things are. --repo chose a backup, WAL may come from any.
std::vector<std::string> words_to_repeat(const Values& given_here) {
    std::vector<std::string> repeated;
    for (const auto& [key, given] : given_here) {
        const auto& facts = *find_option(key)->facts;
        const auto use = use_of(facts, "archive-get");
        const auto is_of_use = use == OptionUse::honoured || use == OptionUse::idle;
        if (is_of_use && !facts.secret && key != "repo" && key != "cmd") {
            repeated.push_back(fmt::format("--{}={}", key, given.value));
        }
    }
    return repeated;
}

std::vector<std::string> raw_words(const Values& values) {
    std::vector<std::string> all;
    for (const auto& [key, given] : values) {
        if (find_option(key)->facts->secret) {
            continue;  // never on a command line
        }
        all.push_back(fmt::format("--{}={}", key, given.value));
        for (const auto& more : given.more) {
            all.push_back(fmt::format("--{}={}", key, more));
        }
    }
    return all;
}

/// For the line that begins a log: "--repo1-path=/backups".
std::vector<std::string> given_words(const Values& values) {
    std::vector<std::string> words;
    for (const auto& [key, given] : values) {
        const auto found = find_option(key);
        if (key.starts_with("config")) {
            continue;
        }
        auto all = given.more;
        all.insert(all.begin(), given.value);
        for (const auto& value : all) {
            const bool is_flag = found->facts->kind == OptionKind::flag;
            words.push_back(found->facts->secret ? fmt::format("--{}=<redacted>", key)
                            : is_flag ? fmt::format("--{}{}", value == "n" ? "no-" : "", key)
                            : value.contains(' ') ? fmt::format("--{}=\"{}\"", key, value)
                                                  : fmt::format("--{}={}", key, value));
        }
    }
    return words;
}

/// For commands that work in a data directory of this host: --pg1-path on the command line means
/// one here, whatever host the files name. restore-test calls archive-get so, on the repository
/// host.
void drop_hosts_of_named_paths(const Options& options, Values& values) {
    const auto& command = options.command;
    if (command != "restore" && command != "archive-get" && command != "archive-push") {
        return;
    }
    for (const auto& word : options.option_words) {
        const auto key = find_option(word.substr(2, word.find('=') - 2));
        const auto host = fmt::format("pg{}-host", key->index);
        const auto is_named = std::ranges::any_of(
            options.option_words,
            [&](const std::string& each) { return each.starts_with("--" + host + "="); });
        if (key->facts->name == "pg-path" && !is_named) {
            values.erase(host);
        }
    }
}

void take_log(Taker& take, LogOptions& log) {
    const std::vector<std::string> levels{"off",    "error", "warn", "info",
                                          "detail", "debug", "trace"};
    take.one_of("log-level-console", levels, log.console);
    take.one_of("log-level-stderr", levels, log.standard_error);
    take.one_of("log-level-file", levels, log.file);
    log.is_asked_for = take.has("log-path") || take.has("log-level-file");
    take.absolute("log-path", log.folder);
    take.flag("log-timestamp", log.timestamp);
}

Result<Options> typed(const Values& values, Options options) {
    Taker take(values, options.command);
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
    if (take.has("to-repo")) {
        take.number<std::uint32_t>("to-repo", 1, 256, options.to_repo.emplace());
    }
    take.size("rate-limit", options.rate_limit);
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
    take.flag("dry-run", options.dry_run);
    take.text("set", options.expire_set);
    take.absolute("lock-path", options.lock_path);
    take.absolute("scratch-path", options.scratch_path);
    take_log(take, options.log);
    take.flag("neutral-umask", options.neutral_umask);
    take.one_of("output", {"text", "json"}, options.output);
    if (options.command == "info") {
        take.one_of("type", {"full", "diff", "incr"}, options.info_type);
    }
    take.flag("recurse", options.files.recurse);
    take.flag("raw", options.files.raw);
    take.flag("ignore-missing", options.files.ignore_missing);
    take.text("filter", options.files.filter);
    take.one_of("sort", {"asc", "desc", "none"}, options.files.sort);
    options.backup = take_backup(take);
    options.restore = take_restore(take);
    take_optional(take, options.repositories);
    if (options.command.starts_with("archive-") || options.command == "info") {
        options.archive = take_archive(take);
    }
    if (take.error()) {
        return std::unexpected(*take.error());
    }
    return options;
}

Result<> check_command(const std::string& command) {
    if (command.empty()) {
        return fail_with(ExitCode::command_required, Errc::invalid, "no command found",
                         "help lists the commands");
    }
    if (is_command(command)) {
        return {};
    }
    const auto near = nearest(command, all_commands());
    return fail_with(ExitCode::command_invalid, Errc::invalid,
                     fmt::format("there is no command '{}'{}", command,
                                 near ? fmt::format("; did you mean '{}'?", *near) : ""),
                     "help lists the commands");
}

}  // namespace

Result<ClusterOptions> Options::cluster() const {
    for (const auto& cluster : clusters) {
        if (cluster.host.name.empty() && !cluster.path.empty()) {
            return cluster;
        }
    }
    return fail_with(ExitCode::option_required, Errc::invalid,
                     fmt::format("{} needs option 'pg1-path'", command),
                     "it names the data directory; put it into the stanza's section");
}

bool Options::clusters_are_elsewhere() const {
    return !clusters.empty() &&
           std::ranges::none_of(clusters, [](const auto& each) { return each.host.name.empty(); });
}

const RepositoryOptions& Options::repository(std::uint32_t index) const {
    const auto found = std::ranges::find(repositories, index, &RepositoryOptions::index);
    HD_CHECK(found != repositories.end());
    return *found;
}

Result<std::string> find_command(const std::vector<std::string>& words) {
    HD_TRY(const auto read, read_words(words));
    return read.others.empty() ? std::string() : read.others.front();
}

Result<Options> read_options(const OptionSources& sources) {
    HD_TRY(auto words, read_words(sources.words));
    Options options;
    if (!words.others.empty()) {
        options.command = words.others.front();
        constexpr std::string_view background = ":async";
        if (options.command.ends_with(background)) {
            options.command.resize(options.command.size() - background.size());
            options.in_background = true;
        }
        options.arguments.assign(words.others.begin() + 1, words.others.end());
    }
    auto values = std::move(words.values);
    HD_TRY_VOID(check_command(options.command));
    HD_TRY_VOID(check_words(values, options.command));
    options.option_words = raw_words(values);
    for (const auto& [key, given] : values) {
        options.named.emplace_back(find_option(key)->facts->name);
    }
    Layers layers(options.command, values, options.warnings);
    layers.add_environment(sources.environment);
    options.words_to_repeat = words_to_repeat(values);
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
        HD_TRY_VOID(layers.add_section(lines, section));
    }
    layers.warn_of_missing();
    drop_hosts_of_named_paths(options, values);
    options.given = given_words(values);
    options.given_raw = raw_words(values);
    std::vector<Line> told;
    for (const auto& host : sources.hosts) {
        HD_TRY(auto more, lines_of(host));
        std::ranges::move(more, std::back_inserter(told));
    }
    HD_TRY_VOID(layers.add_section(told, "global"));
    return typed(values, std::move(options));
}

}  // namespace howdah::backup
