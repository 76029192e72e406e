#include "files/s3/object_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/base64.h"

namespace howdah::files {
namespace {

/// "bytes 0-9/10": 10. nullopt: the answer doesn't say.
std::optional<std::uint64_t> whole_size(const io::HttpResponse& answer) {
    const auto found = answer.headers.find("content-range");
    if (found == answer.headers.end()) {
        return std::nullopt;
    }
    const auto& text = found->second;
    const auto slash = std::min(text.find('/'), text.size() - 1);
    std::uint64_t size = 0;
    const auto [end, error] =
        std::from_chars(text.data() + slash + 1, text.data() + text.size(), size);
    return error == std::errc() ? std::optional(size) : std::nullopt;
}

}  // namespace

std::map<std::string, std::string> customer_key_headers(const S3Options& options) {
    if (options.customer_key.empty()) {
        return {};
    }
    const auto key = from_base64(options.customer_key).value_or("");
    const std::string name = "x-amz-server-side-encryption-customer-";
    return {{name + "algorithm", "AES256"},
            {name + "key", options.customer_key},
            {name + "key-md5", content_md5(key)}};
}

ObjectSource::ObjectSource(S3Client& client, std::string key, ReadRange range)
    : client_(client), key_(std::move(key)), at_(range.offset), left_(range.size) {}

Result<std::unique_ptr<Source>> ObjectSource::open(S3Client& client, std::string key,
                                                   ReadRange range) {
    auto source = std::make_unique<ObjectSource>(client, std::move(key), range);
    HD_TRY_VOID(source->fetch());
    return source;
}

Result<std::size_t> ObjectSource::read(MutableBytes out) {
    if (given_ == part_.size() && !ended_) {
        HD_TRY_VOID(fetch());
    }
    const auto size = std::min(out.size(), part_.size() - given_);
    if (size > 0) {
        std::memcpy(out.data(), part_.data() + given_, size);
        given_ += size;
    }
    return size;
}

Result<> ObjectSource::fetch() {
    const std::uint64_t size =
        std::min<std::uint64_t>(left_.value_or(UINT64_MAX), client_.options().part_bytes);
    if (size == 0) {
        ended_ = true;
        return {};
    }
    S3Call call{.path = key_, .headers = customer_key_headers(client_.options())};
    call.headers["range"] = fmt::format("bytes={}-{}", at_, at_ + size - 1);
    if (!etag_.empty()) {
        call.headers["if-match"] = etag_;
    }
    HD_TRY(auto answer, client_.send(std::move(call)));
    const auto replaced = [&] {
        return fail(Errc::conflict,
                    fmt::format("{} was replaced while it was read", client_.url(key_)));
    };
    if (answer.status == 404) {
        return fail(Errc::not_found, fmt::format("{} is not there", client_.url(key_)));
    }
    const auto etag = answer.headers["etag"];
    if (answer.status == 412 || (!etag_.empty() && etag != etag_)) {
        return replaced();
    }
    if (answer.status == 416) {  // it ends before this
        ended_ = true;
        part_.clear();
        given_ = 0;
        return {};
    }
    // A server that doesn't know ranges answers with the whole.
    if ((answer.status != 206 && at_ != 0) || answer.body.size() > size) {
        return fail(Errc::io, fmt::format("{}: S3 answered {} with {} bytes instead of a range",
                                          client_.url(key_), answer.status, answer.body.size()));
    }
    etag_ = etag;
    part_ = std::move(answer.body);
    given_ = 0;
    at_ += part_.size();
    if (left_) {
        *left_ -= part_.size();
    }
    const auto whole = whole_size(answer);
    ended_ = answer.status != 206 || part_.empty() || left_ == 0U || (whole && at_ >= *whole);
    return {};
}

}  // namespace howdah::files
