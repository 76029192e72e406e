#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace howdah::config {

/// The one table of the keys that Patroni or Howdah know: what patroni.yml and `/config` may hold
/// (patroni-compatibility.md 1.2 to 1.12), of which type, and whether it is acted on. Everything
/// that reads, checks, explains or documents configuration asks here.

/// Where a key may stand.
enum class Where : std::uint8_t {
    file,    ///< a member's own file (and its environment)
    config,  ///< `/config`; in a file below bootstrap.dcs, from where it gets there once
    both,    ///< the file's own beats `/config`
};

enum class Kind : std::uint8_t {
    count,      ///< a whole number
    bytes,      ///< a number, or a size like 16MB
    seconds,    ///< a number, or a time like 30min
    flag,       ///< true or false
    sync_mode,  ///< off, on, quorum
    text,
    list,
    section,  ///< a mapping of keys of this table
    open,     ///< a mapping of any keys
    any,
};

enum class Effect : std::uint8_t {
    full,
    none,     ///< read past; `remark` says what happens instead
    refused,  ///< reading past it would do harm: `remark` says which, and what to do
};

struct Key {
    std::string_view path;  ///< dotted, without bootstrap.dcs
    Where where = Where::file;
    Kind kind = Kind::text;
    Effect effect = Effect::full;
    std::string_view remark{};
    std::int64_t least = 0;        ///< of numbers
    std::string_view otherwise{};  ///< the default as text; empty: none
};

/// In the order of the sections.
std::span<const Key> all_keys();

/// Where a document was written.
enum class Document : std::uint8_t { file, config };

/// The key at `path` of such a document, or the open mapping that it is in; nullptr: unknown there.
/// In a file bootstrap.dcs holds the keys of `/config`.
const Key* find_key(Document document, const std::string& path);
/// As documents name them: "file", "/config", "both"; "whole number, 1 or more".
std::string_view where_text(Where where);
std::string type_text(const Key& key);
/// Whether the value says anything: not null, false or empty, and not the default.
bool is_set(const Key& key, const nlohmann::ordered_json& value);
/// "has no effect: standbys connect by TCP". Call it with a key whose effect is not full.
std::string not_acted_on(const Key& key);
/// What was probably meant by an unknown key, as a sentence: "did you mean ...?"
std::string guess(Document document, const std::string& path);

}  // namespace howdah::config
