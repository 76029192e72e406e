#include "repo/plan/left_out.h"

#include <algorithm>
#include <array>

namespace howdah::repo {
namespace {

using std::string_view;

constexpr std::array<string_view, 7> emptied{
    "pg_data/pg_dynshmem",  "pg_data/pg_notify",   "pg_data/pg_replslot", "pg_data/pg_serial",
    "pg_data/pg_snapshots", "pg_data/pg_stat_tmp", "pg_data/pg_subtrans"};

constexpr std::array<string_view, 5> never{"pg_data/backup_label", "pg_data/backup_label.old",
                                           "pg_data/postmaster.pid", "pg_data/postmaster.opts",
                                           "pg_data/postgresql.auto.conf.tmp"};

std::size_t digits(string_view text) {
    const auto* const end =
        std::ranges::find_if_not(text, [](char c) { return c >= '0' && c <= '9'; });
    return static_cast<std::size_t>(end - text.begin());
}

bool is_number(string_view text) {
    return !text.empty() && digits(text) == text.size();
}

string_view base_of(string_view name) {
    return name.substr(name.rfind('/') + 1);
}

string_view folder_of(string_view name) {
    return name.substr(0, std::min(name.rfind('/'), name.size()));
}

/// Folder of a database, or of the shared relations.
bool is_database_folder(string_view folder) {
    if (folder == "pg_data/global") {
        return true;
    }
    if (folder_of(folder) == "pg_data/base") {
        return is_number(base_of(folder));
    }
    // pg_tblspc/<oid>/PG_15_202209061/<oid>
    const auto version = folder_of(folder);
    const auto tablespace = folder_of(version);
    return is_number(base_of(folder)) && base_of(version).starts_with("PG_") &&
           folder_of(tablespace) == "pg_tblspc" && is_number(base_of(tablespace));
}

/// "t5_16384", "t5_16384_vm.1"
bool is_temporary_relation(string_view file) {
    if (!file.starts_with('t')) {
        return false;
    }
    file.remove_prefix(1);
    const auto backend = digits(file);
    return backend > 0 && file.substr(backend).starts_with('_') &&
           digits(file.substr(backend + 1)) > 0;
}

bool is_init_cache(string_view file) {
    constexpr string_view cache = "pg_internal.init";
    return file == cache || (file.starts_with(cache) && file.substr(cache.size()).starts_with('.'));
}

bool is_left_out_of_root(string_view name, int major) {
    if (std::ranges::find(never, name) != never.end()) {
        return true;
    }
    if (major >= 13 &&
        (name == "pg_data/backup_manifest" || name == "pg_data/backup_manifest.tmp")) {
        return true;
    }
    return major >= 12 ? name == "pg_data/recovery.signal" || name == "pg_data/standby.signal"
                       : name == "pg_data/recovery.conf" || name == "pg_data/recovery.done";
}

}  // namespace

Take take(const Found& found, int major, bool online) {
    const auto file = base_of(found.name);
    const auto folder = folder_of(found.name);
    if (file.starts_with("pgsql_tmp")) {
        return Take::nothing;
    }
    if (is_database_folder(folder) && (is_init_cache(file) || is_temporary_relation(file))) {
        return Take::nothing;
    }
    if (found.is_folder) {
        const bool is_emptied = std::ranges::find(emptied, found.name) != emptied.end();
        const bool is_status = online && found.name == "pg_data/pg_wal/archive_status";
        return is_emptied || is_status ? Take::folder_only : Take::all;
    }
    if ((online && folder == "pg_data/pg_wal") || is_left_out_of_root(found.name, major)) {
        return Take::nothing;
    }
    return Take::all;
}

string_view relation_of(string_view file) {
    const auto number = digits(file);
    if (number == 0) {
        return {};
    }
    auto rest = file.substr(number);
    for (const string_view fork : {"_fsm", "_vm", "_init"}) {
        if (rest.starts_with(fork)) {
            rest.remove_prefix(fork.size());
            break;
        }
    }
    const bool whole = rest.empty() || (rest.starts_with('.') && is_number(rest.substr(1)));
    return whole ? file.substr(0, number) : string_view();
}

string_view unlogged_relation(string_view file) {
    const auto relation = relation_of(file);
    return !relation.empty() && file.substr(relation.size()).starts_with("_init") ? relation
                                                                                  : string_view();
}

bool has_pages(string_view name) {
    const auto file = base_of(name);
    return is_database_folder(folder_of(name)) && file != "pg_filenode.map" &&
           file != "PG_VERSION" && name != "pg_data/global/pg_control";
}

}  // namespace howdah::repo
