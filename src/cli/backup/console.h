#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <string_view>

#include "backup/options/exit_code.h"
#include "backup/options/options.h"
#include "backup/site.h"
#include "io/fd.h"

namespace howdah::cli {

/// pgBackRest's lines (pgbackrest-repository.md, section 14): on standard error what
/// log-level-stderr asks for, else on standard output what log-level-console does; and in the
/// command's log file what log-level-file does. For a repository host that asked for the verb
/// (backup/jobs), objects that it takes apart. On a terminal, one line besides that counts up. Any
/// thread may call.
class BackupConsole {
public:
    explicit BackupConsole(const backup::Options& options);
    ~BackupConsole() { clear(); }

    /// From now on, for commands that have a log file. One that cannot be written is warned of
    /// where somebody asked for it; the command goes on.
    void open_log_file(const backup::Options& options);

    void detail(std::string_view text) { line(3, "DETAIL", text); }
    void info(std::string_view text) { line(2, "INFO", text); }
    void warn(std::string_view text) { line(1, "WARN", text); }
    void error(const Error& error);
    void progress(const backup::Progress& progress);
    /// Takes the line that counts up away, so that others may print.
    void clear();

    /// For a Site; the console must outlive it.
    backup::Notes notes();

private:
    void line(int level, std::string_view word, std::string_view text);
    void job_progress(const backup::Progress& progress);

    int level_ = 1, error_level_ = -1, file_level_ = -1;
    bool timestamp_ = true;
    io::Fd log_file_{};
    bool is_job_ = false;  ///< asked for by a repository host: each line is an object for it
    bool terminal_ = false;
    std::mutex mutex_{};
    std::string counted_{};  ///< what is being counted, since `began_`
    std::chrono::steady_clock::time_point began_{};
    std::string shown_{};  ///< the line that counts up; empty: there is none
};

}  // namespace howdah::cli
