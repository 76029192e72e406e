#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace howdah::ha {

/// A folder of the repository may have this name.
bool is_stanza_name(std::string_view text);

/// The stanza that a command of pgBackRest's or Howdah's names (--stanza=NAME, --stanza NAME);
/// empty: none.
std::string stanza_of(const std::string& command);

/// An archive_command or restore_command that leads to one place, which can be looked at.
struct ArchiveCall {
    std::string program{};               ///< howdah or pgbackrest, as the command names it
    std::string stanza{};                ///< empty: the command names none
    std::vector<std::string> options{};  ///< those that say where stanza and repository are
    std::string text{};                  ///< the command, its words one blank apart
};

/// `verb`: archive-push or archive-get. A shell runs the command, so it may run several programs,
/// or say in the environment where the repository is: nullopt then.
std::optional<ArchiveCall> archive_call(const std::string& command, std::string_view verb);

}  // namespace howdah::ha
