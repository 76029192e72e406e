#pragma once

#include "agent/control.h"
#include "base/instant.h"
#include "io/http.h"

namespace howdah::api {

/// The time of one request.
struct Now {
    Instant boot{};
    std::int64_t wall_seconds = 0;  ///< since 1970
};

/// Answers GET, HEAD and OPTIONS from what the agent knows (patroni-compatibility.md 3.1, 3.3
/// to 3.5). Pure. Other
/// methods: 501.
///
/// One difference: where Patroni closes the connection without an answer, since the DCS is down
/// (/cluster, /history, /config), this is 503 with a sentence.
io::HttpResponse answer(const io::HttpRequest& request, const agent::Status& status, Now now);

}  // namespace howdah::api
