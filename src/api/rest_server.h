#pragma once

#include "agent/control.h"
#include "api/rest.h"
#include "api/switchover.h"
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
    /// Other credentials, allowlist, headers and certificates from now on; the address stays.
    /// Errors: Errc::invalid: certificates that can't be used; then the old ones stay.
    Result<> take(const config::RestApi& settings);
    std::uint16_t port() const { return server_.port(); }

    /// One request; what the server calls.
    io::Task<io::HttpResponse> handle(io::HttpRequest request);

private:
    using Handler = io::Task<io::HttpResponse> (RestServer::*)(io::HttpRequest);
    struct Route {
        std::string_view method{}, segment{};
        Handler handler = nullptr;
        bool of_members = false;  ///< asked by members only
    };
    /// What changes something; nullptr: no such thing.
    static const Route* route_of(const io::HttpRequest& request);

    io::Task<io::HttpResponse> respond(io::HttpRequest request);
    io::Task<bool> may_call(std::string peer);
    io::Task<std::vector<std::string>> addresses_of(std::vector<std::string> names);
    std::vector<std::string> hosts_of_members() const;
    io::Task<io::HttpResponse> act(io::HttpRequest request);
    io::Task<io::HttpResponse> seal(io::HttpRequest request);
    io::Task<io::HttpResponse> promise(io::HttpRequest request);
    io::Task<io::HttpResponse> recover(io::HttpRequest request);
    io::Task<io::HttpResponse> switchover(io::HttpRequest request);
    io::Task<io::HttpResponse> failover(io::HttpRequest request);
    io::Task<io::HttpResponse> switch_over(Action action, io::HttpRequest request);
    io::Task<io::HttpResponse> cancel_switchover(io::HttpRequest request);
    io::Task<io::HttpResponse> restart(io::HttpRequest request);
    io::Task<io::HttpResponse> cancel_restart(io::HttpRequest request);
    io::Task<io::HttpResponse> reinitialize(io::HttpRequest request);
    io::Task<io::HttpResponse> reload(io::HttpRequest request);
    io::Task<io::HttpResponse> sigterm(io::HttpRequest request);
    io::Task<io::HttpResponse> try_settings(io::HttpRequest request);
    io::Task<io::HttpResponse> change_config(io::HttpRequest request);
    Now now() const;

    io::Clock& clock_;
    agent::Control& control_;
    config::RestApi settings_;
    io::HttpServer server_;
};

}  // namespace howdah::api
