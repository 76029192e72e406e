#pragma once

#include <string_view>

#include "base/result.h"

namespace howdah::repo {

/// What a name in a manifest may stand for.
enum class NameOf : std::uint8_t { file, path, link, target };

/// A manifest comes from outside, and its names become paths of a restore. One that passes here
/// begins with pg_data or pg_tblspc/, and no part of it is empty, "." or ".."; it holds no NUL, and
/// 4096 bytes at most. Errors: Errc::invalid, with the name and what is wrong.
Result<> check_name(std::string_view name, NameOf what);

}  // namespace howdah::repo
