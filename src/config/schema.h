#pragma once

#include <optional>
#include <string>
#include <vector>

namespace howdah::config {

/// The keys of patroni.yml that Patroni or Howdah know (patroni-compatibility.md 1.2 to 1.10).
/// A path is dotted: "postgresql.authentication.superuser.username".

/// Known as it stands, or inside a section that takes any key (`parameters`, `tags`, ...).
bool is_known(const std::string& path);
/// What was probably meant by an unknown key, as a sentence: "did you mean ...?"
std::string guess(const std::string& path);
/// Known, but not acted on yet; it says since when or instead of what. nullopt: acted on.
std::optional<std::string> not_yet(const std::string& path);

}  // namespace howdah::config
