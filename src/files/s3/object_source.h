#pragma once

#include "files/files.h"
#include "files/s3/s3_client.h"

namespace howdah::files {

/// Headers that must come with each request for an object that is encrypted with our own key.
std::map<std::string, std::string> customer_key_headers(const S3Options& options);

/// Reads an object part by part. Errors of its read(): Errc::conflict when the object was replaced
/// meanwhile.
class ObjectSource final : public Source {
public:
    /// The first part is asked for at once. Errors: Errc::not_found. `client` must outlive it.
    static Result<std::unique_ptr<Source>> open(S3Client& client, std::string key, ReadRange range);

    ObjectSource(S3Client& client, std::string key, ReadRange range);
    Result<std::size_t> read(MutableBytes out) override;

private:
    Result<> fetch();

    S3Client& client_;
    std::string key_, etag_{};
    std::uint64_t at_;                   ///< where the next part begins
    std::optional<std::uint64_t> left_;  ///< of what was asked for
    bool ended_ = false;
    std::string part_{};
    std::size_t given_ = 0;  ///< of part_
};

}  // namespace howdah::files
