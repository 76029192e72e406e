#include "files/s3/signature.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <span>
#include <vector>

#include "base/base64.h"
#include "base/result.h"

namespace howdah::files {
namespace {

constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";

std::string digest(const EVP_MD* kind, std::string_view text) {
    std::string out(static_cast<std::size_t>(EVP_MD_get_size(kind)), '\0');
    HD_CHECK(EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(out.data()),
                        nullptr, kind, nullptr) == 1);
    return out;
}

std::string hmac(std::string_view key, std::string_view text) {
    std::string out(32, '\0');
    HD_CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                  reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                  reinterpret_cast<unsigned char*>(out.data()), nullptr) != nullptr);
    return out;
}

std::string hex(std::string_view bytes) {
    std::string out;
    for (const auto each : bytes) {
        out += fmt::format("{:02x}", static_cast<unsigned char>(each));
    }
    return out;
}

/// Everything but RFC 3986's unreserved characters becomes %XX.
std::string encoded(std::string_view text, bool keep_slashes) {
    constexpr std::string_view unreserved =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    std::string out;
    for (const auto each : text) {
        const bool keep = unreserved.contains(each) || (keep_slashes && each == '/');
        out +=
            keep ? std::string(1, each) : fmt::format("%{:02X}", static_cast<unsigned char>(each));
    }
    return out;
}

std::string query_of(const S3Call& call) {
    std::vector<std::string> parts;  // the map's order is that of the signature
    for (const auto& [name, value] : call.query) {
        parts.push_back(encoded(name, false) + "=" + encoded(value, false));
    }
    return fmt::format("{}", fmt::join(parts, "&"));
}

}  // namespace

std::string target_of(const S3Call& call) {
    const auto query = query_of(call);
    return encoded(call.path, true) + (query.empty() ? "" : "?" + query);
}

std::string amazon_time(std::int64_t unix_seconds) {
    return fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(static_cast<std::time_t>(unix_seconds)));
}

std::string content_md5(std::string_view body) {
    return to_base64(digest(EVP_md5(), body));
}

std::map<std::string, std::string> signed_headers(const S3Call& call, const S3Credentials& who,
                                                  std::string_view region,
                                                  std::int64_t unix_seconds) {
    auto headers = call.headers;
    const auto time = amazon_time(unix_seconds);
    const auto content = hex(digest(EVP_sha256(), call.body));
    headers["x-amz-date"] = time;
    headers["x-amz-content-sha256"] = content;
    if (!who.token.empty()) {
        headers["x-amz-security-token"] = who.token;
    }
    std::vector<std::string> names;
    std::string lines;
    for (const auto& [name, value] : headers) {
        names.push_back(name);
        lines += name + ":" + value + "\n";
    }
    const auto signed_names = fmt::format("{}", fmt::join(names, ";"));
    const auto canonical =
        fmt::format("{}\n{}\n{}\n{}\n{}\n{}", call.method, encoded(call.path, true), query_of(call),
                    lines, signed_names, content);

    const auto day = time.substr(0, 8);
    const auto scope = fmt::format("{}/{}/s3/aws4_request", day, region);
    const auto to_sign =
        fmt::format("{}\n{}\n{}\n{}", algorithm, time, scope, hex(digest(EVP_sha256(), canonical)));
    auto key = hmac("AWS4" + who.secret, day);
    for (const auto part : {region, std::string_view("s3"), std::string_view("aws4_request")}) {
        key = hmac(key, part);
    }
    headers["authorization"] =
        fmt::format("{} Credential={}/{},SignedHeaders={},Signature={}", algorithm, who.key, scope,
                    signed_names, hex(hmac(key, to_sign)));
    return headers;
}

}  // namespace howdah::files
