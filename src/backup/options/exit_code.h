#pragma once

#include <string>

#include "base/result.h"

namespace howdah::backup {

/// What the program says when it ends: pgBackRest's numbers (pgbackrest-repository.md, section 14),
/// which scripts and monitors branch on. Those that Howdah gives, or will be asked for.
enum class ExitCode : std::uint8_t {
    checksum = 26,
    file_invalid = 28,
    format = 29,
    command_required = 30,
    option_invalid = 31,
    option_invalid_value = 32,
    option_required = 37,
    pg_running = 38,
    path_not_empty = 40,
    file_open = 41,
    file_read = 42,
    param_required = 43,
    archive_mismatch = 44,
    archive_duplicate = 45,
    version_not_supported = 46,
    command_invalid = 48,
    lock_acquire = 50,
    backup_mismatch = 51,
    file_missing = 55,
    db_connect = 56,
    db_query = 57,
    db_mismatch = 58,
    stop = 62,
    terminated = 63,
    file_write = 64,
    feature_not_supported = 67,
    archive_command_invalid = 68,
    link_expected = 69,
    link_destination = 70,
    path_missing = 73,
    backup_set_invalid = 75,
    tablespace_map = 76,
    link_map = 78,
    db_missing = 80,
    db_invalid = 81,
    archive_timeout = 82,
    archive_disabled = 87,
    file_exists = 93,
    crypto = 95,
    param_invalid = 96,
    repo_invalid = 103,
    command = 104,
    runtime = 122,
    unknown = 125,
};

/// An error that has a number of its own; one made by fail() ends with that of its Errc.
std::unexpected<Error> fail_with(ExitCode exit_code, Errc code, std::string message,
                                 std::string hint = {});
/// The same error with another number.
Error ending_with(ExitCode exit_code, Error error);

ExitCode exit_code_of(const Error& error);

}  // namespace howdah::backup
