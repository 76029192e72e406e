#include "io/secure_stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "io/wire.h"

namespace howdah::io {
namespace {

struct AddressesFree {
    void operator()(addrinfo* all) const { freeaddrinfo(all); }
};
using Addresses = std::unique_ptr<addrinfo, AddressesFree>;

Result<Addresses> look_up(const std::string& host, std::uint16_t port, int flags) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const auto* name = host.empty() || host == "*" ? nullptr : host.c_str();
    const int code = getaddrinfo(name, std::to_string(port).c_str(), &hints, &found);
    if (code != 0) {
        return fail(Errc::unavailable, fmt::format("look up {}: {}", host, gai_strerror(code)));
    }
    return Addresses(found);
}

std::unexpected<Error> unreachable(const std::string& place, int why) {
    return fail(Errc::unavailable, fmt::format("{}: {}", place, std::strerror(why)));
}

/// Notices a host that has gone: by questions into silence, and by what it does not acknowledge.
void keep_alive(int socket) {
    const auto set = [&](int level, int name, int value) {
        setsockopt(socket, level, name, &value, sizeof value);
    };
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, 20);
    set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
    set(IPPROTO_TCP, TCP_KEEPCNT, 3);
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, 60'000);
    set(IPPROTO_TCP, TCP_NODELAY, 1);
}

/// Errors: errno of poll, ETIMEDOUT.
int wait_on(int socket, short events, Millis limit) {
    pollfd waiting{.fd = socket, .events = events, .revents = 0};
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (true) {
        const auto left = std::chrono::ceil<Millis>(deadline - std::chrono::steady_clock::now());
        const int ready =
            poll(&waiting, 1, static_cast<int>(std::max<Millis::rep>(left.count(), 0)));
        if (ready > 0) {
            return 0;
        }
        if (ready == 0) {
            return ETIMEDOUT;
        }
        if (errno != EINTR) {
            return errno;
        }
    }
}

Result<Fd> connect_to(const addrinfo& address, const std::string& place, Millis limit) {
    Fd socket(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) {
        return unreachable(place, errno);
    }
    if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) != 0) {
        if (errno != EINPROGRESS) {
            return unreachable(place, errno);
        }
        if (const int why = wait_on(socket.get(), POLLOUT, limit); why != 0) {
            return unreachable(place, why);
        }
        int outcome = 0;
        socklen_t size = sizeof outcome;
        getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &outcome, &size);
        if (outcome != 0) {
            return unreachable(place, outcome);
        }
    }
    return socket;
}

std::string address_of(int socket) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    std::array<char, NI_MAXHOST> host{};
    std::array<char, NI_MAXSERV> port{};
    if (getpeername(socket, reinterpret_cast<sockaddr*>(&from), &size) != 0 ||
        getnameinfo(reinterpret_cast<sockaddr*>(&from), size, host.data(), host.size(), port.data(),
                    port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return {};
    }
    return fmt::format("{}:{}", host.data(), port.data());
}

// OpenSSL's own socket BIO raises SIGPIPE when the peer has gone.
int send_part(BIO* bio, const char* data, int size) {
    BIO_clear_retry_flags(bio);
    const auto socket = static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
    const auto sent = ::send(socket, data, static_cast<std::size_t>(size), MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_write(bio);
    }
    return static_cast<int>(sent);
}

int receive_part(BIO* bio, char* data, int size) {
    BIO_clear_retry_flags(bio);
    const auto socket = static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
    const auto got = ::recv(socket, data, static_cast<std::size_t>(size), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_read(bio);
    }
    if (got == 0) {
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    }
    return static_cast<int>(got);
}

long control(BIO* bio, int command, long /*argument*/, void* /*pointer*/) {
    return command == BIO_CTRL_FLUSH                                               ? 1
           : command == BIO_CTRL_EOF && BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1
                                                                                   : 0;
}

BIO* socket_bio(int socket) {
    static auto* const method = [] {
        auto* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
        HD_CHECK(made != nullptr);
        BIO_meth_set_write(made, send_part);
        BIO_meth_set_read(made, receive_part);
        BIO_meth_set_ctrl(made, control);
        return made;
    }();
    auto* bio = BIO_new(method);
    HD_CHECK(bio != nullptr);
    BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket)));
    BIO_set_init(bio, 1);
    return bio;
}

std::string text_of(const ASN1_STRING* string) {
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
            static_cast<std::size_t>(ASN1_STRING_length(string))};
}

std::string common_name_of(const X509* certificate) {
    const auto* subject = X509_get_subject_name(certificate);
    const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    return at < 0 ? "" : text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

std::string address_text(const ASN1_OCTET_STRING* address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const int family = ASN1_STRING_length(address) == 4 ? AF_INET : AF_INET6;
    return inet_ntop(family, ASN1_STRING_get0_data(address), text.data(), text.size()) != nullptr
               ? text.data()
               : "";
}

PeerNames names_in(const X509* certificate) {
    PeerNames names{.common_name = common_name_of(certificate)};
    auto* all = static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
    for (int i = 0; all != nullptr && i < sk_GENERAL_NAME_num(all); ++i) {
        const auto* name = sk_GENERAL_NAME_value(all, i);
        if (name->type == GEN_DNS) {
            names.hosts.push_back(text_of(name->d.dNSName));
        } else if (name->type == GEN_IPADD) {
            names.hosts.push_back(address_text(name->d.iPAddress));
        }
    }
    GENERAL_NAMES_free(all);
    return names;
}

/// What the peer found wrong with our certificate, by the alert that it sent. Source: RFC 8446,
/// section 6.2.
std::string refusal_by_peer(int reason) {
    switch (reason) {
        case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
            return "it wants a certificate from this host, and got none";
        case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
            return "its CA is not the one that signed this host's certificate";
        case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
            return "this host's certificate has expired";
        case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
        case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
        case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
        case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
        case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
            return "it does not accept this host's certificate";
        case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
            return "it speaks no TLS version that this host does";
        default:
            return {};
    }
}

/// What is wrong with the peer's certificate.
std::string refusal_of_peer(long verified, const std::string& asked) {
    switch (verified) {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return "its certificate has expired";
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return "its certificate is not valid yet; do the clocks agree?";
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
            return fmt::format("its certificate is not for {}", asked);
        default:
            return fmt::format("this host's CA did not sign its certificate ({})",
                               X509_verify_cert_error_string(verified));
    }
}

}  // namespace

struct SecureStream::Tls {
    SSL* ssl;
    explicit Tls(SSL* made) : ssl(made) {}
    Tls(const Tls&) = delete;
    Tls& operator=(const Tls&) = delete;
    ~Tls() { SSL_free(ssl); }
};

Result<Fd> listen_tcp(const std::string& host, std::uint16_t port) {
    const auto place = fmt::format("{}:{}", host.empty() ? "*" : host, port);
    HD_TRY(const auto addresses, look_up(host, port, AI_PASSIVE));
    int why = 0;
    for (const auto* each = addresses.get(); each != nullptr; each = each->ai_next) {
        Fd socket(::socket(each->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        const int yes = 1;
        if (socket && setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
            bind(socket.get(), each->ai_addr, each->ai_addrlen) == 0 &&
            ::listen(socket.get(), SOMAXCONN) == 0) {
            return socket;
        }
        why = errno;
    }
    return fail(why == EADDRNOTAVAIL ? Errc::invalid : Errc::io,
                fmt::format("listen on {}: {}", place, std::strerror(why)),
                why == EADDRINUSE ? "another process listens there" : "");
}

SecureStream::SecureStream(Fd socket, std::shared_ptr<TlsContext> context)
    : socket_(std::move(socket)),
      context_(std::move(context)),
      tls_(std::make_unique<Tls>(SSL_new(context_->context.native_handle()))),
      address_(address_of(socket_.get())) {
    HD_CHECK(tls_->ssl != nullptr);
    keep_alive(socket_.get());
    auto* bio = socket_bio(socket_.get());
    SSL_set_bio(tls_->ssl, bio, bio);
    // Then nothing comes that is not asked for: has_input() means what it says.
    SSL_set_num_tickets(tls_->ssl, 0);
    SSL_set_mode(tls_->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

SecureStream::~SecureStream() {
    if (SSL_is_init_finished(tls_->ssl) != 0) {
        ERR_clear_error();
        SSL_shutdown(tls_->ssl);
        ERR_clear_error();
    }
}

Result<std::unique_ptr<SecureStream>> SecureStream::connect(const std::string& host,
                                                            std::uint16_t port,
                                                            std::shared_ptr<TlsContext> context,
                                                            Millis limit) {
    const auto place = fmt::format("{}:{}", host, port);
    HD_TRY(const auto addresses, look_up(host, port, 0));
    Result<Fd> socket = fail(Errc::unavailable, place + ": no address");
    for (const auto* each = addresses.get(); each != nullptr && !socket; each = each->ai_next) {
        socket = connect_to(*each, place, limit);
    }
    HD_TRY(auto connected, std::move(socket));
    std::unique_ptr<SecureStream> stream(
        new SecureStream(std::move(connected), std::move(context)));
    stream->is_client_ = true;
    stream->asked_ = host;
    auto* ssl = stream->tls_->ssl;
    SSL_set_connect_state(ssl);
    auto* wanted = SSL_get0_param(ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) != 1) {
        SSL_set1_host(ssl, host.c_str());
        SSL_set_tlsext_host_name(ssl, host.c_str());
    }
    if (auto done = stream->shake_hands(limit); !done) {
        return std::unexpected(std::move(done).error().within(place));
    }
    return stream;
}

std::unique_ptr<SecureStream> SecureStream::accepted(Fd socket,
                                                     std::shared_ptr<TlsContext> context) {
    fcntl(socket.get(), F_SETFL, O_NONBLOCK);
    std::unique_ptr<SecureStream> stream(new SecureStream(std::move(socket), std::move(context)));
    SSL_set_accept_state(stream->tls_->ssl);
    return stream;
}

Result<> SecureStream::shake_hands(Millis limit) {
    while (true) {
        ERR_clear_error();
        const int code = SSL_do_handshake(tls_->ssl);
        if (code == 1) {
            break;
        }
        HD_TRY_VOID(wait_for(code, limit));
    }
    if (auto* certificate = SSL_get1_peer_certificate(tls_->ssl)) {
        peer_ = names_in(certificate);
        X509_free(certificate);
    }
    return {};
}

Result<> SecureStream::wait_for(int code, Millis limit) {
    const int wanted = SSL_get_error(tls_->ssl, code);
    if (wanted != SSL_ERROR_WANT_READ && wanted != SSL_ERROR_WANT_WRITE) {
        return std::unexpected(failure(wanted));
    }
    const auto events = static_cast<short>(wanted == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT);
    const int why = wait_on(socket_.get(), events, limit);
    if (why == ETIMEDOUT) {
        return fail(Errc::timeout, fmt::format("nothing has moved for {} s",
                                               std::chrono::duration<double>(limit).count()));
    }
    return why == 0 ? Result<>{} : fail(Errc::unavailable, std::strerror(why));
}

Error SecureStream::failure(int wanted) const {
    const int why = errno;
    const auto queued = ERR_peek_last_error();
    const int reason = ERR_GET_REASON(queued);
    const auto is_tls = ERR_GET_LIB(queued) == ERR_LIB_SSL;
    if (wanted == SSL_ERROR_ZERO_RETURN ||
        (is_tls && reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)) {
        return {.code = Errc::unavailable, .message = "the other side has closed the connection"};
    }
    if (is_tls && reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        return {.code = Errc::invalid,
                .message = refusal_of_peer(SSL_get_verify_result(tls_->ssl), asked_),
                .hint = "both need certificates of one CA: howdah cert makes them"};
    }
    if (is_tls && reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        return {.code = Errc::invalid, .message = "it has sent no certificate"};
    }
    if (is_tls &&
        (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST ||
         reason == SSL_R_PACKET_LENGTH_TOO_LONG || reason == SSL_R_NO_PROTOCOLS_AVAILABLE)) {
        return {.code = Errc::invalid,
                .message = "it speaks no TLS",
                .hint = is_client_ ? "does Howdah listen on that port?" : ""};
    }
    if (auto refused = is_tls ? refusal_by_peer(reason) : ""; !refused.empty()) {
        return {.code = Errc::invalid,
                .message = std::move(refused),
                .hint = "both need certificates of one CA: howdah cert makes them"};
    }
    if (queued == 0) {
        return {.code = Errc::unavailable,
                .message = why == 0 ? "the connection broke" : std::strerror(why)};
    }
    const auto* words = ERR_reason_error_string(queued);
    return {.code = Errc::unavailable,
            .message = fmt::format("TLS: {}", words == nullptr ? "error" : words)};
}

Result<> SecureStream::write(Bytes bytes, Millis limit) {
    while (!bytes.empty()) {
        ERR_clear_error();
        std::size_t sent = 0;
        const int code = SSL_write_ex(tls_->ssl, bytes.data(), bytes.size(), &sent);
        if (code == 1) {
            bytes = bytes.subspan(sent);
            continue;
        }
        HD_TRY_VOID(wait_for(code, limit));
    }
    return {};
}

Result<std::size_t> SecureStream::read_some(MutableBytes out, Millis limit) {
    while (true) {
        ERR_clear_error();
        errno = 0;
        std::size_t got = 0;
        const int code = SSL_read_ex(tls_->ssl, out.data(), out.size(), &got);
        if (code == 1) {
            return got;
        }
        if (SSL_get_error(tls_->ssl, code) == SSL_ERROR_ZERO_RETURN) {
            return std::size_t{0};
        }
        HD_TRY_VOID(wait_for(code, limit));
    }
}

Result<> SecureStream::read(MutableBytes out, Millis limit) {
    while (!out.empty()) {
        HD_TRY(const auto got, read_some(out, limit));
        if (got == 0) {
            return fail(Errc::unavailable, "the other side has closed the connection");
        }
        out = out.subspan(got);
    }
    return {};
}

bool SecureStream::has_input() {
    ERR_clear_error();
    char byte = 0;
    std::size_t got = 0;
    const int code = SSL_peek_ex(tls_->ssl, &byte, 1, &got);
    if (code == 1) {
        return true;
    }
    const int wanted = SSL_get_error(tls_->ssl, code);
    return wanted != SSL_ERROR_WANT_READ && wanted != SSL_ERROR_WANT_WRITE;
}

void SecureStream::close_from_outside() const {
    ::shutdown(socket_.get(), SHUT_RDWR);
}

}  // namespace howdah::io
