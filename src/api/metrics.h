#pragma once

#include <string>

#include "agent/control.h"

namespace howdah::api {

/// Body of GET /metrics: Patroni's names in Patroni's order (patroni-compatibility.md 3.7), then a
/// few of Howdah's own. Pure.
std::string metrics(const agent::Status& status);

}  // namespace howdah::api
