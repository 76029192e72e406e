#include "backup/command/archive/segment_copy.h"

#include <fmt/format.h>

#include "backup/options/exit_code.h"
#include "backup/unpacked_source.h"
#include "repo/archive_name.h"
#include "repo/paths.h"

namespace howdah::backup {
namespace {

/// Path of the segment as it is stored; "" when it is not there.
Result<std::string> find_segment(const WalHome& home, const std::string& name) {
    const auto folder = home.folder + "/" + repo::wal_folder(name);
    std::vector<std::string> files;
    HD_TRY_VOID(home.repository.files().list(folder, [&](const files::Entry& entry) {
        files.push_back(entry.path.substr(entry.path.rfind('/') + 1));
        return Result<>{};
    }));
    const auto chosen = repo::choose_segment(name, files);
    if (chosen) {
        return folder + "/" + *chosen;
    }
    return chosen.error().code == Errc::not_found
               ? Result<std::string>("")
               : std::unexpected(ending_with(ExitCode::archive_duplicate, chosen.error()));
}

Result<std::string> needed_segment(const WalHome& home, const std::string& name) {
    HD_TRY(auto stored, find_segment(home, name));
    if (stored.empty()) {
        return fail(Errc::not_found,
                    fmt::format("{} has no WAL segment {}", home.repository.name(), name),
                    "`howdah verify` tells which backups lack WAL");
    }
    return stored;
}

std::string last_part(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

/// False: one of that name is there.
Result<bool> copy_by_name(const WalHome& from, const WalHome& to, const std::string& name) {
    const auto below = repo::wal_folder(name);
    const auto path = [&](const WalHome& home) {
        return home.folder + "/" + (below.empty() ? name : below + "/" + name);
    };
    HD_TRY(const auto there, to.repository.files().stat(path(to)));
    if (there) {
        return false;
    }
    HD_TRY(auto source, from.repository.files().read(path(from)));
    UnpackedSource content(std::move(source), {.cipher_pass = from.cipher_pass});
    const auto put = to.repository.put(path(to), content, {.cipher_pass = to.cipher_pass},
                                       files::IfTaken::refuse);
    // Somebody else may have archived it meanwhile.
    return put || put.error().code == Errc::conflict ? Result<bool>(put.has_value())
                                                     : std::unexpected(put.error());
}

}  // namespace

Result<WalHome> wal_home(Repository& repository, const std::string& stanza,
                         const repo::ArchivedCluster& cluster) {
    HD_TRY(const auto info, repository.archive_info(stanza));
    const auto ids = info.ids_of(cluster);
    if (ids.empty()) {
        return fail_with(
            ExitCode::archive_mismatch, Errc::unsafe,
            fmt::format("{}: stanza '{}' has never held WAL of cluster {} version {}",
                        repository.name(), stanza, cluster.system_id, cluster.version));
    }
    return WalHome{.repository = repository,
                   .folder = repo::archive_folder(stanza) + "/" + info.archive_id(ids.front()),
                   .cipher_pass = info.cipher_pass};
}

Result<bool> copy_segment(const Site& site, const WalHome& from, const WalHome& to,
                          const std::string& name) {
    HD_TRY(const auto stored, needed_segment(from, name));
    const auto segment = repo::parse_stored_segment(last_part(stored));
    HD_TRY(const auto there, find_segment(to, name));
    if (!there.empty()) {
        if (repo::parse_stored_segment(last_part(there))->sum == segment->sum) {
            return false;
        }
        return fail_with(ExitCode::archive_duplicate, Errc::unsafe,
                         fmt::format("WAL segment {} is in {} and in {} with different contents",
                                     name, from.repository.name(), to.repository.name()),
                         "nothing was changed; `howdah verify` tells which of them is damaged");
    }
    HD_TRY(auto source, from.repository.files().read(stored));
    UnpackedSource content(std::move(source),
                           {.compress = segment->compress, .cipher_pass = from.cipher_pass},
                           segment->sum);
    const auto compress = site.options.compress;
    const auto usual = repo::levels_of(compress).standard;
    const auto put =
        to.repository.put(fmt::format("{}/{}/{}", to.folder, repo::wal_folder(name),
                                      repo::stored_wal_name(name, segment->sum, compress)),
                          content,
                          {.compress = compress,
                           .level = site.options.compress_level.value_or(usual),
                           .cipher_pass = to.cipher_pass},
                          files::IfTaken::refuse);
    if (!put && put.error().code == Errc::corrupt) {
        return std::unexpected(Error(put.error())
                                   .within(fmt::format("{} of {} is damaged and was not copied",
                                                       stored, from.repository.name())));
    }
    // Somebody else may have archived the same meanwhile.
    return put || put.error().code == Errc::conflict ? Result<bool>(put.has_value())
                                                     : std::unexpected(put.error());
}

Result<std::uint64_t> segment_size(const WalHome& home, const std::string& name) {
    HD_TRY(const auto stored, needed_segment(home, name));
    const auto segment = repo::parse_stored_segment(last_part(stored));
    HD_TRY(auto source, home.repository.files().read(stored));
    UnpackedSource content(std::move(source),
                           {.compress = segment->compress, .cipher_pass = home.cipher_pass});
    ByteBuffer block(pump_block);
    for (std::uint64_t size = 0;;) {
        const auto got = content.read(block);
        if (!got) {
            return std::unexpected(
                Error(got.error()).within(fmt::format("{} of {}", stored, home.repository.name())));
        }
        if (*got == 0) {
            return size;
        }
        size += *got;
    }
}

Result<bool> copy_wal_file(const Site& site, const WalHome& from, const WalHome& to,
                           const std::string& name) {
    HD_TRY(const auto kind, repo::wal_file(name));
    return repo::is_hashed(kind) ? copy_segment(site, from, to, name)
                                 : copy_by_name(from, to, name);
}

Result<std::size_t> copy_history_files(const WalHome& from, const WalHome& to) {
    std::vector<std::string> names;
    HD_TRY_VOID(from.repository.files().list(from.folder, [&](const files::Entry& entry) {
        const auto name = last_part(entry.path);
        const auto kind = repo::wal_file(name);
        if (entry.kind == files::EntryKind::file && kind && *kind == repo::WalFile::history) {
            names.push_back(name);
        }
        return Result<>{};
    }));
    std::size_t copied = 0;
    for (const auto& name : names) {
        HD_TRY(const auto is_new, copy_by_name(from, to, name));
        copied += is_new ? 1 : 0;
    }
    return copied;
}

}  // namespace howdah::backup
