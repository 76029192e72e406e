#pragma once

#include "agent/control.h"
#include "api/rest.h"
#include "config/agent_config.h"
#include "io/http.h"

namespace howdah::api {

/// The member's REST API: what is known is answered by answer(), what acts is asked of the agent.
/// `control` and `clock` outlive it; all on the executor of `control`.
class RestServer {
public:
    RestServer(io::Executor executor, io::Clock& clock, agent::Control& control,
               config::RestApi settings);

    /// Errors: Errc::io with the address and a hint.
    Result<> listen();
    /// Serves until cancelled.
    io::Task<> run();
    std::uint16_t port() const { return server_.port(); }

    /// One request; what the server calls.
    io::Task<io::HttpResponse> handle(io::HttpRequest request);

private:
    io::Task<io::HttpResponse> act(io::HttpRequest request);
    io::Task<io::HttpResponse> seal(io::HttpRequest request);
    io::HttpResponse promise(const io::HttpRequest& request);
    io::HttpResponse recover(const io::HttpRequest& request);
    Now now() const;

    io::Clock& clock_;
    agent::Control& control_;
    config::RestApi settings_;
    io::HttpServer server_;
};

}  // namespace howdah::api
