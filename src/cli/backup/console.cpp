#include "cli/backup/console.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <set>

#include "cli/backup/as_job.h"
#include "cli/backup/progress_text.h"
#include "remote/channel.h"

namespace howdah::cli {
namespace {

int level_of(const std::string& word) {
    static const std::map<std::string, int> levels{{"off", -1}, {"error", 0},  {"warn", 1},
                                                   {"info", 2}, {"detail", 3}, {"debug", 4},
                                                   {"trace", 5}};
    return levels.at(word);
}

/// "2026-11-23 08:13:34.559 "
std::string time_now() {
    using namespace std::chrono;
    const auto now = system_clock::now();
    const auto ms = duration_cast<milliseconds>(now.time_since_epoch()).count() % 1000;
    return fmt::format("{:%Y-%m-%d %H:%M:%S}.{:03} ", fmt::localtime(system_clock::to_time_t(now)),
                       ms);
}

void print_object(const remote::Json& object) {
    fmt::print("{}\n", object.dump(-1, ' ', false, remote::Json::error_handler_t::replace));
    std::fflush(stdout);
}

}  // namespace

BackupConsole::BackupConsole(const backup::Options& options)
    : level_(level_of(options.log.console)),
      error_level_(level_of(options.log.standard_error)),
      timestamp_(options.log.timestamp),
      is_job_(runs_as_job()),
      terminal_(isatty(STDERR_FILENO) != 0) {}

void BackupConsole::open_log_file(const backup::Options& options) {
    static const std::set<std::string> without{"annotate", "archive-get", "archive-push", "check",
                                               "info"};
    const auto& command = options.command;
    const bool has_none = (without.contains(command) && !options.in_background) ||
                          (command.starts_with("repo-") && command != "repo-copy");
    if (options.log.file == "off" || has_none) {
        return;
    }
    const auto path = fmt::format("{}/{}-{}{}.log", options.log.folder,
                                  options.stanza.empty() ? std::string("all") : options.stanza,
                                  command, options.in_background ? "-async" : "");
    io::Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
    if (!fd) {
        if (options.log.is_asked_for) {
            warn(
                fmt::format("unable to open log file '{}' for append: {}\nNOTE: process will "
                            "continue without log file.",
                            path, std::strerror(errno)));
        }
        return;
    }
    struct stat found{};
    const auto begins = fstat(fd.get(), &found) == 0 && found.st_size == 0;
    const auto heading =
        fmt::format("{}-------------------PROCESS START-------------------\n", begins ? "" : "\n");
    (void)::write(fd.get(), heading.data(), heading.size());
    log_file_ = std::move(fd);
    file_level_ = level_of(options.log.file);
}

void BackupConsole::error(const Error& error) {
    const auto code = backup::exit_code_of(error);
    if (is_job_) {
        auto told = error;
        told.exit_code = static_cast<std::uint8_t>(code);
        print_object({{"error", remote::to_json(told)}});
    }
    line(0, "ERROR",
         fmt::format("[{:03}]: {}{}", static_cast<int>(code), error.message,
                     error.hint.empty() ? "" : "\nHINT: " + error.hint));
}

void BackupConsole::line(int level, std::string_view word, std::string_view text) {
    if (level <= file_level_) {
        // A log that is full or gone is no reason to end what is being logged.
        const auto logged = fmt::format("{}P00 {:>6}: {}\n", time_now(), word, text);
        (void)::write(log_file_.get(), logged.data(), logged.size());
    }
    if (is_job_) {
        if (level > 0) {
            print_object({{"level", level}, {"text", text}});
        }
        return;
    }
    if (level <= error_level_) {
        clear();
        fmt::print(stderr, "{}: {}\n", word, text);
    } else if (level <= level_) {
        clear();
        fmt::print("{}P00 {:>6}: {}\n", timestamp_ ? time_now() : std::string(), word, text);
        std::fflush(stdout);
    }
}

void BackupConsole::job_progress(const backup::Progress& progress) {
    constexpr Millis between{500};
    const auto now = std::chrono::steady_clock::now();
    const std::scoped_lock lock(mutex_);
    if (now - began_ >= between) {
        began_ = now;
        print_object({{"what", progress.what},
                      {"done", progress.done},
                      {"total", progress.total},
                      {"in_bytes", progress.in_bytes}});
    }
}

void BackupConsole::progress(const backup::Progress& progress) {
    if (is_job_) {
        return job_progress(progress);
    }
    if (!terminal_) {
        return;
    }
    const auto now = std::chrono::steady_clock::now();
    const std::scoped_lock lock(mutex_);
    if (counted_ != progress.what) {
        counted_ = progress.what;
        began_ = now;
    }
    auto text = progress_text(progress, std::chrono::duration_cast<Millis>(now - began_));
    if (text != shown_) {
        shown_ = std::move(text);
        fmt::print(stderr, "\r\x1b[K{}", shown_);
    }
}

void BackupConsole::clear() {
    const std::scoped_lock lock(mutex_);
    if (!shown_.empty()) {
        shown_.clear();
        fmt::print(stderr, "\r\x1b[K");
    }
}

backup::Notes BackupConsole::notes() {
    return {.on_detail = [this](std::string_view text) { detail(text); },
            .on_info = [this](std::string_view text) { info(text); },
            .on_warn = [this](std::string_view text) { warn(text); },
            .on_progress = [this](const backup::Progress& progress) { this->progress(progress); }};
}

}  // namespace howdah::cli
