#include "repo/info/archive_info.h"

#include <fmt/format.h>

#include "repo/info/history_section.h"
#include "repo/info/info_document.h"
#include "repo/info/json.h"

namespace howdah::repo {
namespace {

constexpr std::string_view document = "archive.info";

Result<> read_cluster(JsonReader& json, ArchivedCluster& cluster) {
    return json.object([&](std::string_view key, JsonReader& value) -> Result<> {
        if (key == "db-id") {  // what it is called here is the system identifier
            HD_TRY(cluster.system_id, value.number());
        } else if (key == "db-version") {
            HD_TRY(const auto version, value.string());
            HD_TRY(cluster.version, valid_version(version));
        } else {
            return value.skip();
        }
        return {};
    });
}

}  // namespace

Result<ArchiveInfo> ArchiveInfo::parse(std::string_view text) {
    ArchiveInfo info;
    ArchivedCluster now;
    const auto on_entry = [&](const InfoEntry& entry) -> Result<> {
        JsonReader json(entry.json);
        if (entry.section == "cipher" && entry.key == "cipher-pass") {
            HD_TRY(info.cipher_pass, json.string());
        } else if (entry.section == "db" && entry.key == "db-id") {
            HD_TRY(info.current, history_id(json));
        } else if (entry.section == "db" && entry.key == "db-system-id") {
            HD_TRY(now.system_id, json.number());
        } else if (entry.section == "db" && entry.key == "db-version") {
            HD_TRY(now.version, json.string());
        } else if (entry.section == "db:history") {
            HD_TRY(const auto id, history_id(entry.key));
            auto& cluster = info.history[id];
            HD_TRY_VOID(read_cluster(json, cluster));
            return must_have_version(cluster.version);
        }
        return {};
    };
    HD_TRY(info.written_by, read_info(document, text, on_entry));
    const auto found = info.history.find(info.current);
    if (found == info.history.end() || found->second != now) {
        return current_not_in_history(document, info.current);
    }
    return info;
}

std::string ArchiveInfo::render() const {
    std::string text;
    InfoWriter out(into(text), written_by);
    JsonObject object;
    if (!cipher_pass.empty()) {
        out.section("cipher");
        HD_CHECK(out.entry("cipher-pass", json_string(cipher_pass)));
    }
    const auto& now = history.at(current);
    out.section("db");
    HD_CHECK(out.entry("db-id", fmt::format("{}", current)));
    HD_CHECK(out.entry("db-system-id", fmt::format("{}", now.system_id)));
    HD_CHECK(out.entry("db-version", json_string(now.version)));
    out.section("db:history");
    for (const auto& [id, cluster] : history) {
        object.add("db-id", cluster.system_id).add("db-version", cluster.version);
        HD_CHECK(out.entry(fmt::format("{}", id), object.finish()));
    }
    HD_CHECK(out.finish());
    return text;
}

std::string ArchiveInfo::archive_id(std::uint32_t id) const {
    return fmt::format("{}-{}", history.at(id).version, id);
}

std::vector<std::uint32_t> ArchiveInfo::ids_of(const ArchivedCluster& cluster) const {
    std::vector<std::uint32_t> ids;
    for (auto it = history.rbegin(); it != history.rend(); ++it) {
        if (it->second == cluster) {
            ids.push_back(it->first);
        }
    }
    return ids;
}

void ArchiveInfo::upgrade(const ArchivedCluster& cluster) {
    current = history.empty() ? 1 : history.rbegin()->first + 1;
    history[current] = cluster;
}

}  // namespace howdah::repo
