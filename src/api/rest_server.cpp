#include "api/rest_server.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "api/access.h"
#include "api/answers.h"
#include "api/body.h"
#include "api/config_changes.h"
#include "api/explain.h"
#include "api/health.h"
#include "api/restart.h"
#include "api/switchover.h"
#include "io/resolve.h"

namespace howdah::api {

namespace {

bool starts_segment(const std::string& path, std::string_view segment) {
    return path.starts_with(segment) &&
           (path.size() == segment.size() || path[segment.size()] == '/');
}

}  // namespace

RestServer::RestServer(io::Executor executor, io::Clock& clock, agent::Control& control,
                       config::RestApi settings)
    : clock_(clock),
      control_(control),
      settings_(std::move(settings)),
      server_(executor, clock,
              [this](io::HttpRequest request) { return handle(std::move(request)); }) {}

Result<> RestServer::listen() {
    if (settings_.tls) {
        auto context = io::tls_server(*settings_.tls, settings_.verify_client);
        if (!context) {
            return std::unexpected(std::move(context).error().within("restapi"));
        }
        server_.secure(*std::move(context));
    }
    auto bound = server_.listen(settings_.listen.host, settings_.listen.port);
    if (!bound && bound.error().hint.empty()) {
        bound.error().hint =
            "is another agent running on this host? restapi.listen names the address";
    }
    return bound;
}

Result<> RestServer::take(const config::RestApi& settings) {
    if (settings.tls.has_value() != settings_.tls.has_value()) {
        return fail(Errc::invalid, "restapi: HTTP and HTTPS don't change while the agent runs",
                    "restart the agent");
    }
    if (settings.tls) {
        HD_TRY(auto context, io::tls_server(*settings.tls, settings.verify_client));
        server_.secure(std::move(context));
    }
    const auto address = settings_.listen;
    settings_ = settings;
    settings_.listen = address;
    return {};
}

io::Task<> RestServer::run() {
    return server_.run();
}

Now RestServer::now() const {
    return {.boot = clock_.now(), .wall_seconds = clock_.wall_nanos() / 1'000'000'000};
}

io::Task<io::HttpResponse> RestServer::handle(io::HttpRequest request) {
    auto answer = co_await respond(std::move(request));
    for (const auto& [name, value] : settings_.extra_headers) {
        answer.headers[name] = value;
    }
    co_return answer;
}

io::Task<io::HttpResponse> RestServer::respond(io::HttpRequest request) {
    if (!is_safe(request)) {
        co_return co_await act(std::move(request));
    }
    const auto path = parse_target(request.target).path;
    if (request.method == "GET" && path == "/explain") {
        co_return explain(control_.status(), control_.obstacles());
    }
    if (request.method == "GET" && path == "/howdah/vouch") {
        co_return io::HttpResponse{.headers = {{"Content-Type", "application/json"}},
                                   .body = render(control_.vouch())};
    }
    if (request.method == "GET" && path == "/howdah/standing") {
        auto body = render(control_.standing());
        co_return io::HttpResponse{.headers = {{"Content-Type", "application/json"}},
                                   .body = std::move(body)};
    }
    co_return answer(request, control_.status(), now());
}

io::Task<io::HttpResponse> RestServer::seal(io::HttpRequest request) {
    auto asked = ha::parse_seal_request(request.body);
    if (!asked) {
        co_return text_answer(400, asked.error().message);
    }
    const auto vote = co_await control_.seal(*std::move(asked));
    co_return io::HttpResponse{.headers = {{"Content-Type", "application/json"}},
                               .body = render(vote)};
}

io::Task<io::HttpResponse> RestServer::promise(io::HttpRequest request) {
    const auto asked = ha::parse_promise_request(request.body);
    if (!asked) {
        co_return text_answer(400, asked.error().message);
    }
    co_return io::HttpResponse{.headers = {{"Content-Type", "application/json"}},
                               .body = render(control_.promise(*asked))};
}

io::Task<io::HttpResponse> RestServer::recover(io::HttpRequest request) {
    const auto doc = nlohmann::json::parse(request.body, nullptr, false);
    ha::RecoverOrder order;
    if (doc.is_object() && doc.contains("missing")) {
        order.missing = doc.value("missing", std::vector<std::string>{});
    }
    auto done = control_.recover(std::move(order));
    co_return text_answer(done.code, std::move(done.text));
}

io::Task<io::HttpResponse> RestServer::switchover(io::HttpRequest request) {
    return switch_over(Action::switchover, std::move(request));
}

io::Task<io::HttpResponse> RestServer::failover(io::HttpRequest request) {
    return switch_over(Action::failover, std::move(request));
}

io::Task<io::HttpResponse> RestServer::switch_over(Action action, io::HttpRequest request) {
    auto checked = check(action, request, control_.status(), now().wall_seconds);
    if (auto* refused = std::get_if<io::HttpResponse>(&checked)) {
        co_return std::move(*refused);
    }
    auto request_to_agent = std::get<agent::SwitchoverRequest>(std::move(checked));
    auto done = co_await control_.switchover(std::move(request_to_agent));
    co_return text_answer(done.code, std::move(done.text));
}

io::Task<io::HttpResponse> RestServer::cancel_switchover(io::HttpRequest) {
    auto done = co_await control_.cancel_switchover();
    co_return text_answer(done.code, std::move(done.text));
}

io::Task<io::HttpResponse> RestServer::restart(io::HttpRequest request) {
    auto asked = restart_in(request, control_.status(), now().wall_seconds);
    if (!asked) {
        co_return std::move(asked).error();
    }
    auto done = co_await control_.restart(*std::move(asked));
    co_return text_answer(done.code, std::move(done.text));
}

io::Task<io::HttpResponse> RestServer::cancel_restart(io::HttpRequest) {
    auto done = control_.cancel_restart();
    co_return text_answer(done.code, std::move(done.text));
}

io::Task<io::HttpResponse> RestServer::reinitialize(io::HttpRequest request) {
    const auto body = optional_object_in(request);
    if (!body) {
        co_return body.error();
    }
    auto done = control_.reinitialize(is_true(*body, "force"));
    co_return text_answer(done.code, std::move(done.text));
}

io::Task<io::HttpResponse> RestServer::reload(io::HttpRequest) {
    auto done = control_.reload();
    co_return text_answer(done.code, std::move(done.text));
}

/// Patroni answers so everywhere, and stops only where its own tests need it.
io::Task<io::HttpResponse> RestServer::sigterm(io::HttpRequest) {
    co_return text_answer(202, "shutdown scheduled");
}

io::Task<io::HttpResponse> RestServer::change_config(io::HttpRequest request) {
    const bool patches = request.method == "PATCH";
    agent::StoredConfig seen;
    if (patches) {
        auto stored = co_await control_.read_config();
        if (!stored) {
            co_return text_answer(503, "DCS is not accessible");
        }
        seen = *std::move(stored);
    }
    auto change = patches ? patched_config(request, seen.text) : replaced_config(request);
    if (auto* refused = std::get_if<io::HttpResponse>(&change)) {
        co_return std::move(*refused);
    }
    const auto config = std::get<NewConfig>(std::move(change));
    if (config.changed) {
        if (const auto locked = control_.lockout(seen.text, config.text)) {
            co_return text_answer(400, "postgresql.pg_hba: " + *locked);
        }
        // Where PostgreSQL can't be asked each member leaves out what its own refuses.
        const auto refused = co_await control_.refused_settings(seen.text, config.text);
        if (refused && !refused->empty()) {
            co_return text_answer(400, refused_text(*refused));
        }
        const auto over = patches ? std::optional(seen.revision) : std::nullopt;
        const auto done = co_await control_.write_config(config.text, over);
        if (!done) {
            co_return error_page(done.error().code == Errc::conflict ? 409 : 502);
        }
    }
    co_return config_answer(config);
}

io::Task<io::HttpResponse> RestServer::try_settings(io::HttpRequest request) {
    const auto asked = settings_question(request);
    if (!asked) {
        co_return asked.error();
    }
    if (const auto locked = control_.lockout(asked->before, asked->after)) {
        co_return text_answer(400, "postgresql.pg_hba: " + *locked);
    }
    const auto refused = co_await control_.refused_settings(asked->before, asked->after);
    if (!refused) {
        co_return text_answer(503, refused.error().message);
    }
    co_return refused->empty() ? text_answer(200, "PostgreSQL takes these settings")
                               : text_answer(400, refused_text(*refused));
}

const RestServer::Route* RestServer::route_of(const io::HttpRequest& request) {
    static constexpr std::array routes{
        Route{"POST", "/howdah/seal", &RestServer::seal, true},
        Route{"POST", "/howdah/promise", &RestServer::promise, true},
        Route{"POST", "/howdah/recover", &RestServer::recover},
        Route{"POST", "/howdah/settings", &RestServer::try_settings},
        Route{"POST", "/switchover", &RestServer::switchover},
        Route{"POST", "/failover", &RestServer::failover},
        Route{"DELETE", "/switchover", &RestServer::cancel_switchover},
        Route{"POST", "/restart", &RestServer::restart},
        Route{"DELETE", "/restart", &RestServer::cancel_restart},
        Route{"POST", "/reinitialize", &RestServer::reinitialize},
        Route{"POST", "/reload", &RestServer::reload},
        Route{"POST", "/sigterm", &RestServer::sigterm},
        Route{"PATCH", "/config", &RestServer::change_config},
        Route{"PUT", "/config", &RestServer::change_config},
    };
    const auto path = parse_target(request.target).path;
    for (const auto& route : routes) {
        if (route.method == request.method && starts_segment(path, route.segment)) {
            return &route;
        }
    }
    return nullptr;
}

/// Addresses stay, names are looked up each time.
io::Task<std::vector<std::string>> RestServer::addresses_of(std::vector<std::string> names) {
    std::vector<std::string> networks;
    for (auto& name : names) {
        if (is_network(name)) {
            networks.push_back(std::move(name));
        } else if (auto found = co_await io::within(clock_, Seconds(2), io::resolve(name))) {
            networks.push_back(*std::move(found));
        }
    }
    co_return networks;
}

std::vector<std::string> RestServer::hosts_of_members() const {
    std::vector<std::string> hosts;
    for (const auto& member : control_.status().known_members) {
        for (const auto& address : {member.api_address(), member.postgres_address()}) {
            if (address) {
                hosts.push_back(address->host);
            }
        }
    }
    std::ranges::sort(hosts);
    const auto doubles = std::ranges::unique(hosts);
    hosts.erase(doubles.begin(), doubles.end());
    return hosts;
}

io::Task<bool> RestServer::may_call(std::string peer) {
    if (settings_.allowlist.empty() && !settings_.allowlist_include_members) {
        co_return true;
    }
    auto names = settings_.allowlist;
    if (settings_.allowlist_include_members) {
        const auto hosts = hosts_of_members();
        names.insert(names.end(), hosts.begin(), hosts.end());
    }
    co_return is_allowed(peer, co_await addresses_of(std::move(names)));
}

io::Task<io::HttpResponse> RestServer::act(io::HttpRequest request) {
    const auto* route = route_of(request);
    if (route == nullptr) {
        co_return answer(request, control_.status(), now());
    }
    if (!co_await may_call(request.peer)) {
        co_return text_answer(403, "Access is denied");
    }
    if (auto refused = refuse_without_certificate(request, settings_.verify_client)) {
        co_return *std::move(refused);
    }
    if (auto refused = refuse_access(request, settings_.authentication)) {
        co_return *std::move(refused);
    }
    if (route->of_members && !settings_.authentication) {
        const auto members = co_await addresses_of(hosts_of_members());
        if (auto refused = refuse_stranger(request, members)) {
            co_return *std::move(refused);
        }
    }
    co_return co_await (this->*(route->handler))(std::move(request));
}

}  // namespace howdah::api
