#pragma once

#include "agent/control.h"
#include "io/http.h"

namespace howdah::api {

/// GET /explain: {name, role, rule, why, obstacles: [text], epoch, holds_leader, term_left_ms,
/// member_uuid}: which rule decided last, on what, and what would have to change for this member to
/// become primary.
io::HttpResponse explain(const agent::Status& status, const std::vector<std::string>& obstacles);

}  // namespace howdah::api
