#pragma once

#include <string>
#include <string_view>

#include "backup/options.h"

namespace howdah::cli {

/// pgBackRest's lines on the console (pgbackrest-repository.md, section 14): those that
/// log-level-console asks for.
class BackupConsole {
public:
    explicit BackupConsole(const backup::Options& options);

    void info(std::string_view text) const { line(2, "INFO", text); }
    void warn(std::string_view text) const { line(1, "WARN", text); }
    /// `code`: pgBackRest's number for this kind of error.
    void error(int code, std::string_view text) const;

private:
    void line(int level, std::string_view word, std::string_view text) const;

    int level_ = 1;
    bool timestamp_ = true;
};

}  // namespace howdah::cli
