#include "backup/info.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <nlohmann/json.hpp>
#include <set>

#include "io/files.h"
#include "repo/archive_name.h"
#include "repo/paths.h"

namespace howdah::backup {
namespace {

using nlohmann::json;

constexpr int missing_path = 1, no_backups = 2, missing_data = 3, different = 4, other = 99;

std::string_view last_part(std::string_view path) {
    return path.substr(path.rfind('/') + 1);
}

Result<std::vector<std::string>> names_in(store::Store& store, const std::string& folder) {
    std::vector<std::string> names;
    HD_TRY_VOID(store.list(folder, [&](const store::Entry& entry) {
        names.emplace_back(last_part(entry.path));
        return Result<>{};
    }));
    return names;
}

/// Whole segments alone count.
Result<WalRange> wal_range(store::Store& store, const std::string& archive) {
    HD_TRY(auto folders, names_in(store, archive));
    std::erase_if(folders, [](const std::string& name) { return !repo::is_wal_folder(name); });
    const auto segment_of = [&](const std::string& folder,
                                bool first) -> Result<std::optional<std::string>> {
        HD_TRY(const auto files, names_in(store, archive + "/" + folder));
        std::optional<std::string> found;
        for (const auto& file : files) {
            const auto segment = repo::parse_stored_segment(file);
            if (segment && !segment->partial() && !(first && found)) {
                found = segment->segment();
            }
        }
        return found;
    };
    WalRange range;
    for (auto at = folders.begin(); at != folders.end() && !range.first; ++at) {
        HD_TRY(range.first, segment_of(*at, true));
    }
    for (auto at = folders.rbegin(); at != folders.rend() && !range.last; ++at) {
        HD_TRY(range.last, segment_of(*at, false));
    }
    return range;
}

Result<> fill(RepositoryReport& report, Repository& repository, const std::string& stanza) {
    HD_TRY(const auto archive, repository.store().stat(repo::archive_folder(stanza)));
    HD_TRY(const auto backup, repository.store().stat(repo::backup_folder(stanza)));
    if (!archive && !backup) {
        report.code = missing_path;
        report.message = "missing stanza path";
        return {};
    }
    auto info = repository.backup_info(stanza);
    if (!info && info.error().code == Errc::not_found) {
        report.code = missing_data;
        report.message = "missing stanza data";
        return {};
    }
    HD_TRY(report.backup, std::move(info));
    HD_TRY(report.archive, repository.archive_info(stanza));
    for (const auto& [id, cluster] : report.archive->history) {
        HD_TRY(report.wal[id], wal_range(repository.store(), repo::archive_folder(stanza) + "/" +
                                                                 report.archive->archive_id(id)));
    }
    if (report.backup->backups.empty()) {
        report.code = no_backups;
        report.message = "no valid backups";
    }
    return {};
}

/// The kernel's list is read, so that asking takes no lock. Source: proc(5), /proc/locks.
bool is_locked(const std::string& path) {
    struct stat found{};
    const auto locks = io::read_file("/proc/locks");
    return stat(path.c_str(), &found) == 0 && locks &&
           locks->contains(fmt::format(":{} ", found.st_ino));
}

std::set<std::string> all_stanzas(std::vector<Repository>& repositories) {
    std::set<std::string> names;
    for (auto& repository : repositories) {
        for (const auto* folder : {"archive", "backup"}) {
            (void)repository.store().list(folder, [&](const store::Entry& entry) {
                if (entry.kind == store::EntryKind::folder) {
                    names.emplace(last_part(entry.path));
                }
                return Result<>{};
            });
        }
    }
    return names;
}

struct Status {
    int code = 0;
    std::string message{}, cipher{};
};

Status status_of(const StanzaReport& stanza) {
    const auto& first = stanza.repositories.front();
    Status status{first.code, first.message, first.encrypted ? "aes-256-cbc" : "none"};
    for (const auto& each : stanza.repositories) {
        if (each.code != first.code) {
            status.code = different;
            status.message = "different across repos";
        }
        if (each.encrypted != first.encrypted) {
            status.cipher = "mixed";
        }
    }
    return status;
}

json optional_text(const std::optional<std::string>& text) {
    return text ? json(*text) : json();
}

json sizes_of(const repo::BackupSizes& sizes) {
    json stored{{"delta", sizes.stored_delta}};
    if (sizes.map_delta) {
        stored["delta-map"] = *sizes.map_delta;
    }
    if (sizes.map_total) {
        stored["size-map"] = *sizes.map_total;
    } else {
        stored["size"] = sizes.stored_total;
    }
    return {{"delta", sizes.delta}, {"repository", stored}, {"size", sizes.total}};
}

json backup_json(const repo::Label& label, const repo::BackupSummary& backup, std::uint32_t key) {
    json references;
    for (const auto& reference : backup.references) {
        if (reference != label) {
            references.push_back(reference.text());
        }
    }
    json out{
        {"archive",
         {{"start", optional_text(backup.wal_start)}, {"stop", optional_text(backup.wal_stop)}}},
        {"backrest", {{"format", 5}, {"version", backup.written_by}}},
        {"database", {{"id", backup.history_id}, {"repo-key", key}}},
        {"info", sizes_of(backup.sizes)},
        {"label", label.text()},
        {"prior", backup.prior ? json(backup.prior->text()) : json()},
        {"reference", references},
        {"timestamp", {{"start", backup.started}, {"stop", backup.stopped}}},
        {"type", repo::name_of(backup.type)}};
    if (!backup.annotations.empty()) {
        out["annotation"] = backup.annotations;
    }
    if (backup.error) {
        out["error"] = *backup.error;
    }
    if (backup.lsn_start) {
        out["lsn"] = {{"start", *backup.lsn_start}, {"stop", backup.lsn_stop.value_or("")}};
    }
    return out;
}

/// Backups of all repositories, oldest first.
std::vector<std::pair<repo::Label, const RepositoryReport*>> backups_of(
    const StanzaReport& stanza) {
    std::vector<std::pair<repo::Label, const RepositoryReport*>> all;
    for (const auto& repository : stanza.repositories) {
        if (repository.backup) {
            for (const auto& [label, backup] : repository.backup->backups) {
                all.emplace_back(label, &repository);
            }
        }
    }
    std::ranges::sort(all, {},
                      [](const auto& each) { return std::pair(each.first, each.second->key); });
    return all;
}

json stanza_json(const StanzaReport& stanza) {
    auto archives = json::array(), backups = json::array(), databases = json::array(),
         repositories = json::array();
    for (const auto& repository : stanza.repositories) {
        repositories.push_back(
            {{"cipher", repository.encrypted ? "aes-256-cbc" : "none"},
             {"key", repository.key},
             {"status", {{"code", repository.code}, {"message", repository.message}}}});
        if (!repository.archive) {
            continue;
        }
        for (const auto& [id, cluster] : repository.archive->history) {
            databases.push_back({{"id", id},
                                 {"repo-key", repository.key},
                                 {"system-id", cluster.system_id},
                                 {"version", cluster.version}});
            const auto& range = repository.wal.at(id);
            if (range.first || id == repository.archive->current) {
                archives.push_back({{"database", {{"id", id}, {"repo-key", repository.key}}},
                                    {"id", repository.archive->archive_id(id)},
                                    {"max", optional_text(range.last)},
                                    {"min", optional_text(range.first)}});
            }
        }
    }
    for (const auto& [label, repository] : backups_of(stanza)) {
        backups.push_back(
            backup_json(label, repository->backup->backups.at(label), repository->key));
    }
    const auto status = status_of(stanza);
    return {
        {"archive", archives},
        {"backup", backups},
        {"cipher", status.cipher},
        {"db", databases},
        {"name", stanza.name},
        {"repo", repositories},
        {"status",
         {{"code", status.code},
          {"lock", {{"backup", {{"held", stanza.backup_runs}}}, {"restore", {{"held", false}}}}},
          {"message", status.message}}}};
}

std::string size_text(std::uint64_t bytes) {
    static constexpr std::array units{"B", "KB", "MB", "GB", "TB", "PB"};
    auto size = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (; size >= 1024 && unit + 1 < units.size(); ++unit) {
        size /= 1024;
    }
    auto text = fmt::format("{:.1f}", size);
    text = text.ends_with(".0") ? text.substr(0, text.size() - 2) : text;
    return text + units[unit];
}

std::string time_text(std::int64_t seconds) {
    return fmt::format("{:%Y-%m-%d %H:%M:%S%z}", fmt::localtime(static_cast<std::time_t>(seconds)));
}

std::string references_text(const repo::BackupSummary& backup, const repo::Label& own) {
    std::map<repo::BackupType, int> counts;
    for (const auto& reference : backup.references) {
        if (reference != own) {
            ++counts[reference.type()];
        }
    }
    std::string text;
    for (const auto& [type, count] : counts) {
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, repo::name_of(type));
    }
    return text;
}

std::string backup_text(const repo::Label& label, const repo::BackupSummary& backup,
                        std::uint32_t key) {
    auto text = fmt::format("\n        {} backup: {}\n", repo::name_of(backup.type), label.text());
    const auto line = [&](std::string_view what, const std::string& value) {
        text += fmt::format("            {}: {}\n", what, value);
    };
    line("timestamp start/stop", time_text(backup.started) + " / " + time_text(backup.stopped));
    line("wal start/stop", backup.wal_start
                               ? *backup.wal_start + " / " + backup.wal_stop.value_or("")
                               : std::string("n/a"));
    const auto& sizes = backup.sizes;
    line("database size",
         size_text(sizes.total) + ", database backup size: " + size_text(sizes.delta));
    const auto set = sizes.map_total
                         ? std::string()
                         : fmt::format("backup set size: {}, ", size_text(sizes.stored_total));
    line(fmt::format("repo{}", key),
         fmt::format("{}backup size: {}", set, size_text(sizes.stored_delta)));
    if (const auto references = references_text(backup, label); !references.empty()) {
        line("backup reference total", references);
    }
    if (backup.error.value_or(false)) {
        line("error(s) detected during backup", "true");
    }
    return text;
}

std::string status_text(const StanzaReport& stanza) {
    const auto status = status_of(stanza);
    const auto runs = stanza.backup_runs ? " (backup/expire running)" : "";
    if (status.code != different) {
        const auto word =
            status.code == 0 ? std::string("ok") : fmt::format("error ({})", status.message);
        return fmt::format("    status: {}{}\n", word, runs);
    }
    auto text = fmt::format("    status: mixed{}\n", runs);
    for (const auto& each : stanza.repositories) {
        text += fmt::format("        repo{}: {}\n", each.key,
                            each.code == 0 ? "ok" : fmt::format("error ({})", each.message));
    }
    return text;
}

std::string stanza_text(const StanzaReport& stanza) {
    auto text = fmt::format("stanza: {}\n", stanza.name) + status_text(stanza) +
                fmt::format("    cipher: {}\n", status_of(stanza).cipher);
    const auto backups = backups_of(stanza);
    // Clusters that the stanza has held, the current one first.
    std::set<std::uint32_t, std::greater<>> ids;
    for (const auto& repository : stanza.repositories) {
        for (const auto& [id, range] : repository.wal) {
            ids.insert(id);
        }
    }
    for (const auto id : ids) {
        std::string body;
        bool current = false;
        for (const auto& repository : stanza.repositories) {
            const auto range = repository.wal.find(id);
            if (range == repository.wal.end()) {
                continue;
            }
            current = current || repository.archive->current == id;
            body += fmt::format("        wal archive min/max ({}): {}\n",
                                repository.archive->history.at(id).version,
                                range->second.first
                                    ? *range->second.first + "/" + range->second.last.value_or("")
                                    : std::string("none present"));
        }
        for (const auto& [label, repository] : backups) {
            const auto& backup = repository->backup->backups.at(label);
            if (backup.history_id == id) {
                body += backup_text(label, backup, repository->key);
            }
        }
        text += fmt::format("\n    db ({})\n{}", current ? "current" : "prior", body);
    }
    return text;
}

}  // namespace

std::vector<StanzaReport> report(std::vector<Repository>& repositories, const std::string& stanza,
                                 const std::string& lock_path) {
    std::vector<StanzaReport> all;
    for (const auto& name : stanza.empty() ? all_stanzas(repositories) : std::set{stanza}) {
        StanzaReport one{
            .name = name,
            .backup_runs = is_locked(fmt::format("{}/{}-backup.lock", lock_path, name))};
        for (auto& repository : repositories) {
            auto& each = one.repositories.emplace_back();
            // Until 2.52 there was one lock for all repositories.
            one.backup_runs =
                one.backup_runs ||
                is_locked(fmt::format("{}/{}-backup-{}.lock", lock_path, name, repository.index()));
            each.key = repository.index();
            each.encrypted = repository.encrypted();
            if (const auto done = fill(each, repository, name); !done) {
                each = {.key = each.key,
                        .encrypted = each.encrypted,
                        .code = other,
                        .message = done.error().message};
            }
        }
        all.push_back(std::move(one));
    }
    return all;
}

std::string info_json(const std::vector<StanzaReport>& stanzas) {
    auto all = json::array();
    for (const auto& stanza : stanzas) {
        all.push_back(stanza_json(stanza));
    }
    return all.dump();
}

std::string info_text(const std::vector<StanzaReport>& stanzas) {
    if (stanzas.empty()) {
        return "No stanzas exist in the repository.\n";
    }
    std::string text;
    for (const auto& stanza : stanzas) {
        text += (text.empty() ? "" : "\n") + stanza_text(stanza);
    }
    return text;
}

}  // namespace howdah::backup
