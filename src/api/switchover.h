#pragma once

#include <optional>
#include <variant>

#include "agent/control.h"
#include "io/http.h"

namespace howdah::api {

enum class Action : std::uint8_t { switchover, failover };

/// Either what to ask of the agent, or the answer that refuses the request.
using Checked = std::variant<agent::SwitchoverRequest, io::HttpResponse>;

/// The checks of POST /switchover and /failover that need nobody else, in Patroni's order and words
/// (patroni-compatibility.md 3.6). That a candidate is fit is for the agent to find out. Pure.
Checked check(Action action, const io::HttpRequest& request, const agent::Status& status,
              std::int64_t wall_seconds);

}  // namespace howdah::api
