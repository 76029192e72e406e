#include "backup/option_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/nearest.h"

namespace howdah::backup {
namespace {

using enum OptionKind;

constexpr std::array table{
    OptionFacts{"annotation", list},
    OptionFacts{"archive-async", flag},
    OptionFacts{"archive-check", flag},
    OptionFacts{"archive-copy", flag},
    OptionFacts{"archive-expire-before"},
    OptionFacts{"archive-get-queue-max", size},
    OptionFacts{"archive-header-check", flag},
    OptionFacts{"archive-missing-retry", flag},
    OptionFacts{"archive-mode"},
    OptionFacts{"archive-mode-check", flag},
    OptionFacts{"archive-push-batch-size", size},
    OptionFacts{"archive-push-queue-max", size},
    OptionFacts{"archive-timeout", time},
    OptionFacts{"backup-standby"},
    OptionFacts{"buffer-size", size},
    OptionFacts{"checksum-page", flag},
    OptionFacts{"cmd"},
    OptionFacts{"cmd-ssh"},
    OptionFacts{"compress", flag},
    OptionFacts{"compress-level", number},
    OptionFacts{"compress-level-network", number},
    OptionFacts{"compress-type"},
    OptionFacts{"config"},
    OptionFacts{"config-include-path"},
    OptionFacts{"config-path"},
    OptionFacts{"db-exclude", list},
    OptionFacts{"db-include", list},
    OptionFacts{"db-timeout", time},
    OptionFacts{"delta", flag},
    OptionFacts{"dry-run", flag},
    OptionFacts{"exclude", list},
    OptionFacts{"expire-auto", flag},
    OptionFacts{"filter"},
    OptionFacts{"force", flag},
    OptionFacts{"io-timeout", time},
    OptionFacts{"job-retry", number},
    OptionFacts{"job-retry-interval", time},
    OptionFacts{"link-all", flag},
    OptionFacts{"link-map", list},
    OptionFacts{"lock-path"},
    OptionFacts{"log-level-console"},
    OptionFacts{"log-level-file"},
    OptionFacts{"log-level-stderr"},
    OptionFacts{"log-path"},
    OptionFacts{"log-subprocess", flag},
    OptionFacts{"log-timestamp", flag},
    OptionFacts{"manifest-save-threshold", size},
    OptionFacts{"neutral-umask", flag},
    OptionFacts{"online", flag},
    OptionFacts{"output"},
    OptionFacts{"page-header-check", flag},
    OptionFacts{"pg-database", text, true},
    OptionFacts{"pg-host", text, true},
    OptionFacts{"pg-host-ca-file", text, true},
    OptionFacts{"pg-host-cert-file", text, true},
    OptionFacts{"pg-host-key-file", text, true},
    OptionFacts{"pg-host-port", number, true},
    OptionFacts{"pg-host-type", text, true},
    OptionFacts{"pg-host-user", text, true},
    OptionFacts{"pg-path", text, true},
    OptionFacts{"pg-port", number, true},
    OptionFacts{"pg-socket-path", text, true},
    OptionFacts{"pg-user", text, true},
    OptionFacts{"pg-version-force", text, true},
    OptionFacts{"priority", number},
    OptionFacts{"process-max", number},
    OptionFacts{"protocol-timeout", time},
    OptionFacts{"recovery-option", list},
    OptionFacts{"recurse", flag},
    OptionFacts{"repo", number},
    OptionFacts{"repo-block", flag},
    OptionFacts{"repo-bundle", flag},
    OptionFacts{"repo-bundle-limit", size},
    OptionFacts{"repo-bundle-size", size},
    OptionFacts{"repo-cipher-pass", text, false, true},
    OptionFacts{"repo-cipher-type"},
    OptionFacts{"repo-hardlink", flag},
    OptionFacts{"repo-host"},
    OptionFacts{"repo-host-ca-file"},
    OptionFacts{"repo-host-cert-file"},
    OptionFacts{"repo-host-config"},
    OptionFacts{"repo-host-key-file"},
    OptionFacts{"repo-host-port", number},
    OptionFacts{"repo-host-type"},
    OptionFacts{"repo-host-user"},
    OptionFacts{"repo-path"},
    OptionFacts{"repo-retention-archive", number},
    OptionFacts{"repo-retention-archive-type"},
    OptionFacts{"repo-retention-diff", number},
    OptionFacts{"repo-retention-full", number},
    OptionFacts{"repo-retention-full-type"},
    OptionFacts{"repo-retention-history", number},
    OptionFacts{"repo-s3-bucket"},
    OptionFacts{"repo-s3-endpoint"},
    OptionFacts{"repo-s3-key", text, false, true},
    OptionFacts{"repo-s3-key-secret", text, false, true},
    OptionFacts{"repo-s3-region"},
    OptionFacts{"repo-s3-token", text, false, true},
    OptionFacts{"repo-s3-uri-style"},
    OptionFacts{"repo-storage-ca-file"},
    OptionFacts{"repo-storage-host"},
    OptionFacts{"repo-storage-port", number},
    OptionFacts{"repo-storage-verify-tls", flag},
    OptionFacts{"repo-symlink", flag},
    OptionFacts{"repo-type"},
    OptionFacts{"resume", flag},
    OptionFacts{"set"},
    OptionFacts{"sort"},
    OptionFacts{"spool-path"},
    OptionFacts{"stanza"},
    OptionFacts{"start-fast", flag},
    OptionFacts{"stop-auto", flag},
    OptionFacts{"tablespace-map", list},
    OptionFacts{"tablespace-map-all"},
    OptionFacts{"target"},
    OptionFacts{"target-action"},
    OptionFacts{"target-exclusive", flag},
    OptionFacts{"target-timeline"},
    OptionFacts{"tls-server-address"},
    OptionFacts{"tls-server-auth"},
    OptionFacts{"tls-server-ca-file"},
    OptionFacts{"tls-server-cert-file"},
    OptionFacts{"tls-server-key-file"},
    OptionFacts{"tls-server-port", number},
    OptionFacts{"type"},
};

bool is_indexed(std::string_view name) {
    return name.starts_with("pg-") || name.starts_with("repo-");
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
    const auto found = std::ranges::find(table, plain, &OptionFacts::name);
    if (found == table.end() || (plain != name && !is_indexed(plain))) {
        return std::nullopt;
    }
    key.facts = &*found;
    return key;
}

std::string nearest_option(std::string_view name) {
    std::vector<std::string> known;
    for (const auto& facts : table) {
        known.emplace_back(OptionKey{.facts = &facts}.text());
    }
    return nearest(name, known).value_or("");
}

}  // namespace howdah::backup
