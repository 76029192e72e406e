#include "backup/site.h"

#include <fmt/format.h>

#include "backup/options/exit_code.h"
#include "backup/stop_file.h"
#include "backup/workers.h"
#include "files/throttled_files.h"
#include "repo/paths.h"

namespace howdah::backup {

void Notes::detail(std::string_view text) const {
    if (on_detail) {
        on_detail(text);
    }
}

void Notes::info(std::string_view text) const {
    if (on_info) {
        on_info(text);
    }
}

void Notes::warn(std::string_view text) const {
    if (on_warn) {
        on_warn(text);
    }
}

void Notes::progress(const Progress& progress) const {
    if (on_progress) {
        on_progress(progress);
    }
}

Result<> Site::needs_stanza() const {
    return options.stanza.empty()
               ? fail_with(ExitCode::option_required, Errc::invalid,
                           fmt::format("{} needs option 'stanza'", options.command),
                           "--stanza=NAME")
               : Result<>{};
}

Result<> Site::may_work() const {
    HD_TRY_VOID(needs_stanza());
    return check_not_stopped(options.lock_path, options.stanza);
}

Result<std::string> Site::data_directory() const {
    HD_TRY(const auto cluster, options.cluster());
    return cluster.path;
}

Result<ClusterFacts> Site::cluster() const {
    HD_TRY(const auto data, data_directory());
    return cluster_facts(data);
}

Result<std::string> Site::local_path(const std::string& path) const {
    if (path.starts_with('/')) {
        return path;
    }
    HD_TRY(const auto data, data_directory());
    return data + "/" + path;
}

void Locks::note_progress(std::uint32_t hundredths) const {
    for (const auto& each : files) {
        each.note_progress(hundredths);
    }
    for (const auto& each : holds) {
        each->note_progress(hundredths);
    }
}

Result<Locks> Site::lock(LockKind kind) {
    std::vector<std::uint32_t> indexes;
    for (const auto& repository : repositories) {
        indexes.push_back(repository.index());
    }
    Locks locks;
    HD_TRY(locks.files, take_locks(options.lock_path, options.stanza, kind, indexes, asked_by));
    if (kind != LockKind::backup) {
        return locks;
    }
    for (auto& repository : repositories) {
        const auto& its = options.repository(repository.index());
        if (!its.host.name.empty()) {
            HD_TRY(auto held, repository.files().hold("backup"));
            if (held) {
                locks.holds.push_back(std::move(held));
            }
        } else if (its.type == "posix" || its.type == "cifs") {
            HD_TRY(auto held, LockFile::hold_folder(fmt::format(
                                  "{}/{}", its.path, repo::backup_folder(options.stanza))));
            if (held) {
                locks.files.push_back(*std::move(held));
            }
        }
    }
    return locks;
}

Result<> Site::in_parallel(std::size_t count,
                           const std::function<Result<>(std::size_t)>& job) const {
    return backup::in_parallel(options.process_max, count, job);
}

Result<std::vector<Repository>> open_repositories(const Options& options, const OpenFiles& open) {
    std::vector<Repository> all;
    for (const auto& each : options.repositories) {
        if (options.repo && *options.repo != each.index && options.to_repo != each.index) {
            continue;
        }
        HD_TRY(auto opened, open(each));
        if (options.rate_limit > 0) {
            opened = std::make_unique<files::ThrottledFiles>(
                std::move(opened), std::make_shared<files::Rate>(options.rate_limit));
        }
        all.emplace_back(each.index, std::move(opened), each.cipher_pass);
    }
    if (all.empty()) {
        return fail(Errc::invalid, fmt::format("there is no repository {}", *options.repo));
    }
    return all;
}

}  // namespace howdah::backup
