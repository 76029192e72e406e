#include "io/certificates.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <array>
#include <memory>

namespace howdah::io {
namespace {

template <auto release>
struct Release {
    template <class T>
    void operator()(T* object) const {
        release(object);
    }
};
using Key = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;
using X509Ptr = std::unique_ptr<X509, Release<X509_free>>;
using Bio = std::unique_ptr<BIO, Release<BIO_free_all>>;

std::unexpected<Error> openssl_error(std::string_view what) {
    const auto* words = ERR_reason_error_string(ERR_peek_last_error());
    return fail(Errc::io, fmt::format("{}: {}", what, words == nullptr ? "OpenSSL failed" : words));
}

std::string content(BIO* bio) {
    char* data = nullptr;
    const auto size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(size)};
}

Result<Certificate> as_pem(X509* certificate, EVP_PKEY* key) {
    const Bio one(BIO_new(BIO_s_mem())), other(BIO_new(BIO_s_mem()));
    if (PEM_write_bio_X509(one.get(), certificate) != 1 ||
        PEM_write_bio_PKCS8PrivateKey(other.get(), key, nullptr, nullptr, 0, nullptr, nullptr) !=
            1) {
        return openssl_error("write a certificate");
    }
    return Certificate{.certificate = content(one.get()), .key = content(other.get())};
}

/// 159 random bits: positive, and no two are the same. Source: RFC 5280, 4.1.2.2.
bool set_serial(X509* certificate) {
    std::array<unsigned char, 20> random{};
    if (RAND_bytes(random.data(), random.size()) != 1) {
        return false;
    }
    random[0] = (random[0] & 0x7f) | 0x40;
    const std::unique_ptr<BIGNUM, Release<BN_free>> number(
        BN_bin2bn(random.data(), random.size(), nullptr));
    return BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_name(X509_NAME* name, const std::string& common_name) {
    return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                      reinterpret_cast<const unsigned char*>(common_name.data()),
                                      static_cast<int>(common_name.size()), -1, 0) == 1;
}

bool add_extension(X509* certificate, X509* issuer, int what, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    auto* extension = X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str());
    const bool added = extension != nullptr && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

/// Valid from an hour ago, for clocks that do not agree.
bool set_time(X509* certificate, int days) {
    constexpr long day = 86'400, slack = 3'600;
    const auto end = day * days;
    return X509_gmtime_adj(X509_getm_notBefore(certificate), std::min(-slack, end - slack)) !=
               nullptr &&
           X509_gmtime_adj(X509_getm_notAfter(certificate), end) != nullptr;
}

Result<X509Ptr> unsigned_certificate(EVP_PKEY* key, const std::string& name, int days) {
    X509Ptr made(X509_new());
    if (made == nullptr || X509_set_version(made.get(), X509_VERSION_3) != 1 ||
        !set_serial(made.get()) || !set_time(made.get(), days) ||
        !set_name(X509_get_subject_name(made.get()), name) ||
        X509_set_pubkey(made.get(), key) != 1) {
        return openssl_error(fmt::format("make a certificate for {}", name));
    }
    return made;
}

bool is_address(const std::string& name) {
    std::array<unsigned char, 16> binary{};
    return inet_pton(AF_INET, name.c_str(), binary.data()) == 1 ||
           inet_pton(AF_INET6, name.c_str(), binary.data()) == 1;
}

bool is_name(const std::string& name) {
    return !name.empty() && name.size() <= 64 &&
           name.find_first_not_of(
               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
               ".-_") == std::string::npos;
}

Result<std::string> alternative_names(const std::vector<std::string>& names) {
    std::string all;
    for (const auto& name : names) {
        const auto address = is_address(name);
        if (!address && !is_name(name)) {
            return fail(Errc::invalid,
                        fmt::format("'{}' is neither a host name nor an address", name));
        }
        all += fmt::format("{}{}:{}", all.empty() ? "" : ",", address ? "IP" : "DNS", name);
    }
    return all;
}

}  // namespace

Result<Certificate> make_ca(const std::string& name, int days) {
    const Key key(EVP_EC_gen("P-256"));
    if (key == nullptr) {
        return openssl_error("make a key");
    }
    HD_TRY(const auto made, unsigned_certificate(key.get(), name, days));
    auto* ca = made.get();
    if (X509_set_issuer_name(ca, X509_get_subject_name(ca)) != 1 ||
        !add_extension(ca, ca, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_extension(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_extension(ca, ca, NID_subject_key_identifier, "hash") ||
        X509_sign(ca, key.get(), EVP_sha256()) == 0) {
        return openssl_error("make a CA");
    }
    return as_pem(ca, key.get());
}

Result<Certificate> make_host_certificate(const Certificate& ca,
                                          const std::vector<std::string>& names, int days) {
    HD_CHECK(!names.empty());
    HD_TRY(const auto alternatives, alternative_names(names));
    const Bio certificate_text(
        BIO_new_mem_buf(ca.certificate.data(), static_cast<int>(ca.certificate.size())));
    const Bio key_text(BIO_new_mem_buf(ca.key.data(), static_cast<int>(ca.key.size())));
    const X509Ptr issuer(PEM_read_bio_X509(certificate_text.get(), nullptr, nullptr, nullptr));
    const Key issuer_key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr));
    if (issuer == nullptr || issuer_key == nullptr ||
        X509_check_private_key(issuer.get(), issuer_key.get()) != 1) {
        return fail(Errc::invalid,
                    "the CA's certificate and key cannot be read, or are not of one pair");
    }
    const Key key(EVP_EC_gen("P-256"));
    if (key == nullptr) {
        return openssl_error("make a key");
    }
    HD_TRY(const auto made, unsigned_certificate(key.get(), names.front(), days));
    auto* host = made.get();
    if (X509_set_issuer_name(host, X509_get_subject_name(issuer.get())) != 1 ||
        !add_extension(host, issuer.get(), NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(host, issuer.get(), NID_key_usage, "critical,digitalSignature") ||
        !add_extension(host, issuer.get(), NID_ext_key_usage, "serverAuth,clientAuth") ||
        !add_extension(host, issuer.get(), NID_subject_alt_name, alternatives) ||
        !add_extension(host, issuer.get(), NID_authority_key_identifier, "keyid") ||
        X509_sign(host, issuer_key.get(), EVP_sha256()) == 0) {
        return openssl_error(fmt::format("make a certificate for {}", names.front()));
    }
    return as_pem(host, key.get());
}

}  // namespace howdah::io
