#include "backup/host/host_options.h"

#include <fmt/format.h>

namespace howdah::backup {

std::string options_for_clients(const RepositoryOptions& repository) {
    std::string text = "[global]\n";
    const auto say = [&](std::string_view name, const auto& value) {
        text += fmt::format("repo{}-{}={}\n", repository.index, name, value);
    };
    const auto say_if = [&](std::string_view name, const auto& value) {
        if (value) {
            say(name, *value);
        }
    };
    const auto flag = [&](std::string_view name, bool value) { say(name, value ? "y" : "n"); };
    if (!repository.cipher_pass.empty()) {
        say("cipher-type", "aes-256-cbc");
        say("cipher-pass", repository.cipher_pass);
    }
    const auto& retention = repository.retention;
    say_if("retention-full", retention.full);
    say("retention-full-type", retention.full_by_time ? "time" : "count");
    say_if("retention-diff", retention.diff);
    say_if("retention-archive", retention.archive);
    say("retention-archive-type", retention.archive_type == repo::BackupType::full   ? "full"
                                  : retention.archive_type == repo::BackupType::diff ? "diff"
                                                                                     : "incr");
    say_if("retention-history", repository.history_days);
    flag("bundle", repository.bundle);
    flag("block", repository.block);
    flag("hardlink", repository.hardlink);
    flag("symlink", repository.symlink);
    say("bundle-size", repository.bundle_size);
    say("bundle-limit", repository.bundle_limit);
    return text;
}

}  // namespace howdah::backup
