#include "repo/stream/stored_form.h"

#include <limits>
#include <utility>

namespace howdah::repo {
namespace {

void add(Pipeline& pipeline, std::unique_ptr<Filter> filter) {
    if (filter) {
        pipeline.then(std::move(filter));
    }
}

void add(Pipeline& pipeline, Tap* tap) {
    if (tap != nullptr) {
        pipeline.tap(*tap);
    }
}

}  // namespace

Pipeline writer_of(const StoredForm& form, SaltSource salt, Tap* original, Tap* stored) {
    Pipeline pipeline;
    add(pipeline, original);
    add(pipeline, compressor(form.compress, form.level, form.raw));
    if (!form.cipher_pass.empty()) {
        pipeline.then(encryptor(form.cipher_pass, std::move(salt), form.raw));
    }
    add(pipeline, stored);
    return pipeline;
}

Pipeline reader_of(const StoredForm& form, Tap* original, Tap* stored) {
    Pipeline pipeline;
    add(pipeline, stored);
    if (!form.cipher_pass.empty()) {
        pipeline.then(decryptor(form.cipher_pass, form.raw));
    }
    add(pipeline, decompressor(form.compress, form.raw));
    add(pipeline, original);
    return pipeline;
}

Result<ByteBuffer> unpack(const StoredForm& form, Bytes stored, std::size_t limit_bytes) {
    auto pipeline = reader_of(form, nullptr, nullptr);
    return run(pipeline, stored, limit_bytes);
}

ByteBuffer pack(const StoredForm& form, Bytes original, SaltSource salt) {
    auto pipeline = writer_of(form, std::move(salt), nullptr, nullptr);
    auto packed = run(pipeline, original, std::numeric_limits<std::size_t>::max());
    HD_CHECK(packed.has_value());
    return *std::move(packed);
}

}  // namespace howdah::repo
