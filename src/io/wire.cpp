#include "io/wire.h"

#include <openssl/ssl.h>

namespace howdah::io {
namespace {

using Context = asio::ssl::context;

std::string words(const boost::system::error_code& ec) {
    return ec.message();
}

Result<> load(TlsContext& tls, const TlsFiles& files) {
    auto& context = tls.context;
    boost::system::error_code ec;
    context.set_options(Context::default_workarounds | Context::no_sslv2 | Context::no_sslv3 |
                            Context::no_tlsv1 | Context::no_tlsv1_1,
                        ec);
    context.set_password_callback([password = files.key_password](
                                      std::size_t, Context::password_purpose) { return password; },
                                  ec);
    if (!files.cert.empty()) {
        context.use_certificate_chain_file(files.cert, ec);
        if (ec) {
            return fail(Errc::invalid, files.cert + ": " + words(ec), "it must be a PEM file");
        }
        const auto& key = files.key.empty() ? files.cert : files.key;
        context.use_private_key_file(key, Context::pem, ec);
        if (ec) {
            return fail(Errc::invalid, key + ": " + words(ec),
                        "it must hold the key of the certificate");
        }
    }
    if (!files.ca.empty()) {
        context.load_verify_file(files.ca, ec);
        if (ec) {
            return fail(Errc::invalid, files.ca + ": " + words(ec), "it must be a PEM file");
        }
    }
    if (!files.ciphers.empty() &&
        SSL_CTX_set_cipher_list(context.native_handle(), files.ciphers.c_str()) != 1) {
        return fail(Errc::invalid, "\"" + files.ciphers + "\" names no cipher",
                    "see openssl ciphers");
    }
    return {};
}

}  // namespace

Result<std::shared_ptr<TlsContext>> tls_server(const TlsFiles& files, ClientCertificates clients) {
    auto tls = std::make_shared<TlsContext>(Context::tls_server);
    HD_TRY_VOID(load(*tls, files));
    boost::system::error_code ec;
    tls->context.set_verify_mode(
        clients == ClientCertificates::none ? asio::ssl::verify_none
        : clients == ClientCertificates::optional
            ? asio::ssl::verify_peer
            : asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert,
        ec);
    return tls;
}

Result<std::shared_ptr<TlsContext>> tls_client(const TlsFiles& files) {
    auto tls = std::make_shared<TlsContext>(Context::tls_client);
    HD_TRY_VOID(load(*tls, files));
    boost::system::error_code ec;
    if (files.verify && files.ca.empty()) {
        tls->context.set_default_verify_paths(ec);
    }
    tls->context.set_verify_mode(files.verify ? asio::ssl::verify_peer : asio::ssl::verify_none,
                                 ec);
    tls->verify = files.verify;
    tls->verify_host = files.verify && files.verify_host;
    return tls;
}

Task<Result<>> Wire::secure_as_client(std::shared_ptr<TlsContext> context, std::string host) {
    context_ = std::move(context);
    tls_ = std::make_unique<Tls>(*std::exchange(plain_, std::nullopt), context_->context);
    boost::system::error_code ignored;
    if (asio::ip::make_address(host, ignored); ignored) {
        SSL_set_tlsext_host_name(tls_->native_handle(), host.c_str());
    }
    if (context_->verify_host) {
        tls_->set_verify_callback(asio::ssl::host_name_verification(host), ignored);
    }
    const auto [ec] = co_await tls_->async_handshake(Tls::client, as_result);
    co_return ec ? Result<>(fail(Errc::unavailable, "TLS with " + host + ": " + words(ec)))
                 : Result<>{};
}

Task<Result<>> Wire::secure_as_server(std::shared_ptr<TlsContext> context) {
    context_ = std::move(context);
    tls_ = std::make_unique<Tls>(*std::exchange(plain_, std::nullopt), context_->context);
    const auto [ec] = co_await tls_->async_handshake(Tls::server, as_result);
    co_return ec ? Result<>(fail(Errc::unavailable, "TLS: " + words(ec))) : Result<>{};
}

Task<Result<>> Wire::end_tls() {
    if (!tls_ || SSL_is_init_finished(tls_->native_handle()) == 0) {
        co_return Result<>{};
    }
    const auto [ec] = co_await tls_->async_shutdown(as_result);
    co_return ec ? Result<>(fail(Errc::unavailable, "TLS: " + words(ec))) : Result<>{};
}

bool Wire::peer_has_certificate() const {
    if (!tls_) {
        return false;
    }
    auto* certificate = SSL_get1_peer_certificate(tls_->native_handle());
    X509_free(certificate);
    return certificate != nullptr;
}

}  // namespace howdah::io
