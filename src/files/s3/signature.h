#pragma once

#include <map>
#include <string>
#include <string_view>

/// AWS Signature Version 4, as S3 wants it. Source: Amazon S3 API Reference, "Authenticating
/// Requests: Using the Authorization Header".
namespace howdah::files {

struct S3Credentials {
    std::string key{}, secret{};
    std::string token{};  ///< of temporary credentials; else empty
};

/// A request before it is written. Values are as meant, not encoded.
struct S3Call {
    std::string method = "GET";
    std::string path{};  ///< begins with '/'
    std::map<std::string, std::string> query{};
    std::map<std::string, std::string> headers{};  ///< names in lower case; `host` is there
    std::string body{};
};

/// "/a%20b?list-type=2&prefix=x%2F": path and query as they stand in a request line.
std::string target_of(const S3Call& call);

/// `call.headers` with x-amz-date, x-amz-content-sha256, x-amz-security-token and authorization.
/// `unix_seconds`: now; a server refuses what is more than 15 minutes off.
std::map<std::string, std::string> signed_headers(const S3Call& call, const S3Credentials& who,
                                                  std::string_view region,
                                                  std::int64_t unix_seconds);

/// "20130524T000000Z"
std::string amazon_time(std::int64_t unix_seconds);
/// Base64 of the MD5, as the header content-md5 has it.
std::string content_md5(std::string_view body);

}  // namespace howdah::files
