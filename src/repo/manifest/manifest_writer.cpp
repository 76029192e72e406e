#include "repo/manifest/manifest_writer.h"

#include <fmt/format.h>

#include <utility>

#include "repo/info/history_section.h"

namespace howdah::repo {
namespace {

std::string list_of(const std::vector<Label>& labels) {
    std::string text;
    for (const auto& label : labels) {
        text += text.empty() ? "" : ",";
        text += label.text();
    }
    return text;
}

template <class Entry>
void add_owners(JsonObject& object, const Entry& entry) {
    if (entry.user) {
        add_owner(object, "user", *entry.user);
    }
}

}  // namespace

ManifestWriter::ManifestWriter(InfoWriter::Sink sink, const ManifestHeader& header)
    : out_(std::move(sink), header.written_by), header_(header) {}

Result<> ManifestWriter::put(std::string_view key, std::string_view text) {
    return out_.entry(key, json_string(text));
}
Result<> ManifestWriter::put(std::string_view key, bool value) {
    return out_.entry(key, value ? "true" : "false");
}
Result<> ManifestWriter::put(std::string_view key, std::uint64_t number) {
    return out_.entry(key, fmt::format("{}", number));
}
Result<> ManifestWriter::put(std::string_view key, std::int64_t number) {
    return out_.entry(key, fmt::format("{}", number));
}

Result<> ManifestWriter::begin() {
    HD_TRY_VOID(backup());
    HD_TRY_VOID(cluster());
    HD_TRY_VOID(options());
    HD_TRY_VOID(targets());
    if (!header_.cipher_pass.empty()) {
        out_.section("cipher");
        HD_TRY_VOID(put("cipher-pass", header_.cipher_pass));
    }
    HD_TRY_VOID(databases());
    if (!header_.annotations.empty()) {
        out_.section("metadata");
        for (const auto& [key, text] : header_.annotations) {
            object_.add(key, text);
        }
        HD_TRY_VOID(out_.entry("annotation", object_.finish()));
    }
    out_.section("target:file");
    return {};
}

Result<> ManifestWriter::backup() {
    const auto& h = header_;
    const auto put_true = [&](std::string_view key, bool value) {
        return value ? put(key, true) : Result<>();
    };
    out_.section("backup");
    HD_TRY_VOID(put("backup-archive-start", h.wal_start));
    HD_TRY_VOID(put("backup-archive-stop", h.wal_stop));
    HD_TRY_VOID(put_true("backup-block-incr", h.block_incremental));
    HD_TRY_VOID(put_true("backup-bundle", h.bundle));
    HD_TRY_VOID(put_true("backup-bundle-raw", h.bundle_raw));
    HD_TRY_VOID(put("backup-label", h.label.text()));
    HD_TRY_VOID(put("backup-lsn-start", h.lsn_start));
    HD_TRY_VOID(put("backup-lsn-stop", h.lsn_stop));
    if (h.prior) {
        HD_TRY_VOID(put("backup-prior", h.prior->text()));
    }
    if (!h.references.empty()) {
        HD_TRY_VOID(put("backup-reference", list_of(h.references)));
    }
    HD_TRY_VOID(put("backup-timestamp-copy-start", h.copy_started));
    HD_TRY_VOID(put("backup-timestamp-start", h.started));
    HD_TRY_VOID(put("backup-timestamp-stop", h.stopped));
    return put("backup-type", name_of(h.type));
}

Result<> ManifestWriter::cluster() {
    const auto& cluster = header_.cluster;
    out_.section("backup:db");
    HD_TRY_VOID(put("db-catalog-version", std::uint64_t{cluster.catalog_version}));
    HD_TRY_VOID(put("db-control-version", std::uint64_t{cluster.control_version}));
    HD_TRY_VOID(put("db-id", std::uint64_t{header_.history_id}));
    HD_TRY_VOID(put("db-system-id", cluster.system_id));
    return put("db-version", cluster.version);
}

Result<> ManifestWriter::options() {
    const auto& o = header_.options;
    out_.section("backup:option");
    HD_TRY_VOID(put("option-archive-check", o.archive_check));
    HD_TRY_VOID(put("option-archive-copy", o.archive_copy));
    HD_TRY_VOID(put("option-backup-standby", o.backup_standby));
    HD_TRY_VOID(put("option-buffer-size", o.buffer_size));
    HD_TRY_VOID(put("option-checksum-page", o.checksum_page));
    HD_TRY_VOID(put("option-compress", o.compress != CompressType::none));
    HD_TRY_VOID(put("option-compress-level", o.compress_level));
    HD_TRY_VOID(put("option-compress-level-network", o.compress_level_network));
    HD_TRY_VOID(put("option-compress-type", name_of(o.compress)));
    HD_TRY_VOID(put("option-delta", o.delta));
    HD_TRY_VOID(put("option-hardlink", o.hardlink));
    HD_TRY_VOID(put("option-online", o.online));
    return put("option-process-max", o.process_max);
}

Result<> ManifestWriter::targets() {
    out_.section("backup:target");
    for (const auto& target : header_.targets) {
        if (!target.file.empty()) {
            object_.add("file", target.file);
        }
        object_.add("path", target.path);
        if (target.tablespace) {
            object_.add("tablespace-id", fmt::format("{}", *target.tablespace));
            object_.add("tablespace-name", target.tablespace_name);
        }
        object_.add("type", target.is_link ? "link" : "path");
        HD_TRY_VOID(out_.entry(target.name, object_.finish()));
    }
    return {};
}

Result<> ManifestWriter::databases() {
    out_.section("db");
    for (const auto& database : header_.databases) {
        object_.add("db-id", std::uint64_t{database.oid});
        object_.add("db-last-system-id", std::uint64_t{database.last_system_oid});
        HD_TRY_VOID(out_.entry(database.name, object_.finish()));
    }
    return {};
}

Result<> ManifestWriter::file(const ManifestFile& file) {
    return out_.entry(file.name, render_file(object_, file));
}

Result<> ManifestWriter::links() {
    out_.section("target:link");
    for (const auto& link : header_.links) {
        object_.add("destination", link.destination);
        if (link.group) {
            add_owner(object_, "group", *link.group);
        }
        add_owners(object_, link);
        HD_TRY_VOID(out_.entry(link.name, object_.finish()));
    }
    return {};
}

Result<> ManifestWriter::paths() {
    out_.section("target:path");
    for (const auto& path : header_.paths) {
        if (path.group) {
            add_owner(object_, "group", *path.group);
        }
        if (path.mode) {
            object_.add("mode", mode_text(*path.mode));
        }
        add_owners(object_, path);
        HD_TRY_VOID(out_.entry(path.name, object_.finish()));
    }
    return {};
}

Result<> ManifestWriter::defaults(std::string_view section, const std::uint16_t* mode) {
    const auto put_owner = [&](std::string_view key, const std::string& name) {
        return name.empty() ? put(key, false) : put(key, name);
    };
    out_.section(section);
    HD_TRY_VOID(put_owner("group", header_.defaults.group));
    if (mode != nullptr) {
        HD_TRY_VOID(put("mode", mode_text(*mode)));
    }
    return put_owner("user", header_.defaults.user);
}

Result<> ManifestWriter::finish() {
    HD_TRY_VOID(defaults("target:file:default", &header_.defaults.file_mode));
    if (!header_.links.empty()) {
        HD_TRY_VOID(links());
        HD_TRY_VOID(defaults("target:link:default", nullptr));
    }
    HD_TRY_VOID(paths());
    HD_TRY_VOID(defaults("target:path:default", &header_.defaults.path_mode));
    return out_.finish();
}

Result<> write_manifest(const Manifest& manifest, InfoWriter::Sink sink) {
    HD_CHECK(manifest.files.sorted());
    ManifestWriter writer(std::move(sink), manifest.header);
    HD_TRY_VOID(writer.begin());
    for (std::size_t i = 0; i < manifest.files.size(); ++i) {
        HD_TRY_VOID(writer.file(manifest.files.at(i)));
    }
    return writer.finish();
}

Result<std::string> render_manifest(const Manifest& manifest) {
    std::string text;
    HD_TRY_VOID(write_manifest(manifest, into(text)));
    return text;
}

}  // namespace howdah::repo
