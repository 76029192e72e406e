#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace howdah::ha {

/// What a data directory knows of the archives that it was restored from.
struct Origin {
    /// Stanzas of its restore_command, also of the cluster that this one's origin came from.
    std::vector<std::string> stanzas{};
    bool operator==(const Origin&) const = default;
};
/// One stanza a line; a line that is no name is left out.
Origin parse_origin(const std::string& text);
std::string render(const Origin& origin);

/// Whether a cluster that was made from a backup may archive (I9). The cluster it came from may
/// live, has the same system identifier, and pushes WAL of the same names: nothing goes into an
/// archive that is not proven to be this cluster's own.
struct ArchiveGate {
    bool open = true;
    std::string stanza{};  ///< shut, and opens when this stanza is proven; empty: nothing to prove
    std::vector<std::string> options{};  ///< of archive_command, for `info` of that stanza
    std::string place{};                 ///< the command, its words one blank apart
    std::string why{};                   ///< shut: why, and what to do
};
/// `command`, `library`: archive_command and archive_library of the configuration, not of the
/// restored files. `into`: the stanza that the scope's configuration allows (howdah.archive_into),
/// "any" for a command that names none. `proven`: the commands that were proven
/// (howdah.archive_proven). While there is one of that stanza, another command for the same stanza,
/// which may lead to another repository, has to be proven too; without any, `into` is an operator's
/// word.
ArchiveGate archive_gate(const Origin& origin, const std::string& command,
                         const std::string& library, const std::string& into,
                         const std::vector<std::string>& proven = {});

/// Why a stanza is not proven to be this cluster's own by what `info --output=json` says of it: it
/// has to be made for this cluster and to hold no WAL, so nobody else archives there. Empty: it is.
std::string objection_to_archive(const std::string& info_json, const std::string& stanza,
                                 const std::string& system_id);

}  // namespace howdah::ha
