#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/instant.h"
#include "base/result.h"
#include "files/s3/signature.h"
#include "io/http.h"
#include "io/tls.h"

namespace howdah::files {

/// Where a bucket is, and how it is spoken to.
struct S3Options {
    std::string bucket{}, endpoint{}, region{};
    std::string root{};  ///< what all keys begin with: "/demo-repo"
    S3Credentials who{};
    bool path_style = false;  ///< bucket in the path, not in the name of the host
    std::string host{};       ///< to connect to instead of the endpoint's name
    std::uint16_t port = 443;
    std::shared_ptr<const io::TlsFiles> tls = std::make_shared<io::TlsFiles>();  ///< null: tests
    std::string kms_key_id{};    ///< server-side encryption with a key of AWS's key service
    std::string customer_key{};  ///< server-side encryption with our own key, in base64
    std::size_t part_bytes = std::size_t{8} << 20;  ///< larger objects come and go in such parts
    Nanos request_limit = std::chrono::minutes(1);  ///< of one try; none begins after it
    int tries = 6;
    Nanos first_pause = std::chrono::milliseconds(100);  ///< before the second try; then thrice it
};

/// Sends signed requests to one bucket, each from the thread that calls; connections are kept and
/// used again. Thread-safe.
class S3Client {
public:
    explicit S3Client(S3Options options);
    ~S3Client();

    const S3Options& options() const { return options_; }
    /// "s3://bucket/key", for messages.
    std::string url(std::string_view key) const;

    /// `call.path`: the key, without the bucket. Returns answers with status 2xx, 404, 412, 416 and
    /// those of `expected`; what passes (no connection, time-outs, 429, 5xx) is tried again.
    /// Errors: Errc::unavailable when all tries were used up, so that it is unknown whether it
    /// happened; Errc::io with S3's code and message for what it refuses.
    Result<io::HttpResponse> send(S3Call call, const std::vector<int>& expected = {});

private:
    struct Line;
    std::unique_ptr<Line> take_line();
    void give_back(std::unique_ptr<Line> line);
    std::string host_header() const;
    Result<io::HttpResponse> try_once(const S3Call& call);

    S3Options options_;
    std::mutex mutex_{};
    std::vector<std::unique_ptr<Line>> idle_{};
};

}  // namespace howdah::files
