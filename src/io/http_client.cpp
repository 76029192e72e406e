#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "io/http.h"
#include "io/wire.h"

namespace howdah::io {
namespace {

namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using Endpoints = std::vector<tcp::endpoint>;

constexpr std::size_t kept_connections = 4;
constexpr std::uint64_t body_limit = 64 * 1024 * 1024;

/// Asio looks names up on a thread of its own and cannot be hurried: what waits here is only a
/// timer.
struct Lookup {
    tcp::resolver resolver;
    asio::steady_timer done;
    std::optional<boost::system::error_code> ended{};
    Endpoints found{};
    explicit Lookup(const Executor& executor) : resolver(executor), done(executor) {
        done.expires_at(asio::steady_timer::time_point::max());
    }
};

Task<Result<Endpoints>> look_up(Executor executor, std::string host, std::uint16_t port) {
    boost::system::error_code ec;
    if (const auto address = asio::ip::make_address(host, ec); !ec) {
        co_return Endpoints{tcp::endpoint(address, port)};
    }
    auto lookup = std::make_shared<Lookup>(executor);
    lookup->resolver.async_resolve(host, std::to_string(port),
                                   [lookup](boost::system::error_code error, const auto& results) {
                                       lookup->ended = error;
                                       for (const auto& entry : results) {
                                           lookup->found.push_back(entry.endpoint());
                                       }
                                       lookup->done.cancel();
                                   });
    co_await lookup->done.async_wait(as_result);
    if (!lookup->ended) {
        co_return fail(Errc::cancelled, "look-up of " + host + " cancelled");
    }
    if (*lookup->ended) {
        co_return fail(Errc::unavailable, "look up " + host + ": " + lookup->ended->message());
    }
    co_return std::move(lookup->found);
}

/// The body lasts until the server closes, and it closed TCP without a word of TLS, as Python's
/// servers do, too.
template <class Parser>
bool closing_ended_it(const boost::system::error_code& ec, const Parser& parser) {
    return ec == asio::ssl::error::stream_truncated && parser.is_header_done() && parser.need_eof();
}

/// A kept connection that the server closed, or on which it sent what nobody asked for.
bool stale(Wire& wire) {
    char byte = 0;
    const auto n = ::recv(wire.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

}  // namespace

struct HttpStream::Impl {
    Wire socket;
    std::string name;
    boost::beast::flat_buffer buffer{};
    http::response_parser<http::string_body> parser{};
    Impl(Wire connected, std::string peer) : socket(std::move(connected)), name(std::move(peer)) {}
};

struct HttpClient::Impl {
    Executor executor;
    Clock& clock;
    std::string host;
    std::uint16_t port;
    std::shared_ptr<const TlsFiles> tls;
    std::shared_ptr<TlsContext> context{};  ///< of `tls`, once it was read
    std::vector<Wire> idle{};

    using Request = http::request<http::string_body>;

    std::string name() const { return host + ":" + std::to_string(port); }

    std::unexpected<Error> broken(const boost::system::error_code& ec) const {
        return fail(ec == asio::error::operation_aborted ? Errc::cancelled : Errc::unavailable,
                    name() + ": " + ec.message());
    }

    Task<Result<Wire>> connect() {
        if (tls && !context) {
            HD_CO_TRY(context, tls_client(*tls));
        }
        HD_CO_TRY(const auto endpoints, co_await look_up(executor, host, port));
        tcp::socket socket(executor);
        const auto [ec, used] = co_await asio::async_connect(socket, endpoints, as_result);
        if (ec) {
            co_return broken(ec);
        }
        boost::system::error_code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        Wire wire(std::move(socket));
        if (context) {
            HD_CO_TRY_VOID(co_await wire.secure_as_client(context, host));
        }
        co_return wire;
    }

    std::optional<Wire> take_idle() {
        while (!idle.empty()) {
            auto socket = std::move(idle.back());
            idle.pop_back();
            if (!stale(socket)) {
                return socket;
            }
        }
        return std::nullopt;
    }

    void keep(Wire socket) {
        if (idle.size() < kept_connections) {
            idle.push_back(std::move(socket));
        }
    }

    Request to_wire(const HttpRequest& request) const {
        Request wire;
        wire.version(11);
        wire.method_string(request.method);
        wire.target(request.target);
        wire.set(http::field::host, name());
        for (const auto& [key, value] : request.headers) {
            wire.set(key, value);
        }
        wire.keep_alive(request.keep_alive);
        wire.body() = request.body;
        wire.prepare_payload();
        return wire;
    }

    /// A connection on which `wire` went out.
    Task<Result<Wire>> send(const Request& wire) {
        if (auto kept = take_idle()) {
            const auto [ec, sent] = co_await http::async_write(*kept, wire, as_result);
            if (!ec) {
                co_return std::move(*kept);
            }
            if (sent > 0 || ec == asio::error::operation_aborted) {
                co_return broken(ec);
            }
        }
        HD_CO_TRY(auto socket, co_await connect());
        const auto [ec, sent] = co_await http::async_write(socket, wire, as_result);
        if (ec) {
            co_return broken(ec);
        }
        co_return socket;
    }

    Task<Result<HttpResponse>> exchange(HttpRequest request) {
        const auto wire = to_wire(request);
        HD_CO_TRY(auto socket, co_await send(wire));
        boost::beast::flat_buffer buffer;
        http::response_parser<http::string_body> parser;
        parser.body_limit(body_limit);
        parser.skip(request.method == "HEAD");
        const auto [ec, size] = co_await http::async_read(socket, buffer, parser, as_result);
        if (ec && !closing_ended_it(ec, parser)) {
            co_return broken(ec);
        }
        auto answer = parser.release();
        if (answer.keep_alive() && request.keep_alive) {
            keep(std::move(socket));
        }
        HttpResponse result{.status = static_cast<int>(answer.result_int())};
        for (const auto& field : answer) {
            std::string key(field.name_string());
            for (auto& c : key) {
                c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
            }
            result.headers[key] = std::string(field.value());
        }
        result.body = std::move(answer.body());
        co_return result;
    }

    Task<Result<std::unique_ptr<HttpStream::Impl>>> open(HttpRequest request) {
        const auto wire = to_wire(request);
        HD_CO_TRY(auto socket, co_await send(wire));
        auto stream = std::make_unique<HttpStream::Impl>(std::move(socket), name());
        stream->parser.body_limit(boost::none);
        const auto [ec, size] = co_await http::async_read_header(stream->socket, stream->buffer,
                                                                 stream->parser, as_result);
        if (ec) {
            co_return broken(ec);
        }
        if (const auto status = stream->parser.get().result_int(); status != 200) {
            stream->parser.body_limit(body_limit);
            co_await http::async_read(stream->socket, stream->buffer, stream->parser, as_result);
            co_return fail(Errc::unavailable, name() + ": HTTP status " + std::to_string(status) +
                                                  ": " + stream->parser.get().body());
        }
        co_return stream;
    }
};

HttpClient::HttpClient(Executor executor, Clock& clock, std::string host, std::uint16_t port,
                       std::shared_ptr<const TlsFiles> tls)
    : impl_(new Impl{executor, clock, std::move(host), port, std::move(tls)}) {}

HttpClient::~HttpClient() = default;

Task<Result<HttpResponse>> HttpClient::send(HttpRequest request, Nanos limit) {
    auto answer = co_await within(impl_->clock, limit, impl_->exchange(std::move(request)));
    if (!answer && answer.error().code == Errc::timeout) {
        co_return std::unexpected(std::move(answer).error().within(impl_->name()));
    }
    co_return answer;
}

Task<Result<>> HttpClient::stream(HttpRequest request, Nanos header_limit,
                                  std::function<bool(std::string_view)> on_data) {
    HD_CO_TRY(const auto stream, co_await open(std::move(request), header_limit));
    while (true) {
        if (const auto text = stream->take(); !text.empty() && !on_data(text)) {
            co_return Result<>{};
        }
        if (stream->ended()) {
            co_return Result<>{};
        }
        HD_CO_TRY_VOID(co_await stream->read());
    }
}

Task<Result<std::unique_ptr<HttpStream>>> HttpClient::open(HttpRequest request,
                                                           Nanos header_limit) {
    HD_CO_TRY(auto opened,
              co_await within(impl_->clock, header_limit, impl_->open(std::move(request))));
    co_return std::unique_ptr<HttpStream>(new HttpStream(std::move(opened)));
}

HttpStream::HttpStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpStream::~HttpStream() = default;

Task<Result<>> HttpStream::read() {
    auto& s = *impl_;
    while (s.parser.get().body().empty() && !s.parser.is_done()) {
        const auto [ec, size] =
            co_await http::async_read_some(s.socket, s.buffer, s.parser, as_result);
        if (ec == asio::error::operation_aborted) {
            co_return fail(Errc::cancelled, s.name + ": " + ec.message());
        }
        if (ec && !s.parser.is_done()) {
            co_return fail(Errc::unavailable, s.name + ": " + ec.message());
        }
    }
    co_return Result<>{};
}

std::string HttpStream::take() {
    return std::exchange(impl_->parser.get().body(), {});
}

bool HttpStream::ended() const {
    return impl_->parser.is_done();
}

}  // namespace howdah::io
