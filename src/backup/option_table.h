#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace howdah::backup {

enum class OptionKind : std::uint8_t {
    text,
    flag,
    number,
    size,
    time,
    list
};  ///< list: may be given often

/// An option of pgBackRest (pgbackrest-repository.md, section 16), by its name without a number.
struct OptionFacts {
    std::string_view name{};
    OptionKind kind = OptionKind::text;
    bool stanza_only = false;  ///< not in a global section
    bool secret = false;       ///< not on a command line, never shown
};

/// "repo2-path": `repo-path` of the second repository. Without a number it is that of the first.
struct OptionKey {
    const OptionFacts* facts = nullptr;
    std::uint32_t index = 1;

    /// As a canonical key: "repo2-path", "stanza".
    std::string text() const;
};

/// nullopt: no such option.
std::optional<OptionKey> find_option(std::string_view name);
/// The option that was probably meant; "" if none is near.
std::string nearest_option(std::string_view name);

}  // namespace howdah::backup
