#pragma once

#include <boost/asio/local/stream_protocol.hpp>
#include <memory>
#include <string>

#include "io/task.h"

namespace howdah::io {

/// A connected Unix socket that speaks in lines. One reader and one writer at a time.
class LineSocket {
public:
    /// Errors: Errc::not_found (no such socket), Errc::unavailable (nobody listens), Errc::io.
    static Task<Result<std::unique_ptr<LineSocket>>> connect(std::string path);

    /// The next line without its end. Errors: Errc::unavailable at the end of the stream,
    /// Errc::corrupt for a line of more than 64 KiB, Errc::cancelled.
    Task<Result<std::string>> read_line();
    /// `line` without its end. Errors: Errc::unavailable.
    Task<Result<>> write_line(std::string line);
    /// Ends a pending read with an error.
    void close();

    explicit LineSocket(asio::local::stream_protocol::socket socket) : socket_(std::move(socket)) {}

private:
    asio::local::stream_protocol::socket socket_;
    std::string buffer_{};
};

}  // namespace howdah::io
