#include "files/s3/object_sink.h"

#include <fmt/format.h>

#include "files/s3/answers.h"
#include "files/s3/object_source.h"

namespace howdah::files {
namespace {

/// Of a request that makes an object.
std::map<std::string, std::string> encryption_headers(const S3Options& options) {
    auto headers = customer_key_headers(options);
    if (!options.kms_key_id.empty()) {
        headers["x-amz-server-side-encryption"] = "aws:kms";
        headers["x-amz-server-side-encryption-aws-kms-key-id"] = options.kms_key_id;
    }
    return headers;
}

}  // namespace

ObjectSink::ObjectSink(S3Client& client, std::string key, IfTaken taken)
    : client_(client), key_(std::move(key)), taken_(taken) {}

ObjectSink::~ObjectSink() {
    give_up();
}

Result<> ObjectSink::write(Bytes bytes) {
    const auto part = client_.options().part_bytes;
    while (!bytes.empty()) {
        if (buffer_.size() == part) {
            HD_TRY_VOID(send_part());
        }
        const auto size = std::min(bytes.size(), part - buffer_.size());
        buffer_ += text_of(bytes.first(size));
        bytes = bytes.subspan(size);
    }
    return {};
}

Result<> ObjectSink::finish() {
    HD_TRY_VOID(upload_id_.empty() ? Result<>{} : send_part());
    HD_TRY_VOID(taken_ == IfTaken::refuse ? check_name_is_free() : Result<>{});
    HD_TRY_VOID(send_last());
    upload_id_.clear();
    return {};
}

Result<> ObjectSink::check_name_is_free() {
    HD_TRY(const auto found, client_.send({.method = "HEAD",
                                           .path = key_,
                                           .headers = customer_key_headers(client_.options())}));
    return found.status == 404
               ? Result<>{}
               : fail(Errc::conflict, fmt::format("{} is there already", client_.url(key_)));
}

/// The request after which the object is there.
S3Call ObjectSink::last_request() {
    if (upload_id_.empty()) {
        return {.method = "PUT",
                .path = key_,
                .headers = encryption_headers(client_.options()),
                .body = std::move(buffer_)};
    }
    return {.method = "POST",
            .path = key_,
            .query = {{"uploadId", upload_id_}},
            .body = complete_xml(etags_)};
}

Result<> ObjectSink::send_last() {
    constexpr int changed = 409, taken = 412, unknown = 501;
    auto call = last_request();
    if (taken_ == IfTaken::refuse) {
        call.headers["if-none-match"] = "*";
    }
    HD_TRY(auto answer, client_.send(call, {changed, taken, unknown}));
    if (answer.status == unknown && call.headers.erase("if-none-match") != 0) {
        HD_TRY(answer, client_.send(call));
    }
    if (answer.status == changed || answer.status == taken) {
        return fail(Errc::conflict, fmt::format("{} is there already", client_.url(key_)));
    }
    // To put parts together is answered by 200 before it begins: an error may come in the body.
    const auto error = parse_error(answer.body);
    if (answer.status / 100 != 2 || !error.code.empty()) {
        return fail(Errc::unavailable,
                    fmt::format("{} {}: S3 answered {} {} {}", call.method, client_.url(key_),
                                answer.status, error.code, error.message),
                    answer.status == 404 ? "is there such a bucket?" : "");
    }
    return {};
}

Result<> ObjectSink::begin_upload() {
    HD_TRY(const auto answer, client_.send({.method = "POST",
                                            .path = key_,
                                            .query = {{"uploads", ""}},
                                            .headers = encryption_headers(client_.options())}));
    HD_TRY(upload_id_, parse_upload_id(answer.body));
    return {};
}

Result<> ObjectSink::send_part() {
    HD_TRY_VOID(upload_id_.empty() ? begin_upload() : Result<>{});
    HD_TRY(const auto answer,
           client_.send({.method = "PUT",
                         .path = key_,
                         .query = {{"partNumber", std::to_string(etags_.size() + 1)},
                                   {"uploadId", upload_id_}},
                         .headers = customer_key_headers(client_.options()),
                         .body = buffer_}));
    const auto etag = answer.headers.find("etag");
    if (answer.status / 100 != 2 || etag == answer.headers.end()) {
        return fail(Errc::io, fmt::format("part {} of {}: S3 answered {} without an ETag",
                                          etags_.size() + 1, client_.url(key_), answer.status));
    }
    etags_.push_back(etag->second);
    buffer_.clear();
    return {};
}

/// Parts of an upload that nobody ends are stored, and paid for, until a rule of the bucket removes
/// them.
void ObjectSink::give_up() noexcept {
    if (!upload_id_.empty()) {
        (void)client_.send({.method = "DELETE", .path = key_, .query = {{"uploadId", upload_id_}}});
    }
}

}  // namespace howdah::files
