#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "pg/lsn.h"
#include "repo/stream/filter.h"

namespace howdah::repo {

inline constexpr std::size_t page_size = 8192;
inline constexpr std::uint32_t pages_of_segment = 131072;  ///< of a relation's 1 GiB files

/// The checksum of PostgreSQL's data pages (initdb --data-checksums): 32 interleaved FNV-1a sums,
/// mixed with the number of the page in its relation. `page` has page_size bytes. Source:
/// PostgreSQL docs 30.2 "Data Checksums"; the algorithm is that of its storage/checksum.
std::uint16_t page_checksum(Bytes page, std::uint32_t block);

/// What a whole page is found to be.
enum class PageState : std::uint8_t {
    good,   ///< the checksum is right, or the page is new: all zero
    bad,    ///< wrong, and older than the backup
    young,  ///< changed since the backup began; may be torn, and WAL replay replaces it
};

/// `young_from`: LSN at which the backup began; nullopt when nothing may change (offline).
PageState check_page(Bytes page, std::uint32_t block, std::optional<pg::Lsn> young_from);

/// Runs of page numbers, first and last included.
using PageRuns = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

/// Checks the pages of one file as they pass.
class PageTap final : public Tap {
public:
    /// `segment`: N of a file named RELATION.N; 0 for the first. It decides the numbers of its
    /// pages.
    PageTap(std::uint32_t segment, std::optional<pg::Lsn> young_from)
        : block_(segment * pages_of_segment), young_from_(young_from) {}

    void see(Bytes bytes) override;
    /// Every page was good or young, and the file is a whole number of pages.
    bool good() const { return bad_.empty() && aligned(); }
    bool aligned() const { return partial_.empty(); }
    /// The bad pages; numbers count from the start of the relation.
    const PageRuns& bad() const { return bad_; }

private:
    void check(Bytes page);

    std::uint32_t block_;
    std::optional<pg::Lsn> young_from_;
    ByteBuffer partial_{};
    PageRuns bad_{};
};

/// N of a file name that ends in ".N", else 0.
std::uint32_t segment_of_file(std::string_view file_name);

}  // namespace howdah::repo
