#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "io/task.h"
#include "io/tls.h"

namespace howdah::io {

struct HttpRequest {
    std::string method = "GET";
    std::string target = "/";                      ///< path and query, as on the wire
    std::map<std::string, std::string> headers{};  ///< names in lower case
    std::string body{};
    bool keep_alive = true;
    std::string peer{};               ///< server: the client's address, without port
    bool tls = false;                 ///< server: came over TLS,
    bool client_certificate = false;  ///< with a certificate that was verified
};
struct HttpResponse {
    int status = 200;
    std::map<std::string, std::string> headers{};
    std::string body{};
    bool bare =
        false;  ///< server: status line and no headers at all, as Patroni answers HEAD and OPTIONS
};

/// The body of an answer as it comes. Cancelling a read loses nothing.
class HttpStream {
public:
    ~HttpStream();
    /// Returns when more has come, or at the end. Errors: Errc::unavailable, Errc::cancelled.
    Task<Result<>> read();
    /// What has come since the last call.
    std::string take();
    bool ended() const;

private:
    friend class HttpClient;
    struct Impl;
    explicit HttpStream(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// One server's address; keeps connections and uses them again. Not thread-safe.
class HttpClient {
public:
    HttpClient(Executor executor, Clock& clock, std::string host, std::uint16_t port,
               std::shared_ptr<const TlsFiles> tls = nullptr);
    ~HttpClient();

    /// Errors: Errc::unavailable (no connection, or it broke), Errc::timeout. A request is sent
    /// again by itself only if a kept connection was closed before any of it was read by the server
    /// (nothing sent).
    Task<Result<HttpResponse>> send(HttpRequest request, Nanos limit);

    /// A POST whose answer is a stream of JSON objects, one a line or back to back. Each piece of
    /// body goes to `on_data` as it comes; false ends the stream. Returns when it ends. Errors:
    /// Errc::unavailable, Errc::timeout (no header within `header_limit`).
    Task<Result<>> stream(HttpRequest request, Nanos header_limit,
                          std::function<bool(std::string_view)> on_data);
    /// The same, to be read at the caller's pace; the stream must not outlive the executor.
    Task<Result<std::unique_ptr<HttpStream>>> open(HttpRequest request, Nanos header_limit);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// HTTP/1.0 and 1.1 with keep-alive for clients that ask. Bounded: header 16 KiB, body 1 MiB, 1,000
/// connections, 30 s idle.
class HttpServer {
public:
    using Handler = std::function<Task<HttpResponse>(HttpRequest)>;
    HttpServer(Executor executor, Clock& clock, Handler handler);
    ~HttpServer();

    /// Errors: Errc::io with the address ("port 8008 of 127.0.0.1 is in use").
    Result<> listen(const std::string& host, std::uint16_t port);
    /// Connections that are accepted from now on speak TLS.
    void secure(std::shared_ptr<TlsContext> context);
    /// Serves until cancelled.
    Task<> run();
    std::uint16_t port() const;  ///< useful when 0 was asked for

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace howdah::io
