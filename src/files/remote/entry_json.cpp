#include "files/remote/entry_json.h"

#include <array>

namespace howdah::files {
namespace {

using Json = nlohmann::json;

constexpr std::array kinds{std::pair(EntryKind::file, 'f'), std::pair(EntryKind::folder, 'd'),
                           std::pair(EntryKind::link, 'l'), std::pair(EntryKind::other, 'o')};

}  // namespace

std::string encode_name(std::string_view bytes) {
    std::string text;
    for (const char each : bytes) {
        const auto byte = static_cast<unsigned char>(each);
        if (byte < 0x80) {
            text += each;
        } else {
            text += static_cast<char>(0xc0 | byte >> 6);
            text += static_cast<char>(0x80 | (byte & 0x3f));
        }
    }
    return text;
}

std::string decode_name(const std::string& text) {
    std::string bytes;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte < 0x80 || i + 1 == text.size()) {
            bytes += text[i];
        } else {
            bytes += static_cast<char>(byte << 6 | (text[++i] & 0x3f));
        }
    }
    return bytes;
}

Json to_json(const Entry& entry) {
    char kind = 'o';
    for (const auto& [each, letter] : kinds) {
        kind = each == entry.kind ? letter : kind;
    }
    Json json{{"path", encode_name(entry.path)},
              {"kind", std::string(1, kind)},
              {"size", entry.size},
              {"time", entry.modified_unix_s}};
    if (!entry.target.empty()) {
        json["target"] = encode_name(entry.target);
    }
    return json;
}

Result<Entry> to_entry(const Json& json) {
    const auto has = [&](const char* key) { return json.contains(key); };
    if (!json.is_object() || !has("path") || !json["path"].is_string() || !has("kind") ||
        !json["kind"].is_string() || !has("size") || !json["size"].is_number_unsigned() ||
        !has("time") || !json["time"].is_number_integer()) {
        return fail(Errc::corrupt, "what was sent is no entry of a folder");
    }
    Entry entry{.path = decode_name(json["path"]),
                .kind = EntryKind::other,
                .size = json["size"],
                .modified_unix_s = json["time"]};
    for (const auto& [each, letter] : kinds) {
        entry.kind = json["kind"] == std::string(1, letter) ? each : entry.kind;
    }
    if (has("target") && json["target"].is_string()) {
        entry.target = decode_name(json["target"]);
    }
    return entry;
}

}  // namespace howdah::files
