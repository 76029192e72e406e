#include "cli/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <memory>
#include <string>

namespace howdah::cli {

namespace {

/// Python's words, which the field's log tools look for: INFO, WARNING, ERROR, CRITICAL, DEBUG.
class LevelWord final : public spdlog::custom_flag_formatter {
public:
    void format(const spdlog::details::log_msg& line, const std::tm& /*time*/,
                spdlog::memory_buf_t& to) override {
        auto word = std::string(spdlog::level::to_string_view(line.level).data());
        std::transform(word.begin(), word.end(), word.begin(),
                       [](unsigned char c) { return std::toupper(c); });
        to.append(word.data(), word.data() + word.size());
    }
    std::unique_ptr<custom_flag_formatter> clone() const override {
        return std::make_unique<LevelWord>();
    }
};

}  // namespace

void start_log(const std::string& name) {
    auto log = spdlog::stderr_logger_mt(name.empty() ? "howdah" : name);
    auto pattern = std::make_unique<spdlog::pattern_formatter>();
    pattern->add_flag<LevelWord>('*').set_pattern("%Y-%m-%d %H:%M:%S,%e %^%*%$: %v");
    log->set_formatter(std::move(pattern));
    const auto* level = std::getenv("HOWDAH_LOG_LEVEL");
    log->set_level(spdlog::level::from_str(level == nullptr ? "info" : level));
    log->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(log));
}

}  // namespace howdah::cli
