#include "cli/backup_console.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <map>

namespace howdah::cli {
namespace {

int level_of(const std::string& word) {
    static const std::map<std::string, int> levels{{"off", -1}, {"error", 0},  {"warn", 1},
                                                   {"info", 2}, {"detail", 3}, {"debug", 4},
                                                   {"trace", 5}};
    return levels.at(word);
}

}  // namespace

BackupConsole::BackupConsole(const backup::Options& options)
    : level_(level_of(options.log_level_console)), timestamp_(options.log_timestamp) {}

void BackupConsole::error(int code, std::string_view text) const {
    line(0, "ERROR", fmt::format("[{:03}]: {}", code, text));
}

void BackupConsole::line(int level, std::string_view word, std::string_view text) const {
    if (level > level_) {
        return;
    }
    std::string time;
    if (timestamp_) {
        using namespace std::chrono;
        const auto now = system_clock::now();
        const auto ms = duration_cast<milliseconds>(now.time_since_epoch()).count() % 1000;
        time = fmt::format("{:%Y-%m-%d %H:%M:%S}.{:03} ",
                           fmt::localtime(system_clock::to_time_t(now)), ms);
    }
    fmt::print("{}P00 {:>6}: {}\n", time, word, text);
    std::fflush(stdout);
}

}  // namespace howdah::cli
