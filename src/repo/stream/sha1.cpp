#include "repo/stream/sha1.h"

#include <openssl/evp.h>

#include "base/result.h"

namespace howdah::repo {
namespace {

// Looked up once: a lookup for each of millions of small files costs more than the sum.
const EVP_MD* algorithm() {
    static const EVP_MD* const sha1 = EVP_MD_fetch(nullptr, "SHA1", nullptr);
    HD_CHECK(sha1 != nullptr);
    return sha1;
}

int value_of(char digit) {
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

}  // namespace

std::string Sha1Digest::hex() const {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const auto byte : bytes) {
        text += digits[std::to_integer<std::size_t>(byte >> 4)];
        text += digits[std::to_integer<std::size_t>(byte & std::byte{15})];
    }
    return text;
}

std::optional<Sha1Digest> Sha1Digest::parse(std::string_view text) {
    Sha1Digest digest;
    if (text.size() != digest.bytes.size() * 2) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < digest.bytes.size(); ++i) {
        const int high = value_of(text[2 * i]);
        const int low = value_of(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        digest.bytes[i] = static_cast<std::byte>(high * 16 + low);
    }
    return digest;
}

void Sha1::Free::operator()(evp_md_ctx_st* context) const {
    EVP_MD_CTX_free(context);
}

Sha1::Sha1() : context_(EVP_MD_CTX_new()) {
    HD_CHECK(context_ != nullptr);
    begin();
}

void Sha1::begin() {
    HD_CHECK(EVP_DigestInit_ex(context_.get(), algorithm(), nullptr) == 1);
}

void Sha1::update(Bytes bytes) {
    HD_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

Sha1Digest Sha1::finish() {
    Sha1Digest digest;
    unsigned size = 0;
    HD_CHECK(EVP_DigestFinal_ex(context_.get(), octets(MutableBytes(digest.bytes)), &size) == 1);
    HD_CHECK(size == digest.bytes.size());
    begin();
    return digest;
}

Sha1Digest sha1_of(Bytes bytes) {
    Sha1 sum;
    sum.update(bytes);
    return sum.finish();
}

}  // namespace howdah::repo
