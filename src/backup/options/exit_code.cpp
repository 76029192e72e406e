#include "backup/options/exit_code.h"

namespace howdah::backup {

std::unexpected<Error> fail_with(ExitCode exit_code, Errc code, std::string message,
                                 std::string hint) {
    return std::unexpected(
        ending_with(exit_code, Error{code, std::move(message), std::move(hint)}));
}

Error ending_with(ExitCode exit_code, Error error) {
    error.exit_code = static_cast<std::uint8_t>(exit_code);
    return error;
}

ExitCode exit_code_of(const Error& error) {
    if (error.exit_code != 0) {
        return static_cast<ExitCode>(error.exit_code);
    }
    switch (error.code) {
        case Errc::invalid:
            return ExitCode::option_invalid_value;
        case Errc::not_found:
            return ExitCode::file_missing;
        case Errc::corrupt:
            return ExitCode::checksum;
        case Errc::conflict:
            return ExitCode::path_not_empty;
        case Errc::unsafe:
            return ExitCode::archive_mismatch;
        case Errc::cancelled:
            return ExitCode::terminated;
        case Errc::timeout:
        case Errc::unavailable:
        case Errc::io:
            return ExitCode::command;
    }
    return ExitCode::unknown;
}

}  // namespace howdah::backup
