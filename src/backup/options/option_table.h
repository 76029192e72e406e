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

/// Commands, one bit each.
using CommandSet = std::uint32_t;

/// What a command makes of an option.
enum class OptionUse : std::uint8_t {
    foreign,   ///< of other commands: refused on the command line; else not looked at
    honoured,  ///< acted on
    idle,      ///< taken, and nothing can come of it: what it is about does not happen here
    missing,   ///< pgBackRest acts on it, Howdah does not yet: refused on the command line, warned
               ///< of when it stands elsewhere
};

/// An option of pgBackRest (pgbackrest-repository.md, section 16), by its name without a number.
struct OptionFacts {
    std::string_view name{};
    OptionKind kind = OptionKind::text;
    CommandSet commands = 0;           ///< whose option it is
    CommandSet missing = 0, idle = 0;  ///< parts of these
    bool stanza_only = false;          ///< not in a global section
    bool secret = false;               ///< not on a command line, never shown
    bool line_only = false;            ///< not in a file
};

std::vector<OptionFacts> all_options();
std::vector<std::string> all_commands();
bool is_command(std::string_view name);
OptionUse use_of(const OptionFacts& option, std::string_view command);

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
