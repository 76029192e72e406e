#include "cli/http_once.h"

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

}  // namespace howdah::cli
