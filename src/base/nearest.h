#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace howdah {

/// Insertions, deletions and replacements from one to the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The known word that was probably meant: at most a third of its letters wrong. nullopt: none is
/// near.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace howdah
