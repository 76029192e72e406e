#pragma once

#include "base/result.h"
#include "cli/command.h"

namespace howdah::cli {

/// `howdah cert`: writes DIR/ca.{crt,key} and DIR/NAME.{crt,key}, keys for their owner alone, and
/// tells what to do with them. Errors: Errc::conflict for a file that is there already; then
/// nothing was written.
Result<> run(const CertCommand& command);

}  // namespace howdah::cli
