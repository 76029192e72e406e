#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace howdah::io {

/// What one side of TLS is made of; paths of PEM files, empty: none.
struct TlsFiles {
    std::string ca{}, cert{}, key{}, key_password{};
    std::string ciphers{};  ///< OpenSSL's list, up to TLS 1.2; empty: its default
    bool verify = true;     ///< client: the server's chain, by `ca` or else the system's store
    bool verify_host = true;
};

enum class ClientCertificates : std::uint8_t { none, optional, required };

/// Certificates that were read, and what is asked of the other side. Shared by connections.
struct TlsContext;
/// Errors: Errc::invalid with the file.
Result<std::shared_ptr<TlsContext>> tls_server(const TlsFiles& files, ClientCertificates clients);
Result<std::shared_ptr<TlsContext>> tls_client(const TlsFiles& files);

}  // namespace howdah::io
