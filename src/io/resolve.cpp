#include "io/resolve.h"

#include <boost/asio/ip/tcp.hpp>

namespace howdah::io {

Task<Result<std::string>> resolve(std::string host) {
    asio::ip::tcp::resolver resolver(co_await asio::this_coro::executor);
    const auto [error, found] = co_await resolver.async_resolve(host, "", as_result);
    if (error || found.empty()) {
        co_return fail(Errc::unavailable,
                       "cannot resolve " + host + ": " + (error ? error.message() : "no address"));
    }
    co_return found.begin()->endpoint().address().to_string();
}

}  // namespace howdah::io
