#include <fmt/format.h>

#include <array>

#include "repo/info/backup_info.h"
#include "repo/info/history_section.h"
#include "repo/info/info_document.h"
#include "repo/info/json.h"

namespace howdah::repo {
namespace {

using std::string_view;

constexpr string_view document = "backup.info";

template <class T>
struct Field {
    string_view key;
    Result<> (*read)(JsonReader&, T&);
};

template <class T, std::size_t N>
Result<> read_fields(JsonReader& json, T& into, const std::array<Field<T>, N>& fields) {
    return json.object([&](string_view key, JsonReader& value) -> Result<> {
        for (const auto& field : fields) {
            if (field.key == key) {
                return field.read(value, into);
            }
        }
        return value.skip();
    });
}

Result<> take(JsonReader& json, bool& value) {
    HD_TRY(value, json.boolean());
    return {};
}
Result<> take(JsonReader& json, std::string& value) {
    HD_TRY(value, json.string());
    return {};
}
Result<> take(JsonReader& json, std::uint64_t& value) {
    HD_TRY(value, json.number());
    return {};
}
Result<> take(JsonReader& json, std::int64_t& value) {
    HD_TRY(value, json.signed_number());
    return {};
}
Result<> take(JsonReader& json, std::uint32_t& value) {
    HD_TRY(const auto number, json.number());
    if (number > UINT32_MAX) {
        return fail(Errc::invalid, fmt::format("{} is too large", number));
    }
    value = static_cast<std::uint32_t>(number);
    return {};
}
Result<> take(JsonReader& json, Label& value) {
    HD_TRY(const auto text, json.string());
    HD_TRY(value, Label::parse(text));
    return {};
}
Result<> take(JsonReader& json, BackupType& value) {
    HD_TRY(const auto text, json.string());
    const auto type = backup_type(text);
    if (!type) {
        return fail(Errc::invalid, fmt::format("\"{}\" is no backup type", text));
    }
    value = *type;
    return {};
}
template <class T>
Result<> take(JsonReader& json, std::optional<T>& value) {
    if (json.null()) {
        value.reset();
        return {};
    }
    return take(json, value.emplace());
}
Result<> take(JsonReader& json, std::vector<Label>& value) {
    value.clear();
    return json.array(
        [&](JsonReader& element) -> Result<> { return take(element, value.emplace_back()); });
}
Result<> take(JsonReader& json, std::map<std::string, std::string>& value) {
    return json.object([&](string_view key, JsonReader& text) -> Result<> {
        return take(text, value[std::string(key)]);
    });
}

template <auto Member>
Result<> into_member(JsonReader& json, BackupSummary& backup) {
    return take(json, backup.*Member);
}
template <auto Member>
Result<> into_size(JsonReader& json, BackupSummary& backup) {
    return take(json, backup.sizes.*Member);
}
template <auto Member>
Result<> into_option(JsonReader& json, BackupSummary& backup) {
    return take(json, backup.options.*Member);
}

constexpr std::array summary_fields{
    Field<BackupSummary>{"backrest-version", into_member<&BackupSummary::written_by>},
    Field<BackupSummary>{"backup-annotation", into_member<&BackupSummary::annotations>},
    Field<BackupSummary>{"backup-archive-start", into_member<&BackupSummary::wal_start>},
    Field<BackupSummary>{"backup-archive-stop", into_member<&BackupSummary::wal_stop>},
    Field<BackupSummary>{"backup-error", into_member<&BackupSummary::error>},
    Field<BackupSummary>{"backup-info-repo-size", into_size<&BackupSizes::stored_total>},
    Field<BackupSummary>{"backup-info-repo-size-delta", into_size<&BackupSizes::stored_delta>},
    Field<BackupSummary>{"backup-info-repo-size-map", into_size<&BackupSizes::map_total>},
    Field<BackupSummary>{"backup-info-repo-size-map-delta", into_size<&BackupSizes::map_delta>},
    Field<BackupSummary>{"backup-info-size", into_size<&BackupSizes::total>},
    Field<BackupSummary>{"backup-info-size-delta", into_size<&BackupSizes::delta>},
    Field<BackupSummary>{"backup-lsn-start", into_member<&BackupSummary::lsn_start>},
    Field<BackupSummary>{"backup-lsn-stop", into_member<&BackupSummary::lsn_stop>},
    Field<BackupSummary>{"backup-prior", into_member<&BackupSummary::prior>},
    Field<BackupSummary>{"backup-reference", into_member<&BackupSummary::references>},
    Field<BackupSummary>{"backup-timestamp-start", into_member<&BackupSummary::started>},
    Field<BackupSummary>{"backup-timestamp-stop", into_member<&BackupSummary::stopped>},
    Field<BackupSummary>{"backup-type", into_member<&BackupSummary::type>},
    Field<BackupSummary>{"db-id", into_member<&BackupSummary::history_id>},
    Field<BackupSummary>{"option-archive-check", into_option<&BackupOptions::archive_check>},
    Field<BackupSummary>{"option-archive-copy", into_option<&BackupOptions::archive_copy>},
    Field<BackupSummary>{"option-backup-standby", into_option<&BackupOptions::backup_standby>},
    Field<BackupSummary>{"option-checksum-page", into_option<&BackupOptions::checksum_page>},
    Field<BackupSummary>{"option-compress", into_option<&BackupOptions::compress>},
    Field<BackupSummary>{"option-hardlink", into_option<&BackupOptions::hardlink>},
    Field<BackupSummary>{"option-online", into_option<&BackupOptions::online>},
};

Result<> read_cluster_field(string_view key, JsonReader& json, BackedUpCluster& cluster) {
    if (key == "db-catalog-version") {
        return take(json, cluster.catalog_version);
    }
    if (key == "db-control-version") {
        return take(json, cluster.control_version);
    }
    if (key == "db-system-id") {
        return take(json, cluster.system_id);
    }
    if (key == "db-version") {
        HD_TRY(const auto version, json.string());
        HD_TRY(cluster.version, valid_version(version));
        return {};
    }
    return json.skip();
}

Result<> read_backup(const InfoEntry& entry, BackupInfo& info) {
    HD_TRY(const auto label, Label::parse(entry.key));
    JsonReader json(entry.json);
    auto& backup = info.backups[label];
    HD_TRY_VOID(read_fields(json, backup, summary_fields));
    if (backup.type != label.type()) {
        return fail(Errc::invalid, fmt::format("backup-type is {}", name_of(backup.type)));
    }
    if (backup.history_id == 0) {
        return fail(Errc::invalid, "db-id is missing");
    }
    if (backup.prior && *backup.prior >= label) {
        return fail(Errc::invalid, "backup-prior is not older than the backup");
    }
    return {};
}

Result<> read_entry(const InfoEntry& entry, BackupInfo& info, BackedUpCluster& now) {
    JsonReader json(entry.json);
    if (entry.section == "backup:current") {
        return read_backup(entry, info);
    }
    if (entry.section == "cipher" && entry.key == "cipher-pass") {
        return take(json, info.cipher_pass);
    }
    if (entry.section == "db" && entry.key == "db-id") {
        HD_TRY(info.current, history_id(json));
        return {};
    }
    if (entry.section == "db") {
        return read_cluster_field(entry.key, json, now);
    }
    if (entry.section == "db:history") {
        HD_TRY(const auto id, history_id(entry.key));
        auto& cluster = info.history[id];
        HD_TRY_VOID(json.object([&](string_view key, JsonReader& value) {
            return read_cluster_field(key, value, cluster);
        }));
        return must_have_version(cluster.version);
    }
    return {};
}

void add_optional(JsonObject& object, string_view key, const std::optional<std::string>& text) {
    if (text) {
        object.add(key, *text);
    }
}

void add_sizes(JsonObject& object, const BackupSizes& sizes) {
    object.add("backup-info-repo-size", sizes.stored_total);
    object.add("backup-info-repo-size-delta", sizes.stored_delta);
    if (sizes.map_total) {
        object.add("backup-info-repo-size-map", *sizes.map_total);
        object.add("backup-info-repo-size-map-delta", sizes.map_delta.value_or(0));
    }
    object.add("backup-info-size", sizes.total).add("backup-info-size-delta", sizes.delta);
}

void add_references(JsonObject& object, const std::vector<Label>& references) {
    if (references.empty()) {
        return;
    }
    std::string list;
    for (const auto& label : references) {
        list += list.empty() ? '[' : ',';
        append_json_string(list, label.text());
    }
    object.add_raw("backup-reference", list + "]");
}

std::string nullable(const std::optional<std::string>& text) {
    return text ? json_string(*text) : "null";
}

void add_options(JsonObject& object, const BackupOptions& options) {
    object.add_bool("option-archive-check", options.archive_check);
    object.add_bool("option-archive-copy", options.archive_copy);
    object.add_bool("option-backup-standby", options.backup_standby);
    object.add_bool("option-checksum-page", options.checksum_page);
    object.add_bool("option-compress", options.compress);
    object.add_bool("option-hardlink", options.hardlink);
    object.add_bool("option-online", options.online);
}

std::string_view render_backup(JsonObject& object, const BackupSummary& backup) {
    object.add("backrest-format", repository_format).add("backrest-version", backup.written_by);
    if (!backup.annotations.empty()) {
        JsonObject annotations;
        for (const auto& [key, text] : backup.annotations) {
            annotations.add(key, text);
        }
        object.add_raw("backup-annotation", annotations.finish());
    }
    object.add_raw("backup-archive-start", nullable(backup.wal_start));
    object.add_raw("backup-archive-stop", nullable(backup.wal_stop));
    if (backup.error) {
        object.add_bool("backup-error", *backup.error);
    }
    add_sizes(object, backup.sizes);
    add_optional(object, "backup-lsn-start", backup.lsn_start);
    add_optional(object, "backup-lsn-stop", backup.lsn_stop);
    if (backup.prior) {
        object.add("backup-prior", backup.prior->text());
    }
    add_references(object, backup.references);
    object.add_signed("backup-timestamp-start", backup.started);
    object.add_signed("backup-timestamp-stop", backup.stopped);
    object.add("backup-type", name_of(backup.type));
    object.add("db-id", std::uint64_t{backup.history_id});
    add_options(object, backup.options);
    return object.finish();
}

void write_history(InfoWriter& out, const std::map<std::uint32_t, BackedUpCluster>& history) {
    JsonObject object;
    out.section("db:history");
    for (const auto& [id, cluster] : history) {
        object.add("db-catalog-version", std::uint64_t{cluster.catalog_version});
        object.add("db-control-version", std::uint64_t{cluster.control_version});
        object.add("db-system-id", cluster.system_id).add("db-version", cluster.version);
        HD_CHECK(out.entry(fmt::format("{}", id), object.finish()));
    }
}

}  // namespace

Result<BackupInfo> BackupInfo::parse(std::string_view text) {
    BackupInfo info;
    BackedUpCluster now;
    const auto on_entry = [&](const InfoEntry& entry) { return read_entry(entry, info, now); };
    HD_TRY(info.written_by, read_info(document, text, on_entry));
    const auto found = info.history.find(info.current);
    if (found == info.history.end() || found->second.system_id != now.system_id ||
        found->second.version != now.version) {
        return current_not_in_history(document, info.current);
    }
    return info;
}

std::string BackupInfo::render() const {
    std::string text;
    InfoWriter out(into(text), written_by);
    JsonObject object;
    out.section("backup:current");
    for (const auto& [label, backup] : backups) {
        HD_CHECK(out.entry(label.text(), render_backup(object, backup)));
    }
    if (!cipher_pass.empty()) {
        out.section("cipher");
        HD_CHECK(out.entry("cipher-pass", json_string(cipher_pass)));
    }
    const auto& now = cluster();
    out.section("db");
    HD_CHECK(out.entry("db-catalog-version", fmt::format("{}", now.catalog_version)));
    HD_CHECK(out.entry("db-control-version", fmt::format("{}", now.control_version)));
    HD_CHECK(out.entry("db-id", fmt::format("{}", current)));
    HD_CHECK(out.entry("db-system-id", fmt::format("{}", now.system_id)));
    HD_CHECK(out.entry("db-version", json_string(now.version)));
    write_history(out, history);
    HD_CHECK(out.finish());
    return text;
}

}  // namespace howdah::repo
