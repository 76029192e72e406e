#include "pgclient/connect_failure.h"

#include <algorithm>
#include <string_view>

namespace howdah::pgclient {

ConnectFailure parse_connect_failure(const std::string& verbose) {
    // "...:  28P01: ": what comes before may be translated, this form is not.
    constexpr std::size_t code_length = 5;
    constexpr std::string_view before = ":  ";
    constexpr std::string_view after = ": ";
    ConnectFailure failure{.words = verbose};
    for (auto at = verbose.find(before); at != std::string::npos;
         at = verbose.find(before, at + 1)) {
        const auto code = verbose.substr(at + before.size(), code_length);
        const auto rest = at + before.size() + code.size();
        const bool is_code =
            code.size() == code_length &&
            code.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string::npos;
        if (is_code && verbose.compare(rest, after.size(), after) == 0) {
            failure.sqlstate = code;
            failure.words =
                verbose.substr(0, at + before.size()) + verbose.substr(rest + after.size());
        }
    }
    if (!failure.sqlstate.empty()) {  // its last line names a place in PostgreSQL's source
        const auto end = failure.words.find_last_not_of('\n');
        const auto line = failure.words.rfind('\n', end);
        failure.words.erase(std::min(line, failure.words.size()));
    }
    return failure;
}

}  // namespace howdah::pgclient
