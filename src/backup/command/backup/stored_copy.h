#pragma once

#include <optional>
#include <string>

#include "backup/pump.h"
#include "backup/repository.h"
#include "backup/unpacked_source.h"
#include "base/result.h"
#include "files/files.h"
#include "pg/lsn.h"
#include "repo/manifest/block_writer.h"
#include "repo/manifest/manifest.h"
#include "repo/stream/page_checksum.h"
#include "repo/stream/pipeline.h"

namespace howdah::backup {

/// A file of this host as it was when it was listed: reads no further than its size then, for what
/// has been added since is in the WAL.
class ListedSource final : public files::Source {
public:
    ListedSource(std::unique_ptr<files::Source> file, std::uint64_t size)
        : file_(std::move(file)), left_(size) {}
    Result<std::size_t> read(MutableBytes out) override;

private:
    std::unique_ptr<files::Source> file_;
    std::uint64_t left_;
};

/// A text as a file.
class TextSource final : public files::Source {
public:
    explicit TextSource(std::string text) : text_(std::move(text)) {}
    Result<std::size_t> read(MutableBytes out) override;

private:
    std::string text_;
    std::size_t at_ = 0;
};

/// What came of copying one file.
struct StoredCopy {
    std::uint64_t size = 0;  ///< of what was read
    repo::Sha1Digest sum{};
    std::uint64_t stored_size = 0;
    repo::Sha1Digest stored_sum{};
};

/// Moves a file's content into a repository, and sums it up on both sides. `size`: how long it
/// probably is, which decides how much memory is taken. `pages` may be null.
/// Errors: those of both ends and of the filter.
Result<StoredCopy> store(files::Source& source, std::uint64_t size, files::Sink& sink,
                         const repo::StoredForm& form, repo::PageTap* pages);

/// What came of copying one file block by block.
struct StoredBlocks {
    StoredCopy copy{};
    repo::BlockFacts facts{};
    bool unchanged = false;  ///< every block is as in the prior backup, and nothing was written
};
/// The same for a block-incremental file; `prior`: BlockWriter's.
Result<StoredBlocks> store_blocks(files::Source& source, files::Sink& sink,
                                  const repo::BlockWriting& writing, repo::BlockMap prior,
                                  repo::PageTap* pages);

/// Writes what a copy found into the manifest's entry. `form`: as it is stored.
void note_copy(repo::ManifestFile& file, const StoredCopy& copy, const repo::StoredForm& form);

/// Of the pages that were found bad, those that still are when they are read again: a page that
/// was being written as it was read is good now, or has changed since the backup began.
repo::PageRuns still_bad(const std::string& path, const repo::PageRuns& bad, std::uint32_t segment,
                         std::optional<pg::Lsn> young_from);

/// "2-3, 5"
std::string page_list(const repo::PageRuns& runs);

}  // namespace howdah::backup
