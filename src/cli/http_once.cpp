#include "cli/http_once.h"

#include "base/base64.h"
#include "io/block_on.h"

namespace howdah::cli {

namespace {

io::Task<Result<io::HttpResponse>> send(io::Executor executor, HttpAddress to,
                                        io::HttpRequest request, Nanos limit) {
    io::SystemClock clock;
    io::HttpClient client(executor, clock, to.host, to.port, to.tls);
    co_return co_await client.send(std::move(request), limit);
}

}  // namespace

Result<io::HttpResponse> http_once(const HttpAddress& to, const io::HttpRequest& request,
                                   Nanos limit) {
    return io::block_on<Result<io::HttpResponse>>(
        [&](io::Executor executor) { return send(executor, to, request, limit); });
}

void authorize(io::HttpRequest& request, const config::RestApi& api) {
    if (const auto& login = api.authentication) {
        request.headers["authorization"] =
            "Basic " + to_base64(login->username + ":" + login->password);
    }
}

}  // namespace howdah::cli
