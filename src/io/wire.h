#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "io/task.h"
#include "io/tls.h"

namespace howdah::io {

struct TlsContext {
    asio::ssl::context context;
    bool verify = false, verify_host = false;  ///< as a client
    explicit TlsContext(asio::ssl::context::method method) : context(method) {}
};

/// A TCP connection, with TLS or without: a stream for Beast.
class Wire {
public:
    using tcp = asio::ip::tcp;
    using Tls = asio::ssl::stream<tcp::socket>;
    using executor_type = tcp::socket::executor_type;

    explicit Wire(tcp::socket socket) : plain_(std::move(socket)) {}

    executor_type get_executor() { return socket().get_executor(); }
    tcp::socket& socket() { return tls_ ? tls_->next_layer() : *plain_; }

    /// From now on everything is inside TLS. `host`: whom the certificate must name (a client).
    Task<Result<>> secure_as_client(std::shared_ptr<TlsContext> context, std::string host);
    Task<Result<>> secure_as_server(std::shared_ptr<TlsContext> context);
    bool peer_has_certificate() const;
    /// Tells a peer inside TLS that no more comes, and waits for its own word. Does nothing without
    /// TLS.
    Task<Result<>> end_tls();
    /// Bytes that a peer sent in advance may sit inside TLS: such a connection is not used again.
    bool is_tls() const { return tls_ != nullptr; }

    template <class Buffers, class Token>
    auto async_read_some(const Buffers& buffers, Token&& token) {
        return tls_ ? tls_->async_read_some(buffers, std::forward<Token>(token))
                    : plain_->async_read_some(buffers, std::forward<Token>(token));
    }
    template <class Buffers, class Token>
    auto async_write_some(const Buffers& buffers, Token&& token) {
        return tls_ ? tls_->async_write_some(buffers, std::forward<Token>(token))
                    : plain_->async_write_some(buffers, std::forward<Token>(token));
    }

private:
    std::optional<tcp::socket> plain_{};
    std::shared_ptr<TlsContext> context_{};
    std::unique_ptr<Tls> tls_{};
};

}  // namespace howdah::io
