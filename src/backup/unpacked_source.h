#pragma once

#include <memory>
#include <optional>

#include "backup/pump.h"
#include "files/files.h"
#include "repo/stream/pipeline.h"
#include "repo/stream/stored_form.h"

namespace howdah::backup {

/// A stored file as its content.
class UnpackedSource final : public files::Source {
public:
    /// `expected`: what the content's sum must be; nullopt: it is not held against any.
    UnpackedSource(std::unique_ptr<files::Source> stored, const repo::StoredForm& form,
                   std::optional<repo::Sha1Digest> expected = std::nullopt)
        : stored_(std::move(stored)),
          expected_(expected),
          pipeline_(repo::reader_of(form, expected ? &sum_ : nullptr, nullptr)),
          block_(pump_block) {}
    UnpackedSource(const UnpackedSource&) = delete;
    UnpackedSource& operator=(const UnpackedSource&) = delete;

    /// Errors: those of the filters, too; at the end Errc::corrupt when the content is another than
    /// expected, so that whoever writes it elsewhere does not finish.
    Result<std::size_t> read(MutableBytes out) override;

private:
    std::unique_ptr<files::Source> stored_;
    std::optional<repo::Sha1Digest> expected_;
    repo::SumTap sum_{};
    repo::Pipeline pipeline_;
    ByteBuffer block_;
    Bytes waiting_{};
    bool ended_ = false;
    bool done_ = false;
};

}  // namespace howdah::backup
