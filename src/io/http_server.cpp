#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "io/http.h"
#include "io/wire.h"

namespace howdah::io {
namespace {

namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using Parser = http::request_parser<http::string_body>;

constexpr std::uint32_t header_limit = 16 * 1024;
constexpr std::uint64_t body_limit = 1024 * 1024;
constexpr std::size_t most_connections = 1000;
constexpr Nanos idle_limit = Seconds(30);
constexpr Nanos handshake_limit = Seconds(5);
constexpr Nanos farewell_limit = Seconds(1);

HttpRequest from_wire(Parser& parser) {
    auto wire = parser.release();
    HttpRequest request{.method = std::string(wire.method_string()),
                        .target = std::string(wire.target()),
                        .body = std::move(wire.body()),
                        .keep_alive = wire.keep_alive()};
    for (const auto& field : wire) {
        std::string key(field.name_string());
        for (auto& c : key) {
            c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        }
        request.headers[key] = std::string(field.value());
    }
    return request;
}

/// 0: not worth an answer.
int status_for(const boost::system::error_code& ec) {
    if (ec == http::error::body_limit) {
        return 413;
    }
    if (ec == http::error::header_limit || ec == http::error::buffer_overflow) {
        return 431;
    }
    return ec.category() == make_error_code(http::error::end_of_stream).category() &&
                   ec != http::error::end_of_stream && ec != http::error::partial_message
               ? 400
               : 0;
}

struct Asked {
    HttpRequest request{};
    unsigned version = 11;
    int refusal = 0;  ///< HTTP status, when the request could not be read
};

struct Connection {
    Wire socket;
    boost::beast::flat_buffer buffer{header_limit + body_limit};

    Task<Result<Asked>> read() {
        Parser parser;
        parser.header_limit(header_limit);
        parser.body_limit(body_limit);
        const auto [ec, size] = co_await http::async_read(socket, buffer, parser, as_result);
        if (const int status = ec ? status_for(ec) : 0; status != 0) {
            co_return Asked{.request = {.keep_alive = false}, .refusal = status};
        }
        if (ec) {
            co_return fail(Errc::unavailable, ec.message());
        }
        const unsigned version = parser.get().version();
        co_return Asked{.request = from_wire(parser), .version = version};
    }

    Task<Result<>> write_bare(int status) {
        const auto reason = http::obsolete_reason(static_cast<http::status>(status));
        const std::string line =
            "HTTP/1.0 " + std::to_string(status) + " " + std::string(reason) + "\r\n\r\n";
        const auto [ec, size] = co_await asio::async_write(socket, asio::buffer(line), as_result);
        co_return ec ? Result<>(fail(Errc::unavailable, ec.message())) : Result<>{};
    }

    Task<Result<>> write(HttpResponse answer, unsigned version, bool keep_alive, bool head) {
        if (answer.bare) {
            co_return co_await write_bare(answer.status);
        }
        http::response<http::string_body> wire;
        wire.version(version);
        wire.result(static_cast<unsigned>(answer.status));
        for (const auto& [key, value] : answer.headers) {
            wire.set(key, value);
        }
        wire.keep_alive(keep_alive);
        wire.body() = std::move(answer.body);
        wire.prepare_payload();
        http::response_serializer<http::string_body> serializer(wire);
        boost::system::error_code ec;
        std::size_t size = 0;
        if (head) {
            std::tie(ec, size) = co_await http::async_write_header(socket, serializer, as_result);
        } else {
            std::tie(ec, size) = co_await http::async_write(socket, serializer, as_result);
        }
        co_return ec ? Result<>(fail(Errc::unavailable, ec.message())) : Result<>{};
    }
};

}  // namespace

struct HttpServer::Impl {
    Executor executor;
    Clock& clock;
    Handler handler;
    tcp::acceptor acceptor;
    std::shared_ptr<TlsContext> tls{};
    std::size_t connections = 0;

    struct Counted {
        std::size_t& count;
        explicit Counted(std::size_t& c) : count(c) { ++count; }
        Counted(const Counted&) = delete;
        ~Counted() { --count; }
    };

    Task<> serve(tcp::socket socket) {
        const Counted counted(connections);
        boost::system::error_code unknown;
        const auto peer = socket.remote_endpoint(unknown).address().to_string();
        Connection connection{.socket = Wire(std::move(socket))};
        bool more = true;
        if (const auto context = tls) {
            const auto secured = co_await within(clock, handshake_limit,
                                                 connection.socket.secure_as_server(context));
            more = secured.has_value();
        }
        const bool certified = more && connection.socket.peer_has_certificate();
        while (more) {
            auto asked = co_await within(clock, idle_limit, connection.read());
            if (!asked) {
                break;
            }
            const bool head = asked->request.method == "HEAD";
            more = asked->request.keep_alive;
            HttpResponse answer{.status = asked->refusal};
            if (asked->refusal == 0) {
                asked->request.peer = peer;
                asked->request.tls = connection.socket.is_tls();
                asked->request.client_certificate = certified;
                answer = co_await handler(std::move(asked->request));
            }
            more = more && !answer.bare;
            const auto written = co_await within(
                clock, idle_limit, connection.write(std::move(answer), asked->version, more, head));
            more = more && written;
        }
        (void)co_await within(clock, farewell_limit, connection.socket.end_tls());
        boost::system::error_code ignored;
        connection.socket.socket().shutdown(tcp::socket::shutdown_send, ignored);
    }
};

HttpServer::HttpServer(Executor executor, Clock& clock, Handler handler)
    : impl_(new Impl{executor, clock, std::move(handler), tcp::acceptor(executor)}) {}

HttpServer::~HttpServer() = default;

Result<> HttpServer::listen(const std::string& host, std::uint16_t port) {
    const auto refused = [&](const boost::system::error_code& ec) {
        const auto where = "port " + std::to_string(port) + " of " + host;
        return ec == asio::error::address_in_use
                   ? fail(Errc::io, where + " is in use", "see who has it: ss -ltnp")
                   : fail(Errc::io, "listen on " + where + ": " + ec.message());
    };
    boost::system::error_code ec;
    // Everywhere is IPv6 with IPv4 in it, as Patroni listens; without IPv6 in the kernel, IPv4.
    const bool everywhere = host.empty() || host == "*";
    tcp::endpoint endpoint(
        everywhere ? asio::ip::make_address("::") : asio::ip::make_address(host, ec), port);
    if (everywhere) {
        tcp::socket probe(impl_->executor);
        probe.open(tcp::v6(), ec);
        endpoint = ec ? tcp::endpoint(tcp::v4(), port) : endpoint;
        ec.clear();
    }
    if (ec) {
        tcp::resolver resolver(impl_->executor);
        const auto found = resolver.resolve(host, std::to_string(port), ec);
        if (ec) {
            return refused(ec);
        }
        endpoint = found.begin()->endpoint();
    }
    auto& acceptor = impl_->acceptor;
    acceptor.open(endpoint.protocol(), ec);
    if (!ec && everywhere && endpoint.protocol() == tcp::v6()) {
        acceptor.set_option(asio::ip::v6_only(false), ec);
    }
    if (!ec) {
        acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
    }
    if (!ec) {
        acceptor.bind(endpoint, ec);
    }
    if (!ec) {
        acceptor.listen(asio::socket_base::max_listen_connections, ec);
    }
    if (ec) {
        boost::system::error_code ignored;
        acceptor.close(ignored);
        return refused(ec);
    }
    return {};
}

void HttpServer::secure(std::shared_ptr<TlsContext> context) {
    impl_->tls = std::move(context);
}

Task<> HttpServer::run() {
    Scope sessions(impl_->executor);
    while (true) {
        auto [ec, socket] = co_await impl_->acceptor.async_accept(as_result);
        const auto cancelled = (co_await asio::this_coro::cancellation_state).cancelled();
        if (cancelled != asio::cancellation_type::none) {
            break;
        }
        if (ec) {  // no descriptors left, say
            const auto pause = co_await impl_->clock.until(impl_->clock.now() + Millis(100));
            if (!pause) {
                break;
            }
        } else if (impl_->connections < most_connections) {
            sessions.spawn(impl_->serve(std::move(socket)));
        }
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await sessions.close();
}

std::uint16_t HttpServer::port() const {
    boost::system::error_code ec;
    return impl_->acceptor.local_endpoint(ec).port();
}

}  // namespace howdah::io
