#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/instant.h"
#include "base/result.h"
#include "io/fd.h"
#include "io/tls.h"

namespace howdah::io {

/// Whom a certificate names.
struct PeerNames {
    std::string common_name{};
    std::vector<std::string> hosts{};  ///< its subject alternative names, addresses as text

    bool operator==(const PeerNames&) const = default;
};

/// A listening TCP socket. `host`: an address, a name, or "" and "*" for all. Errors: Errc::io,
/// naming the place; Errc::invalid when the host is none of this machine.
Result<Fd> listen_tcp(const std::string& host, std::uint16_t port);

/// TCP inside TLS for threads that may wait: each call blocks until it is done, at most until
/// nothing has moved for `limit`. A peer whose host is gone is noticed within a minute, also while
/// nobody waits for it. One thread at a time; close_from_outside() is for any.
///
/// Errors: Errc::unavailable when the peer cannot be reached or has gone, Errc::timeout when it is
/// silent, Errc::invalid when one of the two does not accept the other's certificate or it speaks
/// no TLS, with what to do.
class SecureStream {
public:
    /// The peer's certificate must name `host`, a name or an address.
    static Result<std::unique_ptr<SecureStream>> connect(const std::string& host,
                                                         std::uint16_t port,
                                                         std::shared_ptr<TlsContext> context,
                                                         Millis limit);
    /// The server's end of a connection: shake_hands() comes first.
    static std::unique_ptr<SecureStream> accepted(Fd socket, std::shared_ptr<TlsContext> context);
    ~SecureStream();
    SecureStream(const SecureStream&) = delete;
    SecureStream& operator=(const SecureStream&) = delete;

    /// Of accepted(), once. Afterwards it is known who the peer is.
    Result<> shake_hands(Millis limit);
    Result<> write(Bytes bytes, Millis limit);
    /// Fills the front of `out` with what comes first; 0: the peer has ended the stream.
    Result<std::size_t> read_some(MutableBytes out, Millis limit);
    /// Fills `out`. Errors: also Errc::unavailable when the stream ends before.
    Result<> read(MutableBytes out, Millis limit);

    /// Whether a read would return at once: the peer has sent something, or has gone.
    bool has_input();
    const PeerNames& peer() const { return peer_; }
    /// "10.0.0.1:8432"; empty when it is not known.
    const std::string& peer_address() const { return address_; }
    /// Ends what is waited for, and all that comes, with an error.
    void close_from_outside() const;

private:
    struct Tls;
    SecureStream(Fd socket, std::shared_ptr<TlsContext> context);
    /// Waits for what OpenSSL wants after it returned `code`.
    Result<> wait_for(int code, Millis limit);
    Error failure(int code) const;

    Fd socket_;
    std::shared_ptr<TlsContext> context_;
    std::unique_ptr<Tls> tls_;
    PeerNames peer_{};
    std::string address_{};
    bool is_client_ = false;
    std::string asked_{};  ///< of a client: whom it wanted
};

}  // namespace howdah::io
