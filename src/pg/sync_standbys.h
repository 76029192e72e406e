#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace howdah::pg {

/// synchronous_standby_names, taken apart. Source: PostgreSQL docs, "19.6.2. Primary Server"; the
/// grammar has not changed from 10 to 18.
struct SyncStandbys {
    enum class Method : std::uint8_t {
        none,   ///< the empty text: nobody is waited for
        first,  ///< FIRST n (...), n (...) and a bare list (n = 1)
        any,    ///< ANY n (...)
    };
    Method method = Method::none;
    int count = 0;
    std::vector<std::string> names{};  ///< "*" matches every standby

    /// Errors: Errc::invalid with the place.
    static Result<SyncStandbys> parse(std::string_view text);

    /// sync_priority of a standby: its place in a FIRST list from 1, 1 in an ANY list, 0 for one
    /// that isn't named. Names compare without case (measured on 15).
    int priority_of(std::string_view application_name) const;

    bool operator==(const SyncStandbys&) const = default;
};

}  // namespace howdah::pg
