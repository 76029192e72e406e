#include "backup/command/info.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <nlohmann/json.hpp>
#include <set>

#include "backup/command/archive/behind.h"
#include "backup/options/exit_code.h"
#include "backup/size_text.h"
#include "repo/archive_name.h"
#include "repo/paths.h"

namespace howdah::backup {
namespace {

using nlohmann::json;

constexpr int missing_path = 1, no_backups = 2, missing_data = 3, different = 4, no_such_backup = 6,
              other = 99;

/// The name that pgBackRest gives to what it cannot list.
constexpr auto unlisted = "[invalid]";

std::string_view last_part(std::string_view path) {
    return path.substr(path.rfind('/') + 1);
}

Result<std::vector<std::string>> names_in(files::Files& files, const std::string& folder) {
    std::vector<std::string> names;
    HD_TRY_VOID(files.list(folder, [&](const files::Entry& entry) {
        names.emplace_back(last_part(entry.path));
        return Result<>{};
    }));
    return names;
}

/// Whole segments alone count.
Result<WalRange> wal_range(files::Files& files, const std::string& archive) {
    HD_TRY(auto folders, names_in(files, archive));
    std::erase_if(folders, [](const std::string& name) { return !repo::is_wal_folder(name); });
    const auto segment_of = [&](const std::string& folder,
                                bool first) -> Result<std::optional<std::string>> {
        HD_TRY(const auto stored, names_in(files, archive + "/" + folder));
        std::optional<std::string> found;
        for (const auto& file : stored) {
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

/// Leaves the backups that the order asks for. Returns whether --set is among them, or not asked
/// for.
bool choose(repo::BackupInfo& info, const Options& order) {
    std::erase_if(info.backups, [&](const auto& each) {
        return !order.info_type.empty() && repo::name_of(each.second.type) != order.info_type;
    });
    if (order.expire_set.empty()) {
        return true;
    }
    const auto latest = info.backups.empty() ? std::string() : info.backups.rbegin()->first.text();
    const auto wanted = order.expire_set == "latest" ? latest : order.expire_set;
    std::erase_if(info.backups, [&](const auto& each) { return each.first.text() != wanted; });
    return !info.backups.empty();
}

Result<BackupDetails> details_of(Repository& repository, const std::string& stanza,
                                 const repo::Label& label) {
    HD_TRY(auto manifest, repository.manifest(stanza, label));
    BackupDetails details;
    for (std::size_t i = 0; i < manifest.files.size(); ++i) {
        const auto file = manifest.files.at(i);
        if (file.pages == repo::PagesFound::bad) {
            const std::string_view name = file.name;
            details.bad_files.emplace_back(name.starts_with("pg_data/") ? name.substr(8) : name);
        }
    }
    details.header = std::move(manifest.header);
    return details;
}

Result<> fill(RepositoryReport& report, Repository& repository, const std::string& stanza,
              const Options& order) {
    HD_TRY(const auto archive, repository.files().stat(repo::archive_folder(stanza)));
    HD_TRY(const auto backup, repository.files().stat(repo::backup_folder(stanza)));
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
        HD_TRY(report.wal[id], wal_range(repository.files(), repo::archive_folder(stanza) + "/" +
                                                                 report.archive->archive_id(id)));
    }
    if (report.backup->backups.empty()) {
        report.code = no_backups;
        report.message = "no valid backups";
    }
    if (!choose(*report.backup, order)) {
        report = {.key = report.key,
                  .encrypted = report.encrypted,
                  .code = no_such_backup,
                  .message = "requested backup not found"};
    } else if (!order.expire_set.empty()) {
        HD_TRY(report.details,
               details_of(repository, stanza, report.backup->backups.begin()->first));
    }
    return {};
}

std::set<std::string> all_stanzas(std::vector<Repository>& repositories) {
    std::set<std::string> names;
    for (auto& repository : repositories) {
        for (const auto* folder : {"archive", "backup"}) {
            const auto listed = repository.files().list(folder, [&](const files::Entry& entry) {
                if (entry.kind == files::EntryKind::folder) {
                    names.emplace(last_part(entry.path));
                }
                return Result<>{};
            });
            if (!listed) {
                names.emplace(unlisted);
            }
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

/// Databases that users have, by name.
std::vector<repo::ManifestDatabase> databases_of(const BackupDetails& details) {
    auto databases = details.header.databases;
    std::erase_if(databases, [](const repo::ManifestDatabase& database) {
        return database.name == "template0" || database.name == "template1";
    });
    return databases;
}

struct LinkTarget {
    std::string name{}, destination{};
    std::optional<std::uint32_t> tablespace{};
};

/// Links below the data directory, or tablespaces.
std::vector<LinkTarget> targets_of(const BackupDetails& details, bool tablespaces) {
    std::vector<LinkTarget> all;
    for (const auto& target : details.header.targets) {
        if (!target.is_link || target.tablespace.has_value() != tablespaces) {
            continue;
        }
        const auto below = std::string_view(target.name).substr(target.name.find('/') + 1);
        all.push_back(
            {.name = tablespaces ? target.tablespace_name : std::string(below),
             .destination = target.file.empty() ? target.path : target.path + "/" + target.file,
             .tablespace = target.tablespace});
    }
    return all;
}

void add_details(json& backup, const BackupDetails& details) {
    json databases, links, tablespaces;
    for (const auto& database : databases_of(details)) {
        databases.push_back({{"name", database.name}, {"oid", database.oid}});
    }
    for (const auto& link : targets_of(details, false)) {
        links.push_back({{"destination", link.destination}, {"name", link.name}});
    }
    for (const auto& space : targets_of(details, true)) {
        tablespaces.push_back({{"destination", space.destination},
                               {"name", space.name},
                               {"oid", space.tablespace.value_or(0)}});
    }
    backup["database-ref"] = databases;
    backup["link"] = links;
    backup["tablespace"] = tablespaces;
    if (!details.bad_files.empty()) {
        backup["error-list"] = details.bad_files;
    }
}

json lock_json(const StanzaReport& stanza) {
    json lock{{"held", stanza.backup_runs}};
    if (stanza.hundredths) {
        lock["pct-cplt"] = *stanza.hundredths;
    }
    return {{"backup", lock}, {"restore", {{"held", false}}}};
}

json stanza_json(const StanzaReport& stanza) {
    auto archives = json::array(), backups = json::array(), databases = json::array(),
         repositories = json::array();
    for (const auto& repository : stanza.repositories) {
        repositories.push_back(
            {{"cipher", repository.encrypted ? "aes-256-cbc" : "none"},
             {"key", repository.key},
             {"status", {{"code", repository.code}, {"message", repository.message}}}});
        if (!repository.behind.empty()) {
            repositories.back()["behind"] = {{"count", repository.behind.size()},
                                             {"oldest", repository.behind.front()}};
        }
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
        auto one = backup_json(label, repository->backup->backups.at(label), repository->key);
        if (repository->details) {
            add_details(one, *repository->details);
        }
        backups.push_back(std::move(one));
    }
    const auto status = status_of(stanza);
    return {{"archive", archives},
            {"backup", backups},
            {"cipher", status.cipher},
            {"db", databases},
            {"name", stanza.name},
            {"repo", repositories},
            {"status",
             {{"code", status.code}, {"lock", lock_json(stanza)}, {"message", status.message}}}};
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

std::string details_text(const BackupDetails& details, const repo::BackupSummary& backup) {
    std::string databases;
    for (const auto& database : databases_of(details)) {
        databases +=
            fmt::format("{}{} ({})", databases.empty() ? "" : ", ", database.name, database.oid);
    }
    auto text =
        fmt::format("            database list: {}\n", databases.empty() ? "none" : databases);
    for (const auto tablespaces : {false, true}) {
        const auto all = targets_of(details, tablespaces);
        text += all.empty()
                    ? ""
                    : fmt::format("            {}:\n", tablespaces ? "tablespaces" : "symlinks");
        for (const auto& each : all) {
            const auto oid = each.tablespace ? fmt::format(" ({})", *each.tablespace) : "";
            text += fmt::format("                {}{} => {}\n", each.name, oid, each.destination);
        }
    }
    if (!details.bad_files.empty()) {
        text += fmt::format("            error list: {}\n", fmt::join(details.bad_files, ", "));
    }
    text += backup.annotations.empty() ? "" : "            annotation(s)\n";
    for (const auto& [name, value] : backup.annotations) {
        text += fmt::format("                {}: {}\n", name, value);
    }
    return text;
}

std::string backup_text(const repo::Label& label, const repo::BackupSummary& backup,
                        std::uint32_t key, const std::optional<BackupDetails>& details) {
    auto text = fmt::format("\n        {} backup: {}\n", repo::name_of(backup.type), label.text());
    const auto line = [&](std::string_view what, const std::string& value) {
        text += fmt::format("            {}: {}\n", what, value);
    };
    line("timestamp start/stop", time_text(backup.started) + " / " + time_text(backup.stopped));
    line("wal start/stop", backup.wal_start
                               ? *backup.wal_start + " / " + backup.wal_stop.value_or("")
                               : std::string("n/a"));
    if (details && backup.lsn_start) {
        line("lsn start/stop", *backup.lsn_start + " / " + backup.lsn_stop.value_or(""));
    }
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
    if (details) {
        return text + details_text(*details, backup);
    }
    return text +
           (backup.error.value_or(false) ? "            error(s) detected during backup\n" : "");
}

std::string status_text(const StanzaReport& stanza) {
    const auto status = status_of(stanza);
    const auto done = stanza.hundredths
                          ? fmt::format(" - {}.{:02}% complete", *stanza.hundredths / 100,
                                        *stanza.hundredths % 100)
                          : std::string();
    const auto runs =
        stanza.backup_runs ? fmt::format(" (backup/expire running{})", done) : std::string();
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
    for (const auto& repository : stanza.repositories) {
        if (!repository.behind.empty()) {
            text +=
                fmt::format("    repo{} is behind by {} WAL file(s), the oldest {}\n",
                            repository.key, repository.behind.size(), repository.behind.front());
        }
    }
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
                body += backup_text(label, backup, repository->key, repository->details);
            }
        }
        text += fmt::format("\n    db ({})\n{}", current ? "current" : "prior", body);
    }
    return text;
}

void note_holder(StanzaReport& stanza, const std::optional<files::Held>& held) {
    if (held) {
        stanza.backup_runs = true;
        stanza.hundredths = held->hundredths ? held->hundredths : stanza.hundredths;
    }
}

}  // namespace

Result<std::vector<StanzaReport>> info(Site& site) {
    if (site.stanza().empty() && !site.options.expire_set.empty()) {
        return fail_with(ExitCode::option_invalid, Errc::invalid,
                         "option 'set' not valid without option 'stanza'");
    }
    const auto names =
        site.stanza().empty() ? all_stanzas(site.repositories) : std::set{site.stanza()};
    std::vector<StanzaReport> all;
    for (const auto& name : names) {
        StanzaReport one{.name = name};
        std::vector<std::uint32_t> indexes;
        for (auto& repository : site.repositories) {
            indexes.push_back(repository.index());
            auto& each = one.repositories.emplace_back();
            each.key = repository.index();
            each.encrypted = repository.encrypted();
            if (const auto done = fill(each, repository, name, site.options); !done) {
                each = {.key = each.key,
                        .encrypted = each.encrypted,
                        .code = other,
                        .message = done.error().message};
            }
            // One that cannot be reached is told of above; one of an older version does not tell.
            note_holder(one, repository.files().held("backup", name).value_or(std::nullopt));
            const Behind behind(site.options.archive.spool_path, name, repository.index());
            each.behind = behind.files().value_or(std::vector<std::string>{});
        }
        note_holder(one,
                    held_here(lock_paths(site.options.lock_path, name, LockKind::backup, indexes)));
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
