#include "backup/command/backup/unfinished.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "backup/command/known_backups.h"
#include "backup/pump.h"
#include "repo/paths.h"

namespace howdah::backup {
namespace {

constexpr std::string_view control_name = "pg_data/global/pg_control";

/// Whether the stored bytes of a file are those that its entry tells of.
Result<bool> is_stored(Repository& repository, const std::string& path,
                       const repo::ManifestFile& file) {
    const auto source = repository.files().read(path);
    if (!source) {
        return source.error().code == Errc::not_found ? Result<bool>(false)
                                                      : std::unexpected(source.error());
    }
    repo::SumTap found;
    ByteBuffer block(pump_block);
    while (true) {
        HD_TRY(const auto got, (*source)->read(block));
        if (got == 0) {
            return found.finish() == (file.stored_sum ? *file.stored_sum : *file.sum);
        }
        found.see(Bytes(block).first(got));
    }
}

Result<> remove_others(Repository& repository, const std::string& folder,
                       const std::set<std::string>& kept) {
    HD_TRY_VOID(repository.files().remove_unfinished(folder));
    std::vector<files::Entry> inside;
    HD_TRY_VOID(repository.files().list(folder, [&](const files::Entry& entry) {
        inside.push_back(entry);
        return Result<>{};
    }));
    for (const auto& entry : inside) {
        if (entry.kind == files::EntryKind::folder) {
            HD_TRY_VOID(remove_others(repository, entry.path, kept));
        } else if (!kept.contains(entry.path)) {
            HD_TRY_VOID(repository.files().remove(entry.path));
        }
    }
    return {};
}

}  // namespace

Result<std::optional<repo::Manifest>> take_up_unfinished(const Site& site, Repository& repository,
                                                         const repo::Planned& planned) {
    const auto& stanza = site.stanza();
    HD_TRY(const auto folders, backup_folders(repository, stanza));
    if (folders.empty()) {
        return std::nullopt;
    }
    const auto& label = folders.back();
    HD_TRY(const auto finished, repository.files().stat(repo::manifest_path(stanza, label)));
    if (finished) {
        return std::nullopt;
    }
    auto copy = repository.manifest(stanza, label);
    const auto decision = repo::decide_resume(
        repo::Unfinished{.label = label, .copy = copy ? &copy->header : nullptr}, planned);
    if (decision.choice == repo::ResumeChoice::resume) {
        site.notes.warn(
            fmt::format("resumable backup {} of same type exists -- invalid files will "
                        "be removed then the backup will resume",
                        label.text()));
        return *std::move(copy);
    }
    site.notes.warn(decision.why);
    HD_TRY_VOID(repository.files().remove_tree(repo::backup_path(stanza, label)));
    return std::nullopt;
}

Result<std::size_t> keep_copied(const Site& site, Repository& repository,
                                const repo::Manifest& then, repo::Manifest& now) {
    const auto& stanza = site.stanza();
    now.header.label = then.header.label;
    now.header.cipher_pass = then.header.cipher_pass;
    std::set<std::string> kept;
    for (std::size_t i = 0; i < now.files.size(); ++i) {
        auto file = now.files.at(i);
        const auto at = then.files.find(file.name);
        if (!at || file.name == control_name) {
            continue;
        }
        const auto before = then.files.at(*at);
        if (!repo::may_stay(before, file, now.header.options.delta.value_or(false))) {
            continue;
        }
        const auto path =
            repo::file_path(stanza, then.header.label.text(), before, then.header.options.compress);
        HD_TRY(const auto good, is_stored(repository, path, before));
        if (!good) {
            continue;
        }
        file.sum = before.sum;
        file.stored_size = before.stored_size;
        file.stored_sum = before.stored_sum;
        file.pages = before.pages;
        file.bad_pages = before.bad_pages;
        now.files.set(i, file);
        kept.insert(path);
    }
    HD_TRY_VOID(remove_others(repository, repo::backup_path(stanza, then.header.label), kept));
    return kept.size();
}

}  // namespace howdah::backup
