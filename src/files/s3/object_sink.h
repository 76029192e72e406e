#pragma once

#include "files/files.h"
#include "files/s3/s3_client.h"

namespace howdah::files {

/// Writes an object: at once if it is small, else part by part.
class ObjectSink final : public Sink {
public:
    /// `client` must outlive it.
    ObjectSink(S3Client& client, std::string key, IfTaken taken);
    ~ObjectSink() override;
    ObjectSink(const ObjectSink&) = delete;
    ObjectSink& operator=(const ObjectSink&) = delete;

    Result<> write(Bytes bytes) override;
    Result<> finish() override;

private:
    Result<> begin_upload();
    Result<> send_part();
    S3Call last_request();
    Result<> check_name_is_free();
    Result<> send_last();
    void give_up() noexcept;

    S3Client& client_;
    std::string key_, buffer_{};
    IfTaken taken_;
    std::string upload_id_{};  ///< empty: nothing was sent yet
    std::vector<std::string> etags_{};
};

}  // namespace howdah::files
