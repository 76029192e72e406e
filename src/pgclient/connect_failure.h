#pragma once

#include <string>

namespace howdah::pgclient {

/// libpq gives a failed connection no code, PQresultErrorField needs a result and there is none.
/// But with PQERRORS_VERBOSE its text holds what the server sent: "FATAL:  28P01: password ...",
/// where the word before the code may be in any language and the form is fixed by libpq
/// (fe-protocol3.c, pqBuildErrorMessage3). What fails before a server speaks (no route, a name that
/// is unknown, TLS) has no code at all, and nothing should be decided by its words.
struct ConnectFailure {
    std::string sqlstate{};  ///< empty: no server has answered
    std::string words{};     ///< without the code, and without the place in PostgreSQL's source
};

/// Of several addresses or attempts the last one that a server refused counts.
ConnectFailure parse_connect_failure(const std::string& verbose);

}  // namespace howdah::pgclient
