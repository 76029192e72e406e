#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace howdah::instance {

/// A standby marks what it receives as archived, since that is its primary's work. Before it is
/// promoted this takes the marks back of all segments and histories that it still has, so that its
/// archiver offers them: what the lost primary had not archived comes into the archive, and the
/// command finds the rest there. How many. Errors: Errc::io.
Result<std::size_t> offer_wal_again(const std::string& data_dir);

}  // namespace howdah::instance
