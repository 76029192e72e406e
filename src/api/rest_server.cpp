#include "api/rest_server.h"

#include <nlohmann/json.hpp>

#include "api/access.h"
#include "api/answers.h"
#include "api/explain.h"
#include "api/health.h"
#include "api/switchover.h"

namespace howdah::api {

namespace {

bool starts_segment(const std::string& path, std::string_view segment) {
    return path == segment || path.starts_with(std::string(segment) + "/");
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
    auto bound = server_.listen(settings_.listen.host, settings_.listen.port);
    if (!bound && bound.error().hint.empty()) {
        bound.error().hint =
            "is another agent running on this host? restapi.listen names the address";
    }
    return bound;
}

io::Task<> RestServer::run() {
    return server_.run();
}

Now RestServer::now() const {
    return {.boot = clock_.now(), .wall_seconds = clock_.wall_nanos() / 1'000'000'000};
}

io::Task<io::HttpResponse> RestServer::handle(io::HttpRequest request) {
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
    if (auto refused = refuse_access(request, settings_.authentication)) {
        co_return *std::move(refused);
    }
    auto asked = ha::parse_seal_request(request.body);
    if (!asked) {
        co_return text_answer(400, asked.error().message);
    }
    const auto vote = co_await control_.seal(*std::move(asked));
    co_return io::HttpResponse{.headers = {{"Content-Type", "application/json"}},
                               .body = render(vote)};
}

io::HttpResponse RestServer::promise(const io::HttpRequest& request) {
    if (auto refused = refuse_access(request, settings_.authentication)) {
        return *std::move(refused);
    }
    const auto asked = ha::parse_promise_request(request.body);
    if (!asked) {
        return text_answer(400, asked.error().message);
    }
    return {.headers = {{"Content-Type", "application/json"}},
            .body = render(control_.promise(*asked))};
}

io::HttpResponse RestServer::recover(const io::HttpRequest& request) {
    if (auto refused = refuse_access(request, settings_.authentication)) {
        return *std::move(refused);
    }
    const auto doc = nlohmann::json::parse(request.body, nullptr, false);
    ha::RecoverOrder order;
    if (doc.is_object() && doc.contains("missing")) {
        order.missing = doc.value("missing", std::vector<std::string>{});
    }
    auto done = control_.recover(std::move(order));
    return text_answer(done.code, std::move(done.text));
}

io::Task<io::HttpResponse> RestServer::act(io::HttpRequest request) {
    const auto path = parse_target(request.target).path;
    const bool switchover = starts_segment(path, "/switchover");
    if (request.method == "POST" && path == "/howdah/seal") {
        co_return co_await seal(std::move(request));
    }
    if (request.method == "POST" && path == "/howdah/promise") {
        co_return promise(request);
    }
    if (request.method == "POST" && path == "/howdah/recover") {
        co_return recover(request);
    }
    if (request.method != "POST" || (!switchover && !starts_segment(path, "/failover"))) {
        co_return answer(request, control_.status(), now());
    }
    if (auto refused = refuse_access(request, settings_.authentication)) {
        co_return *std::move(refused);
    }
    auto checked = check(switchover ? Action::switchover : Action::failover, request,
                         control_.status(), now().wall_seconds);
    if (auto* refused = std::get_if<io::HttpResponse>(&checked)) {
        co_return std::move(*refused);
    }
    auto request_to_agent = std::get<agent::SwitchoverRequest>(std::move(checked));
    auto done = co_await control_.switchover(std::move(request_to_agent));
    co_return text_answer(done.code, std::move(done.text));
}

}  // namespace howdah::api
