#pragma once

#include <optional>

#include "config/agent_config.h"
#include "io/http.h"

namespace howdah::api {

/// GET, HEAD and OPTIONS change nothing.
bool is_safe(const io::HttpRequest& request);

/// Basic authentication of unsafe methods (patroni-compatibility.md 3.2): nullopt when `request`
/// may pass.
std::optional<io::HttpResponse> refuse_access(const io::HttpRequest& request,
                                              const std::optional<config::Credentials>& wanted);

}  // namespace howdah::api
