#pragma once

#include <string>

namespace howdah::cli {

/// Logs go to stderr, one line each in Patroni's layout: "2026-11-23 08:09:39,055 INFO: text".
/// HOWDAH_LOG_LEVEL: debug, info (default), warn, error.
void start_log(const std::string& name);

}  // namespace howdah::cli
