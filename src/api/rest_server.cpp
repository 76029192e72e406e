#include "api/rest_server.h"

#include <nlohmann/json.hpp>

#include "api/answers.h"
#include "api/health.h"
#include "api/switchover.h"

namespace howdah::api {

namespace {

std::string base64(std::string_view bytes) {
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t block = 0;
        const auto have = std::min<std::size_t>(3, bytes.size() - i);
        for (std::size_t j = 0; j < 3; ++j) {
            block = block << 8 | (j < have ? static_cast<unsigned char>(bytes[i + j]) : 0U);
        }
        for (std::size_t j = 0; j < 4; ++j) {
            out += j <= have ? digits[block >> (18 - 6 * j) & 63] : '=';
        }
    }
    return out;
}

/// Compares in a time that depends on the lengths only.
bool same_secret(std::string_view a, std::string_view b) {
    unsigned difference = a.size() == b.size() ? 0 : 1;
    for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
        difference |= static_cast<unsigned char>(a[i]) ^
                      static_cast<unsigned>(static_cast<unsigned char>(b[i]));
    }
    return difference == 0;
}

io::HttpResponse unauthorized(std::string text) {
    auto out = text_answer(401, std::move(text));
    out.headers["WWW-Authenticate"] = "Basic realm=\"Patroni\"";
    return out;
}

bool is_safe(const std::string& method) {
    return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

bool starts_segment(const std::string& path, std::string_view segment) {
    return path == segment || path.starts_with(std::string(segment) + "/");
}

}  // namespace

std::optional<io::HttpResponse> refuse_access(const io::HttpRequest& request,
                                              const std::optional<config::Credentials>& wanted) {
    if (!wanted || is_safe(request.method)) {
        return std::nullopt;
    }
    const auto header = request.headers.find("authorization");
    if (header == request.headers.end()) {
        return unauthorized("no auth header received");
    }
    const auto expected = "Basic " + base64(wanted->username + ":" + wanted->password);
    return same_secret(header->second, expected) ? std::nullopt
                                                 : std::optional(unauthorized("not authenticated"));
}

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
    if (!is_safe(request.method)) {
        co_return co_await act(std::move(request));
    }
    if (request.method == "GET" && parse_target(request.target).path == "/howdah/standing") {
        auto body = render(control_.standing());
        co_return io::HttpResponse{.headers = {{"Content-Type", "application/json"}},
                                   .body = std::move(body)};
    }
    co_return answer(request, control_.status(), now());
}

io::Task<io::HttpResponse> RestServer::act(io::HttpRequest request) {
    const auto path = parse_target(request.target).path;
    const bool switchover = starts_segment(path, "/switchover");
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
