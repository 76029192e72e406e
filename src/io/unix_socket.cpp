#include "io/unix_socket.h"

#include <sys/un.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

namespace howdah::io {
namespace {

constexpr std::size_t longest_line = 65536;

}  // namespace

Task<Result<std::unique_ptr<LineSocket>>> LineSocket::connect(std::string path) {
    if (path.size() >= sizeof(sockaddr_un::sun_path)) {
        co_return fail(Errc::invalid, path + ": too long for a socket's path");
    }
    asio::local::stream_protocol::socket socket(co_await asio::this_coro::executor);
    const asio::local::stream_protocol::endpoint endpoint(path);
    const auto [ec] = co_await socket.async_connect(endpoint, as_result);
    if (ec == asio::error::operation_aborted) {
        co_return fail(Errc::cancelled, "connect cancelled");
    }
    if (ec) {
        const auto code = ec == boost::system::errc::no_such_file_or_directory ? Errc::not_found
                          : ec == asio::error::connection_refused              ? Errc::unavailable
                                                                               : Errc::io;
        co_return fail(code, path + ": " + ec.message());
    }
    co_return std::make_unique<LineSocket>(std::move(socket));
}

Task<Result<std::string>> LineSocket::read_line() {
    const auto [ec, size] = co_await asio::async_read_until(
        socket_, asio::dynamic_buffer(buffer_, longest_line), '\n', as_result);
    if (ec == asio::error::operation_aborted) {
        co_return fail(Errc::cancelled, "read cancelled");
    }
    if (ec == asio::error::not_found) {
        co_return fail(Errc::corrupt, "a line of more than 64 KiB");
    }
    if (ec) {
        co_return fail(Errc::unavailable, ec.message());
    }
    auto line = buffer_.substr(0, size - 1);
    buffer_.erase(0, size);
    co_return line;
}

Task<Result<>> LineSocket::write_line(std::string line) {
    line += '\n';
    const auto [ec, size] = co_await asio::async_write(socket_, asio::buffer(line), as_result);
    if (ec) {
        co_return fail(Errc::unavailable, ec.message());
    }
    co_return Result<>{};
}

void LineSocket::close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
}

}  // namespace howdah::io
