#include "backup/command/backup/stored_copy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "io/fd.h"
#include "repo/stream/pipeline.h"

namespace howdah::backup {
namespace {

constexpr std::size_t least_block = std::size_t{4} << 10;

/// Sees the original: sums it up, and shows it to the check of pages.
class OriginalTap final : public repo::Tap {
public:
    explicit OriginalTap(repo::PageTap* pages) : pages_(pages) {}
    void see(Bytes bytes) override {
        sum.see(bytes);
        if (pages_ != nullptr) {
            pages_->see(bytes);
        }
    }
    repo::SumTap sum{};

private:
    repo::PageTap* pages_;
};

StoredCopy finish(repo::SumTap& original, repo::SumTap& stored) {
    StoredCopy copy{.size = original.size(), .stored_size = stored.size()};
    copy.sum = original.finish();
    copy.stored_sum = stored.finish();
    return copy;
}

}  // namespace

Result<std::size_t> ListedSource::read(MutableBytes out) {
    HD_TRY(const auto got, file_->read(out.first(std::min<std::uint64_t>(out.size(), left_))));
    left_ -= got;
    return got;
}

Result<std::size_t> TextSource::read(MutableBytes out) {
    const auto size = std::min(out.size(), text_.size() - at_);
    if (size > 0) {
        std::memcpy(out.data(), text_.data() + at_, size);
        at_ += size;
    }
    return size;
}

Result<StoredCopy> store(files::Source& source, std::uint64_t size, files::Sink& sink,
                         const repo::StoredForm& form, repo::PageTap* pages) {
    OriginalTap original(pages);
    repo::SumTap stored;
    auto pipeline = repo::writer_of(form, fresh_salt, &original, &stored);
    const auto block = std::clamp<std::uint64_t>(size, least_block, pump_block);
    HD_TRY_VOID(pump(source, pipeline, [&](Bytes bytes) { return sink.write(bytes); }, block));
    return finish(original.sum, stored);
}

Result<StoredBlocks> store_blocks(files::Source& source, files::Sink& sink,
                                  const repo::BlockWriting& writing, repo::BlockMap prior,
                                  repo::PageTap* pages) {
    OriginalTap original(pages);
    repo::SumTap stored;
    auto filter = std::make_unique<repo::BlockWriter>(writing, std::move(prior), fresh_salt);
    const auto& writer = *filter;
    repo::Pipeline pipeline;
    pipeline.tap(original).then(std::move(filter)).tap(stored);
    HD_TRY_VOID(pump(source, pipeline, [&](Bytes bytes) { return sink.write(bytes); }));
    return StoredBlocks{.copy = finish(original.sum, stored),
                        .facts = writer.facts(),
                        .unchanged = writer.unchanged()};
}

void note_copy(repo::ManifestFile& file, const StoredCopy& copy, const repo::StoredForm& form) {
    const bool as_is = form.compress == repo::CompressType::none && form.cipher_pass.empty();
    file.original_size = copy.size == file.size ? std::nullopt : std::optional(file.size);
    file.size = copy.size;
    file.sum = copy.size == 0 ? std::nullopt : std::optional(copy.sum);
    file.stored_size = copy.stored_size;
    file.stored_sum = as_is && !file.blocks ? std::nullopt : std::optional(copy.stored_sum);
    file.reference = {};
}

repo::PageRuns still_bad(const std::string& path, const repo::PageRuns& bad, std::uint32_t segment,
                         std::optional<pg::Lsn> young_from) {
    const io::Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    repo::PageRuns left;
    ByteBuffer page(repo::page_size);
    for (const auto& [first, last] : bad) {
        for (auto number = first; number <= last; ++number) {
            const auto at = static_cast<off_t>(number - segment * repo::pages_of_segment) *
                            static_cast<off_t>(repo::page_size);
            const auto got = fd ? pread(fd.get(), page.data(), page.size(), at) : 0;
            const bool whole = got == static_cast<ssize_t>(page.size());
            if (!whole || repo::check_page(page, number, young_from) != repo::PageState::bad) {
                continue;  // gone with its relation, or right now
            }
            if (!left.empty() && left.back().second + 1 == number) {
                left.back().second = number;
            } else {
                left.emplace_back(number, number);
            }
        }
    }
    return left;
}

std::string page_list(const repo::PageRuns& runs) {
    std::string text;
    for (const auto& [first, last] : runs) {
        text += text.empty() ? "" : ", ";
        text += first == last ? std::to_string(first) : fmt::format("{}-{}", first, last);
    }
    return text;
}

}  // namespace howdah::backup
