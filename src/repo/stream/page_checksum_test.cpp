#include "repo/stream/page_checksum.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/random.h"
#include "repo/fixtures/fixtures.h"
#include "repo/stream/stored_form.h"

namespace howdah::repo {
namespace {

/// Table "a" of a cluster with data checksums: pages that PostgreSQL wrote.
ByteBuffer real_pages() {
    const auto& repository = fixtures::load("plain-bz2");
    for (const auto& [path, content] : repository.files) {
        if (path.find("F/pg_data/base/5/1249.bz2") != std::string::npos) {
            return *unpack({.compress = CompressType::bz2}, bytes_of(content), 1U << 30);
        }
    }
    return {};
}

TEST(PageChecksum, IsWhatPostgreSqlWrote) {
    const auto pages = real_pages();
    ASSERT_GT(pages.size(), 10 * page_size);
    for (std::uint32_t block = 0; block < pages.size() / page_size; ++block) {
        const auto page = Bytes(pages).subspan(block * page_size, page_size);
        std::uint16_t written = 0;
        std::memcpy(&written, page.data() + 8, sizeof written);
        EXPECT_EQ(page_checksum(page, block), written) << block;
        EXPECT_EQ(check_page(page, block + 1, {}), PageState::bad);
    }
}

TEST(PageTap, FindsDamageHoweverTheBytesCome) {
    auto pages = real_pages();
    for (const std::size_t block : {2U, 3U, 7U}) {
        pages[block * page_size + 4000] ^= std::byte{1};
    }
    for (const std::size_t piece : {1000U, 8192U, 8193U, 100'000U}) {
        PageTap tap(0, std::nullopt);
        for (auto rest = Bytes(pages); !rest.empty();) {
            const auto size = std::min(piece, rest.size());
            tap.see(rest.first(size));
            rest = rest.subspan(size);
        }
        EXPECT_TRUE(tap.aligned());
        EXPECT_FALSE(tap.good());
        EXPECT_THAT(tap.bad(), testing::ElementsAre(testing::Pair(2, 3), testing::Pair(7, 7)));
    }
}

TEST(PageTap, PagesChangedSinceTheStartAreLeftToRecovery) {
    auto pages = real_pages();
    pages[4000] ^= std::byte{1};
    PageTap young(0, pg::Lsn(1));
    young.see(pages);
    EXPECT_TRUE(young.good());
    PageTap old(0, pg::Lsn(UINT64_MAX));
    old.see(pages);
    EXPECT_FALSE(old.good());
}

TEST(PageTap, NewPagesAreGoodOnlyIfAllZero) {
    ByteBuffer page(page_size);
    EXPECT_EQ(check_page(page, 0, {}), PageState::good);
    page[5000] = std::byte{1};
    EXPECT_EQ(check_page(page, 0, {}), PageState::bad);
}

TEST(PageTap, AFileThatIsNotWholePagesIsNotGood) {
    PageTap tap(0, std::nullopt);
    tap.see(ByteBuffer(page_size + 1));
    EXPECT_FALSE(tap.good());
    EXPECT_FALSE(tap.aligned());
    EXPECT_TRUE(tap.bad().empty());
}

TEST(PageTap, LaterSegmentsCountFromTheStartOfTheRelation) {
    EXPECT_EQ(segment_of_file("16384.2"), 2U);
    EXPECT_EQ(segment_of_file("16384_fsm"), 0U);
    EXPECT_EQ(segment_of_file("16384.x"), 0U);
    ByteBuffer page(page_size, std::byte{1});
    PageTap tap(2, std::nullopt);
    tap.see(page);
    EXPECT_THAT(tap.bad(), testing::ElementsAre(testing::Pair(262144, 262144)));
}

}  // namespace
}  // namespace howdah::repo
