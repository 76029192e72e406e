#pragma once

#include <string>

#include "base/instant.h"
#include "base/result.h"
#include "config/agent_config.h"
#include "ha/member.h"
#include "io/http.h"

namespace howdah::cli {

/// One request to the REST API of `member`, with the credentials of `ctl` or `restapi`. An empty
/// body is sent as none. Errors: as io::HttpClient::send, with the member's name.
Result<io::HttpResponse> ask_member(const ha::Member& member, const std::string& method,
                                    const std::string& path, const std::string& body,
                                    const config::AgentConfig& config, Nanos limit = Seconds(10));

}  // namespace howdah::cli
