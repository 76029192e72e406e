#include "cli/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>

namespace howdah::cli {

void start_log(const std::string& name) {
    auto log = spdlog::stderr_logger_mt(name.empty() ? "howdah" : name);
    log->set_pattern("%Y-%m-%d %H:%M:%S,%e %^%l%$: %v");
    const auto* level = std::getenv("HOWDAH_LOG_LEVEL");
    log->set_level(spdlog::level::from_str(level == nullptr ? "info" : level));
    log->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(log));
}

}  // namespace howdah::cli
