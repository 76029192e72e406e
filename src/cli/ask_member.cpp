#include "cli/ask_member.h"

#include "base/base64.h"
#include "cli/http_once.h"

namespace howdah::cli {

Result<io::HttpResponse> ask_member(const ha::Member& member, const std::string& method,
                                    const std::string& path, const std::string& body,
                                    const config::AgentConfig& config, Nanos limit) {
    HD_TRY(const auto address, member.api_address());
    io::HttpRequest request{.method = method, .target = path, .body = body, .keep_alive = false};
    if (!body.empty()) {
        request.headers["content-type"] = "application/json";
    }
    const auto& login =
        config.ctl_authentication ? config.ctl_authentication : config.restapi.authentication;
    if (login) {
        request.headers["authorization"] =
            "Basic " + to_base64(login->username + ":" + login->password);
    }
    auto answer = http_once(
        {.host = address.host,
         .port = address.port,
         .tls = address.tls ? std::make_shared<io::TlsFiles>(config.operator_tls) : nullptr},
        request, limit);
    return answer ? std::move(answer)
                  : std::unexpected(std::move(answer).error().within(member.name));
}

}  // namespace howdah::cli
