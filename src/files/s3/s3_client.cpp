#include "files/s3/s3_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <thread>

#include "files/s3/answers.h"
#include "io/loop.h"

namespace howdah::files {
namespace {

constexpr std::array passes_by_itself{408, 429, 500, 502, 503, 504};
constexpr std::array for_the_caller{404, 412, 416};

bool is_in(const auto& list, int status) {
    return std::ranges::find(list, status) != list.end();
}

/// What to do about it. Source: Amazon S3 API Reference, "Error responses".
std::string hint_for(const S3Error& error, int status) {
    if (error.code == "RequestTimeTooSkewed") {
        return "this host's clock is wrong";
    }
    if (error.code == "NoSuchBucket") {
        return "make the bucket, or correct repo-s3-bucket";
    }
    if (error.code == "AuthorizationHeaderMalformed" || status == 301 || status == 307) {
        return "are repo-s3-region and repo-s3-endpoint those of the bucket?";
    }
    return status == 401 || status == 403 ? "are repo-s3-key, repo-s3-key-secret and "
                                            "repo-s3-token right, and do they allow this?"
                                          : "";
}

}  // namespace

/// One connection with the loop that it lives on.
struct S3Client::Line {
    io::Loop loop{};
    io::SystemClock clock{};
    io::HttpClient http;

    Line(const std::string& host, const S3Options& options)
        : http(loop.executor(), clock, host, options.port, options.tls) {}

    Result<io::HttpResponse> send(io::HttpRequest request, Nanos limit) {
        std::optional<Result<io::HttpResponse>> answer;
        loop.run(io::keep_result(http.send(std::move(request), limit), answer));
        return *std::move(answer);
    }
};

S3Client::S3Client(S3Options options) : options_(std::move(options)) {}
S3Client::~S3Client() = default;

std::string S3Client::url(std::string_view key) const {
    return fmt::format("s3://{}/{}", options_.bucket, key);
}

std::string S3Client::host_header() const {
    return options_.path_style ? options_.endpoint : options_.bucket + "." + options_.endpoint;
}

std::unique_ptr<S3Client::Line> S3Client::take_line() {
    const std::scoped_lock lock(mutex_);
    if (idle_.empty()) {
        return std::make_unique<Line>(options_.host.empty() ? host_header() : options_.host,
                                      options_);
    }
    auto line = std::move(idle_.back());
    idle_.pop_back();
    return line;
}

void S3Client::give_back(std::unique_ptr<Line> line) {
    const std::scoped_lock lock(mutex_);
    idle_.push_back(std::move(line));
}

Result<io::HttpResponse> S3Client::try_once(const S3Call& call) {
    auto line = take_line();
    auto answer = line->send({.method = call.method,
                              .target = target_of(call),
                              .headers = signed_headers(call, options_.who, options_.region,
                                                        line->clock.wall_nanos() / 1'000'000'000),
                              .body = call.body},
                             options_.request_limit);
    if (answer) {
        give_back(std::move(line));
    }
    return answer;
}

Result<io::HttpResponse> S3Client::send(S3Call call, const std::vector<int>& expected) {
    const auto what = call.method + " " + url(call.path);
    const auto root = options_.path_style ? "/" + options_.bucket : "";
    call.path = call.path.empty() && options_.path_style ? root : root + "/" + call.path;
    const auto port = options_.port == 443 ? "" : fmt::format(":{}", options_.port);
    call.headers["host"] = host_header() + port;
    auto pause = options_.first_pause;
    const auto until = std::chrono::steady_clock::now() + options_.request_limit;
    for (int left = options_.tries - 1;; --left, pause *= 3) {
        auto answer = try_once(call);
        if (answer && (answer->status / 100 == 2 || is_in(for_the_caller, answer->status) ||
                       is_in(expected, answer->status))) {
            return answer;
        }
        const bool passes = answer ? is_in(passes_by_itself, answer->status)
                                   : answer.error().code == Errc::unavailable ||
                                         answer.error().code == Errc::timeout;
        if (passes && left > 0 && std::chrono::steady_clock::now() + pause < until) {
            std::this_thread::sleep_for(pause);
            continue;
        }
        if (!answer) {
            auto error = std::move(answer).error().within(what);
            error.code = passes ? Errc::unavailable : error.code;
            return std::unexpected(std::move(error));
        }
        const auto error = parse_error(answer->body);
        return fail(passes ? Errc::unavailable : Errc::io,
                    fmt::format("{}: S3 answered {} {}: {}", what, answer->status,
                                error.code.empty() ? "without a code" : error.code, error.message),
                    hint_for(error, answer->status));
    }
}

}  // namespace howdah::files
