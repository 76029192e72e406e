#include "repo/manifest/manifest_sections.h"

#include <fmt/format.h>

#include <charconv>

#include "repo/info/history_section.h"
#include "repo/info/json.h"
#include "repo/manifest/manifest_names.h"

namespace howdah::repo {
namespace {

using std::string_view;

Result<std::uint32_t> small_number(JsonReader& json) {
    HD_TRY(const auto number, json.number());
    if (number > UINT32_MAX) {
        return fail(Errc::invalid, fmt::format("{} is too large", number));
    }
    return static_cast<std::uint32_t>(number);
}

/// "20261123-080247F,20261123-080247F_20261123-080255D".
Result<std::vector<Label>> label_list(string_view text) {
    std::vector<Label> labels;
    for (auto rest = text; !rest.empty();) {
        const auto part = rest.substr(0, rest.find(','));
        HD_TRY(auto label, Label::parse(part));
        labels.push_back(std::move(label));
        rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    }
    return labels;
}

Result<> read_times(string_view key, JsonReader& json, ManifestHeader& header) {
    if (key == "backup-timestamp-copy-start") {
        HD_TRY(header.copy_started, json.signed_number());
    } else if (key == "backup-timestamp-start") {
        HD_TRY(header.started, json.signed_number());
    } else if (key == "backup-timestamp-stop") {
        HD_TRY(header.stopped, json.signed_number());
    }
    return {};
}

Result<> read_wal(string_view key, JsonReader& json, ManifestHeader& header) {
    if (key == "backup-archive-start") {
        HD_TRY(header.wal_start, json.string());
    } else if (key == "backup-archive-stop") {
        HD_TRY(header.wal_stop, json.string());
    } else if (key == "backup-lsn-start") {
        HD_TRY(header.lsn_start, json.string());
    } else if (key == "backup-lsn-stop") {
        HD_TRY(header.lsn_stop, json.string());
    }
    return {};
}

Result<> read_labels(string_view key, JsonReader& json, ManifestHeader& header) {
    HD_TRY(const auto text, json.string());
    if (key == "backup-label") {
        HD_TRY(header.label, Label::parse(text));
    } else if (key == "backup-prior") {
        HD_TRY(header.prior, Label::parse(text));
    } else if (key == "backup-reference") {
        HD_TRY(header.references, label_list(text));
    } else {
        const auto type = backup_type(text);
        if (!type) {
            return fail(Errc::invalid, fmt::format("\"{}\" is no backup type", text));
        }
        header.type = *type;
    }
    return {};
}

Result<> read_backup(string_view key, JsonReader& json, ManifestHeader& header) {
    if (key == "backup-label" || key == "backup-prior" || key == "backup-reference" ||
        key == "backup-type") {
        return read_labels(key, json, header);
    }
    if (key == "backup-block-incr") {
        HD_TRY(header.block_incremental, json.boolean());
    } else if (key == "backup-bundle") {
        HD_TRY(header.bundle, json.boolean());
    } else if (key == "backup-bundle-raw") {
        HD_TRY(header.bundle_raw, json.boolean());
    } else if (key.starts_with("backup-timestamp-")) {
        return read_times(key, json, header);
    } else {
        return read_wal(key, json, header);
    }
    return {};
}

Result<> read_cluster(string_view key, JsonReader& json, ManifestHeader& header) {
    auto& cluster = header.cluster;
    if (key == "db-catalog-version") {
        HD_TRY(cluster.catalog_version, small_number(json));
    } else if (key == "db-control-version") {
        HD_TRY(cluster.control_version, small_number(json));
    } else if (key == "db-id") {
        HD_TRY(header.history_id, small_number(json));
    } else if (key == "db-system-id") {
        HD_TRY(cluster.system_id, json.number());
    } else if (key == "db-version") {
        HD_TRY(const auto text, json.string());
        HD_TRY(cluster.version, valid_version(text));
    }
    return {};
}

Result<> read_compression(string_view key, JsonReader& json, ManifestOptions& options) {
    if (key == "option-compress") {
        HD_TRY(const bool on, json.boolean());
        // Old manifests say no more; "option-compress-type" comes after it.
        options.compress = on ? CompressType::gz : CompressType::none;
    } else if (key == "option-compress-level") {
        HD_TRY(options.compress_level, json.signed_number());
    } else if (key == "option-compress-level-network") {
        HD_TRY(options.compress_level_network, json.signed_number());
    } else if (key == "option-compress-type") {
        HD_TRY(const auto text, json.string());
        const auto type = compress_type(text);
        if (!type) {
            return fail(Errc::invalid, fmt::format("\"{}\" is no compression", text));
        }
        options.compress = *type;
    }
    return {};
}

Result<> read_option(string_view key, JsonReader& json, ManifestOptions& options) {
    if (key.starts_with("option-compress")) {
        return read_compression(key, json, options);
    }
    if (key == "option-archive-check") {
        HD_TRY(options.archive_check, json.boolean());
    } else if (key == "option-archive-copy") {
        HD_TRY(options.archive_copy, json.boolean());
    } else if (key == "option-backup-standby") {
        HD_TRY(options.backup_standby, json.boolean());
    } else if (key == "option-buffer-size") {
        HD_TRY(options.buffer_size, json.number());
    } else if (key == "option-checksum-page") {
        HD_TRY(options.checksum_page, json.boolean());
    } else if (key == "option-delta") {
        HD_TRY(options.delta, json.boolean());
    } else if (key == "option-hardlink") {
        HD_TRY(options.hardlink, json.boolean());
    } else if (key == "option-online") {
        HD_TRY(options.online, json.boolean());
    } else if (key == "option-process-max") {
        HD_TRY(options.process_max, json.number());
    }
    return {};
}

Result<> read_target_field(string_view key, JsonReader& json, ManifestTarget& target) {
    if (key == "file") {
        HD_TRY(target.file, json.string());
    } else if (key == "path") {
        HD_TRY(target.path, json.string());
    } else if (key == "tablespace-id") {
        HD_TRY(const auto text, json.string());
        std::uint32_t oid = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), oid);
        if (error != std::errc() || end != text.data() + text.size()) {
            return fail(Errc::invalid, fmt::format("\"{}\" is no OID", text));
        }
        target.tablespace = oid;
    } else if (key == "tablespace-name") {
        HD_TRY(target.tablespace_name, json.string());
    } else if (key == "type") {
        HD_TRY(const auto text, json.string());
        if (text != "path" && text != "link") {
            return fail(Errc::invalid, fmt::format("\"{}\" is neither path nor link", text));
        }
        target.is_link = text == "link";
    } else {
        return json.skip();
    }
    return {};
}

/// The path becomes the place of a restore, the file a name in it.
Result<> check_target(const ManifestTarget& target) {
    const auto has_nul = [](string_view text) { return text.find('\0') != string_view::npos; };
    if (target.path.empty() || has_nul(target.path)) {
        return fail(Errc::invalid, "path is missing or no path");
    }
    if (target.file.find('/') != std::string::npos || target.file == "." || target.file == ".." ||
        has_nul(target.file)) {
        return fail(Errc::invalid, fmt::format("file \"{}\" is no plain name", target.file));
    }
    const bool in_data = target.name == "pg_data" || target.name.starts_with("pg_data/");
    if (target.is_link == (target.name == "pg_data")) {
        return fail(Errc::invalid, "only pg_data is a path, and all others are links");
    }
    if (in_data == target.tablespace.has_value() ||
        (target.tablespace && target.name != fmt::format("pg_tblspc/{}", *target.tablespace))) {
        return fail(Errc::invalid, "tablespace-id does not fit the name");
    }
    return {};
}

Result<> read_target(const InfoEntry& entry, ManifestHeader& header) {
    ManifestTarget target{.name = std::string(entry.key)};
    HD_TRY_VOID(check_name(entry.key, NameOf::target));
    JsonReader json(entry.json);
    HD_TRY_VOID(json.object(
        [&](string_view key, JsonReader& value) { return read_target_field(key, value, target); }));
    HD_TRY_VOID(check_target(target));
    header.targets.push_back(std::move(target));
    return {};
}

Result<> read_database(const InfoEntry& entry, ManifestHeader& header) {
    ManifestDatabase database{.name = std::string(entry.key)};
    JsonReader json(entry.json);
    HD_TRY_VOID(json.object([&](string_view key, JsonReader& value) -> Result<> {
        if (key == "db-id") {
            HD_TRY(database.oid, small_number(value));
        } else if (key == "db-last-system-id") {
            HD_TRY(database.last_system_oid, small_number(value));
        } else {
            return value.skip();
        }
        return {};
    }));
    header.databases.push_back(std::move(database));
    return {};
}

Result<> read_link(const InfoEntry& entry, ManifestHeader& header) {
    ManifestLink link{.name = std::string(entry.key)};
    HD_TRY_VOID(check_name(entry.key, NameOf::link));
    JsonReader json(entry.json);
    HD_TRY_VOID(json.object([&](string_view key, JsonReader& value) -> Result<> {
        if (key == "destination") {
            HD_TRY(link.destination, value.string());
        } else if (key == "user") {
            HD_TRY(link.user, read_owner(value));
        } else if (key == "group") {
            HD_TRY(link.group, read_owner(value));
        } else {
            return value.skip();
        }
        return {};
    }));
    if (link.destination.empty() || link.destination.find('\0') != std::string::npos) {
        return fail(Errc::invalid, "destination is missing or no path");
    }
    header.links.push_back(std::move(link));
    return {};
}

Result<> read_path(const InfoEntry& entry, ManifestHeader& header) {
    ManifestPath path{.name = std::string(entry.key)};
    HD_TRY_VOID(check_name(entry.key, NameOf::path));
    JsonReader json(entry.json);
    HD_TRY_VOID(json.object([&](string_view key, JsonReader& value) -> Result<> {
        if (key == "mode") {
            HD_TRY(const auto text, value.string());
            HD_TRY(path.mode, parse_mode(text));
        } else if (key == "user") {
            HD_TRY(path.user, read_owner(value));
        } else if (key == "group") {
            HD_TRY(path.group, read_owner(value));
        } else {
            return value.skip();
        }
        return {};
    }));
    header.paths.push_back(std::move(path));
    return {};
}

/// The three default sections carry the same owners; the modes differ.
Result<> read_default(string_view key, JsonReader& json, ManifestDefaults& defaults,
                      std::uint16_t& mode) {
    if (key == "user") {
        HD_TRY(defaults.user, read_owner(json));
    } else if (key == "group") {
        HD_TRY(defaults.group, read_owner(json));
    } else if (key == "mode") {
        HD_TRY(const auto text, json.string());
        HD_TRY(mode, parse_mode(text));
    }
    return {};
}

Result<> read_annotations(JsonReader& json, ManifestHeader& header) {
    return json.object([&](string_view key, JsonReader& value) -> Result<> {
        auto& text = header.annotations[std::string(key)];
        HD_TRY(text, value.string());
        return {};
    });
}

struct Section {
    string_view name;
    Result<> (*read)(const InfoEntry& entry, JsonReader& json, ManifestHeader& header);
};

constexpr std::array sections{
    Section{"backup", [](auto& entry, auto& json,
                         auto& header) { return read_backup(entry.key, json, header); }},
    Section{"backup:db", [](auto& entry, auto& json,
                            auto& header) { return read_cluster(entry.key, json, header); }},
    Section{"backup:option",
            [](auto& entry, auto& json, auto& header) {
                return read_option(entry.key, json, header.options);
            }},
    Section{"backup:target",
            [](auto& entry, auto&, auto& header) { return read_target(entry, header); }},
    Section{"db", [](auto& entry, auto&, auto& header) { return read_database(entry, header); }},
    Section{"target:link",
            [](auto& entry, auto&, auto& header) { return read_link(entry, header); }},
    Section{"target:path",
            [](auto& entry, auto&, auto& header) { return read_path(entry, header); }},
    Section{"target:file:default",
            [](auto& entry, auto& json, auto& header) {
                return read_default(entry.key, json, header.defaults, header.defaults.file_mode);
            }},
    Section{"target:path:default",
            [](auto& entry, auto& json, auto& header) {
                return read_default(entry.key, json, header.defaults, header.defaults.path_mode);
            }},
    Section{"cipher",
            [](auto& entry, auto& json, auto& header) -> Result<> {
                if (entry.key == "cipher-pass") {
                    HD_TRY(header.cipher_pass, json.string());
                }
                return {};
            }},
    Section{"metadata",
            [](auto& entry, auto& json, auto& header) -> Result<> {
                return entry.key == "annotation" ? read_annotations(json, header) : Result<>();
            }},
};

}  // namespace

Result<> read_header_entry(const InfoEntry& entry, ManifestHeader& header) {
    JsonReader json(entry.json);
    for (const auto& section : sections) {
        if (section.name == entry.section) {
            return section.read(entry, json, header);
        }
    }
    return {};
}

}  // namespace howdah::repo
