#include "backup/options/option_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/nearest.h"

namespace howdah::backup {
namespace {

using enum OptionKind;

constexpr std::array commands{std::string_view("annotate"),       std::string_view("archive-get"),
                              std::string_view("archive-push"),   std::string_view("backup"),
                              std::string_view("check"),          std::string_view("expire"),
                              std::string_view("info"),           std::string_view("repo-get"),
                              std::string_view("repo-ls"),        std::string_view("repo-put"),
                              std::string_view("repo-rm"),        std::string_view("restore"),
                              std::string_view("stanza-create"),  std::string_view("stanza-delete"),
                              std::string_view("stanza-upgrade"), std::string_view("start"),
                              std::string_view("stop"),           std::string_view("verify"),
                              std::string_view("repo-copy"),      std::string_view("restore-test")};

/// One bit a command, in the order above.
enum : CommandSet {
    annotate = 1 << 0,
    archive_get = 1 << 1,
    archive_push = 1 << 2,
    take_backup = 1 << 3,
    check = 1 << 4,
    expire = 1 << 5,
    info = 1 << 6,
    repo_get = 1 << 7,
    repo_ls = 1 << 8,
    repo_put = 1 << 9,
    repo_rm = 1 << 10,
    restore = 1 << 11,
    stanza_create = 1 << 12,
    stanza_delete = 1 << 13,
    stanza_upgrade = 1 << 14,
    start = 1 << 15,
    stop = 1 << 16,
    verify = 1 << 17,
    repo_copy = 1 << 18,  // Howdah's own, as the next one
    restore_test = 1 << 19,
};

constexpr CommandSet all = (1 << commands.size()) - 1;
constexpr CommandSet archiving = archive_get | archive_push;
constexpr CommandSet stanza_changes = stanza_create | stanza_delete | stanza_upgrade;
constexpr CommandSet repo_files = repo_get | repo_ls | repo_put | repo_rm;
constexpr CommandSet with_repository = all & ~(start | stop);
constexpr CommandSet with_cluster = archiving | take_backup | check | restore | stanza_changes;
constexpr CommandSet with_session = take_backup | check | stanza_changes;
/// Those that have to be run on the database host.
constexpr CommandSet not_from_afar = archiving | restore | stanza_delete;
constexpr CommandSet copying =
    archiving | take_backup | restore | verify | repo_copy | restore_test;

/// A row of the table: what pgBackRest takes, 2.45 and those options of later ones that 2.59 tells
/// of in section 16. Howdah's own: all-repos, rate-limit, repo-optional, scratch-path,
/// to-repo.
struct Row : OptionFacts {
    constexpr Row(std::string_view its_name, OptionKind its_kind, CommandSet its_commands)
        : OptionFacts{.name = its_name, .kind = its_kind, .commands = its_commands} {}

    /// Where Howdah does not act on it yet.
    constexpr Row& missing_in(CommandSet some) {
        missing = some;
        return *this;
    }
    constexpr Row& missing_everywhere() { return missing_in(commands); }
    /// Where nothing can come of it.
    constexpr Row& idle_in(CommandSet some) {
        idle = some;
        return *this;
    }
    constexpr Row& of_stanzas() {
        stanza_only = true;
        return *this;
    }
    constexpr Row& hidden() {
        secret = true;
        return *this;
    }
    constexpr Row& of_the_line() {
        line_only = true;
        return *this;
    }
};

constexpr auto make_table() {
    return std::array{
        Row("all-repos", flag, take_backup).of_the_line(),
        Row("annotation", list, annotate | take_backup),
        Row("archive-async", flag, archiving),
        Row("archive-check", flag, archive_push | take_backup | check)
            .idle_in(archive_push)
            .missing_in(check),
        Row("archive-copy", flag, take_backup),
        Row("archive-expire-before", text, expire).missing_everywhere(),
        Row("archive-get-queue-max", size, archive_get),
        Row("archive-header-check", flag, archive_push),
        Row("archive-missing-retry", flag, archive_get),
        Row("archive-mode", text, restore),
        Row("archive-mode-check", flag, archive_push | take_backup | check).idle_in(archive_push),
        Row("archive-push-batch-size", size, archive_push),
        Row("archive-push-queue-max", size, archive_push),
        Row("archive-timeout", time, archiving | take_backup | check),
        Row("backup-standby", text, take_backup | check).missing_in(check),
        Row("buffer-size", size, with_repository).missing_everywhere(),
        Row("checksum-page", flag, take_backup),
        Row("cmd", text, with_repository & ~(annotate | expire))
            .idle_in(with_repository & ~(annotate | expire | restore)),
        Row("cmd-ssh", text, with_repository & ~(annotate | expire)).missing_everywhere(),
        Row("compress", flag, archive_push | take_backup | repo_copy),
        Row("compress-level", number, archive_push | take_backup | repo_copy),
        Row("compress-level-network", number, with_repository & ~(expire | repo_rm))
            .missing_everywhere(),
        Row("compress-type", text, archive_push | take_backup | repo_copy),
        Row("config", text, all).of_the_line(),
        Row("config-include-path", text, all).of_the_line(),
        Row("config-path", text, all).of_the_line(),
        Row("db-exclude", list, restore),
        Row("db-include", list, restore),
        Row("db-timeout", time, archiving | with_session | repo_files)
            .idle_in(archiving | stanza_changes | repo_files),
        Row("delta", flag, take_backup | restore),
        Row("dry-run", flag, expire | repo_copy).of_the_line(),
        Row("exclude", list, take_backup),
        Row("expire-auto", flag, take_backup),
        Row("filter", text, repo_ls).of_the_line(),
        Row("force", flag, take_backup | restore | stanza_create | stanza_delete | stop)
            .idle_in(stanza_create)
            .of_the_line(),
        Row("ignore-missing", flag, repo_get).of_the_line(),
        Row("io-timeout", time, with_repository),
        Row("job-retry", number, copying).missing_everywhere(),
        Row("job-retry-interval", time, copying).missing_everywhere(),
        Row("link-all", flag, restore),
        Row("link-map", list, restore),
        Row("lock-path", text,
            annotate | archiving | take_backup | expire | info | restore | stanza_changes | start |
                stop | repo_copy)
            .idle_in(restore),
        Row("log-level-console", text, all),
        Row("log-level-file", text, all),
        Row("log-level-stderr", text, all),
        Row("log-path", text, all),
        Row("log-subprocess", flag, with_repository & ~expire).missing_everywhere(),
        Row("log-timestamp", flag, all),
        Row("manifest-save-threshold", size, take_backup),
        Row("neutral-umask", flag, all & ~info),
        Row("online", flag, take_backup | stanza_create | stanza_upgrade)
            .idle_in(stanza_create | stanza_upgrade)
            .of_the_line(),
        Row("output", text, info | repo_ls | verify | restore_test).of_the_line(),
        Row("page-header-check", flag, take_backup).missing_everywhere(),
        Row("pg-database", text, with_session).idle_in(stanza_changes).of_stanzas(),
        Row("pg-host", text, with_cluster).of_stanzas(),
        Row("pg-host-ca-file", text, with_cluster).missing_in(not_from_afar).of_stanzas(),
        Row("pg-host-ca-path", text, with_cluster).missing_everywhere().of_stanzas(),
        Row("pg-host-cert-file", text, with_cluster).missing_in(not_from_afar).of_stanzas(),
        Row("pg-host-cmd", text, with_session).missing_everywhere().of_stanzas(),
        Row("pg-host-config", text, with_session).missing_everywhere().of_stanzas(),
        Row("pg-host-config-include-path", text, with_session).missing_everywhere().of_stanzas(),
        Row("pg-host-config-path", text, with_session).missing_everywhere().of_stanzas(),
        Row("pg-host-key-file", text, with_cluster).missing_in(not_from_afar).of_stanzas(),
        Row("pg-host-port", number, with_session).missing_in(stanza_delete).of_stanzas(),
        Row("pg-host-type", text, with_cluster).missing_in(not_from_afar).of_stanzas(),
        Row("pg-host-user", text, with_session).idle_in(with_session).of_stanzas(),
        Row("pg-path", text, with_cluster).of_stanzas(),
        Row("pg-port", number, with_session).idle_in(stanza_changes).of_stanzas(),
        Row("pg-socket-path", text, with_session).idle_in(stanza_changes).of_stanzas(),
        Row("pg-user", text, with_session | restore_test).idle_in(stanza_changes).of_stanzas(),
        Row("pg-version-force", text, with_cluster).missing_everywhere().of_stanzas(),
        Row("priority", number, with_repository).missing_everywhere(),
        Row("process-max", number, copying),
        Row("protocol-timeout", time, with_repository).missing_everywhere(),
        Row("rate-limit", size, take_backup | restore | verify | repo_copy | restore_test),
        Row("raw", flag, repo_get | repo_put).of_the_line(),
        Row("recovery-option", list, restore),
        Row("recurse", flag, repo_ls | repo_rm).of_the_line(),
        Row("repo", number,
            annotate | archive_get | take_backup | expire | info | repo_files | restore |
                stanza_delete | verify | repo_copy | restore_test)
            .of_the_line(),
        Row("repo-block", flag, take_backup),
        Row("repo-bundle", flag, take_backup | repo_copy),
        Row("repo-bundle-limit", size, take_backup | repo_copy),
        Row("repo-bundle-size", size, take_backup | repo_copy),
        Row("repo-cipher-pass", text, with_repository).hidden(),
        Row("repo-cipher-type", text, with_repository),
        Row("repo-hardlink", flag, take_backup),
        Row("repo-host", text, with_repository),
        Row("repo-host-ca-file", text, with_repository),
        Row("repo-host-ca-path", text, with_repository).missing_everywhere(),
        Row("repo-host-cert-file", text, with_repository),
        Row("repo-host-cmd", text, with_repository).missing_everywhere(),
        Row("repo-host-config", text, with_repository).missing_everywhere(),
        Row("repo-host-config-include-path", text, with_repository).missing_everywhere(),
        Row("repo-host-config-path", text, with_repository).missing_everywhere(),
        Row("repo-host-key-file", text, with_repository),
        Row("repo-host-port", number, with_repository),
        Row("repo-host-type", text, with_repository),
        Row("repo-host-user", text, with_repository).idle_in(with_repository),
        Row("repo-optional", list, archive_push | take_backup | check),
        Row("repo-path", text, with_repository),
        Row("repo-retention-archive", number, take_backup | expire),
        Row("repo-retention-archive-type", text, take_backup | expire),
        Row("repo-retention-diff", number, take_backup | expire),
        Row("repo-retention-full", number, take_backup | expire),
        Row("repo-retention-full-type", text, take_backup | expire),
        Row("repo-retention-history", number, take_backup | expire),
        Row("repo-s3-bucket", text, with_repository),
        Row("repo-s3-endpoint", text, with_repository),
        Row("repo-s3-key", text, with_repository).hidden(),
        Row("repo-s3-key-secret", text, with_repository).hidden(),
        Row("repo-s3-key-type", text, with_repository),
        Row("repo-s3-kms-key-id", text, with_repository).hidden(),
        Row("repo-s3-region", text, with_repository),
        Row("repo-s3-role", text, with_repository).missing_everywhere(),
        Row("repo-s3-sse-customer-key", text, with_repository).hidden(),
        Row("repo-s3-token", text, with_repository).hidden(),
        Row("repo-s3-uri-style", text, with_repository),
        Row("repo-storage-ca-file", text, with_repository),
        Row("repo-storage-ca-path", text, with_repository).missing_everywhere(),
        Row("repo-storage-host", text, with_repository),
        Row("repo-storage-port", number, with_repository),
        Row("repo-storage-upload-chunk-size", size, with_repository),
        Row("repo-storage-verify-tls", flag, with_repository),
        Row("repo-symlink", flag, take_backup | repo_copy),
        Row("repo-type", text, with_repository),
        Row("resume", flag, take_backup),
        Row("scratch-path", text, restore_test),
        Row("set", text, annotate | expire | info | restore | verify | repo_copy | restore_test)
            .of_the_line(),
        Row("sort", text, repo_ls).of_the_line(),
        Row("spool-path", text, archiving | restore | info).idle_in(restore),
        Row("stanza", text, all).of_the_line(),
        Row("start-fast", flag, take_backup),
        Row("stop-auto", flag, take_backup).missing_everywhere(),
        Row("tablespace-map", list, restore),
        Row("tablespace-map-all", text, restore),
        Row("target", text, restore).of_the_line(),
        Row("target-action", text, restore).of_the_line(),
        Row("target-exclusive", flag, restore).of_the_line(),
        Row("target-timeline", text, restore).of_the_line(),
        Row("tls-server-address", text, 0),
        Row("tls-server-auth", text, 0),
        Row("tls-server-ca-file", text, 0),
        Row("tls-server-cert-file", text, 0),
        Row("tls-server-key-file", text, 0),
        Row("tls-server-port", number, 0),
        Row("to-repo", number, repo_copy).of_the_line(),
        Row("type", text, take_backup | info | restore).of_the_line(),
        Row("verbose", flag, verify).idle_in(verify).of_the_line(),
    };
}

constexpr auto table = make_table();

bool is_indexed(std::string_view name) {
    return name.starts_with("pg-") || (name.starts_with("repo-") && name != "repo-optional");
}

}  // namespace

std::string OptionKey::text() const {
    if (!is_indexed(facts->name)) {
        return std::string(facts->name);
    }
    const auto dash = facts->name.find('-');
    return fmt::format("{}{}{}", facts->name.substr(0, dash), index, facts->name.substr(dash));
}

std::optional<OptionKey> find_option(std::string_view name) {
    OptionKey key;
    std::string plain(name);
    const auto first = name.find_first_of("0123456789");
    const auto dash = name.find('-');
    if (first != std::string_view::npos && dash != std::string_view::npos && first < dash) {
        const auto* end = name.data() + dash;
        const auto [stop, error] = std::from_chars(name.data() + first, end, key.index);
        if (error != std::errc() || stop != end || key.index < 1 || key.index > 256) {
            return std::nullopt;
        }
        plain = std::string(name.substr(0, first)) + std::string(name.substr(dash));
    }
    const auto found = std::ranges::find(table, plain, &Row::name);
    if (found == table.end() || (plain != name && !is_indexed(plain))) {
        return std::nullopt;
    }
    key.facts = &*found;
    return key;
}

std::vector<OptionFacts> all_options() {
    return {table.begin(), table.end()};
}

std::vector<std::string> all_commands() {
    return {commands.begin(), commands.end()};
}

bool is_command(std::string_view name) {
    return std::ranges::find(commands, name) != commands.end();
}

OptionUse use_of(const OptionFacts& option, std::string_view command) {
    const auto found = std::ranges::find(commands, command);
    const auto bit =
        found == commands.end() ? CommandSet{0} : CommandSet{1} << (found - commands.begin());
    return (option.commands & bit) == 0  ? OptionUse::foreign
           : (option.missing & bit) != 0 ? OptionUse::missing
           : (option.idle & bit) != 0    ? OptionUse::idle
                                         : OptionUse::honoured;
}

std::string nearest_option(std::string_view name) {
    std::vector<std::string> known;
    for (const auto& facts : table) {
        known.emplace_back(OptionKey{.facts = &facts}.text());
    }
    return nearest(name, known).value_or("");
}

}  // namespace howdah::backup
