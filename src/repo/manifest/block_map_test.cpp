#include "repo/manifest/block_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/random.h"
#include "repo/fixtures/fixtures.h"
#include "repo/manifest/block_plan.h"
#include "repo/manifest/block_writer.h"
#include "repo/manifest/manifest_reader.h"
#include "repo/paths.h"

namespace howdah::repo {
namespace {

using testing::HasSubstr;

constexpr std::uint32_t block_size = 8192;
const BlockFacts facts{.block_size = block_size, .checksum_size = 6};

struct RealMap {
    ByteBuffer bytes{};
    BlockFacts facts{};
};

/// The map of every block-incremental file of every backup.
void for_each_real_map(const std::function<void(const RealMap&)>& see) {
    for (const auto* name : {"block-zst", "block-zst-aes"}) {
        const auto& repository = fixtures::load(name);
        for (const auto& label : repository.labels()) {
            const auto manifest = *parse_manifest("m", repository.manifest(label));
            const auto& header = manifest.header;
            for (std::size_t i = 0; i < manifest.files.size(); ++i) {
                const auto file = manifest.files.at(i);
                if (!file.blocks) {
                    continue;
                }
                const auto place =
                    *stored_place("main", header.label, file, CompressType::zst, true);
                const auto stored = repository.at(place.path)
                                        .substr(place.offset + place.size - file.blocks->map_size,
                                                file.blocks->map_size);
                see({*unpack({.cipher_pass = header.cipher_pass, .raw = true}, bytes_of(stored),
                             1U << 30),
                     *file.blocks});
            }
        }
    }
}

TEST(BlockMap, RendersEveryRealMapByteForByte) {
    std::size_t maps = 0;
    std::size_t mixed = 0;
    for_each_real_map([&](const RealMap& real) {
        const auto& [size, checksum_size, map_size] = real.facts;
        const auto map = BlockMap::parse(real.bytes, size, checksum_size);
        ASSERT_TRUE(map) << map.error().message;
        EXPECT_EQ(map->render(size, checksum_size), real.bytes);
        ++maps;
        mixed += map->blocks.front().place.reference != map->blocks.back().place.reference ? 1 : 0;
    });
    EXPECT_GT(maps, 100U);
    EXPECT_GT(mixed, 0U);
}

TEST(BlockMap, CutAndChangedMapsNeverCrash) {
    Random random(5);
    int tried = 0;
    for_each_real_map([&](const RealMap& real) {
        if (++tried % 20 != 0) {
            return;
        }
        const auto& [size, checksum_size, map_size] = real.facts;
        for (std::size_t cut = 0; cut < real.bytes.size(); cut += 1 + cut / 4) {
            EXPECT_FALSE(BlockMap::parse(Bytes(real.bytes).first(cut), size, checksum_size));
        }
        for (int round = 0; round < 200; ++round) {
            auto bad = real.bytes;
            bad[random.next() % bad.size()] = static_cast<std::byte>(random.next());
            if (const auto map = BlockMap::parse(bad, size, checksum_size)) {
                EXPECT_EQ(*BlockMap::parse(map->render(size, checksum_size), size, checksum_size),
                          *map);
                (void)reads_of(*map);
            }
        }
    });
}

TEST(BlockMap, AbsurdNumbersAreRefused) {
    const auto parse = [](std::initializer_list<int> bytes) {
        ByteBuffer map;
        for (const int byte : bytes) {
            map.push_back(static_cast<std::byte>(byte));
        }
        return BlockMap::parse(map, block_size, 6).error().message;
    };
    EXPECT_THAT(parse({}), HasSubstr("ends too soon"));
    EXPECT_THAT(parse({1}), HasSubstr("version"));
    EXPECT_THAT(parse({0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}),
                HasSubstr("too large"));
    EXPECT_THAT(parse({0, 1, 0}), HasSubstr("stored size is absurd"));
    EXPECT_THAT(parse({0, 1, 8 + 2 + 1, 0xfe, 0xff, 0xff, 0xff, 0xff, 1}),
                HasSubstr("size is absurd"));
    EXPECT_THAT(parse({0, 1, 8 + 4 + 1, 2}), HasSubstr("holds fewer blocks"));
    EXPECT_THAT(parse({0, 1, 8 + 1, 1, 2, 3, 4, 5}), HasSubstr("ends too soon"));
    EXPECT_THAT(parse({0, 1, 8 + 1, 1, 2, 3, 4, 5, 6, 7}), HasSubstr("bytes follow"));
}

TEST(BlockFacts, FollowSizeAgeAndPrior) {
    using std::chrono::days;
    const auto size_of = [](std::uint64_t size, days age) {
        const auto found = block_facts(size, age, {});
        return found ? found->block_size / 1024 : 0;
    };
    EXPECT_EQ(size_of(16'383, days(0)), 0U);
    EXPECT_EQ(size_of(16'384, days(0)), 8U);
    EXPECT_EQ(size_of(11U << 20, days(0)), 16U);
    EXPECT_EQ(size_of(1U << 30, days(0)), 88U);
    EXPECT_EQ(size_of(1U << 30, days(7)), 176U);
    EXPECT_EQ(size_of(1U << 30, days(14)), 352U);
    EXPECT_EQ(size_of(1U << 30, days(28)), 0U);
    EXPECT_EQ(block_facts(96U << 20, days(0), {})->checksum_size, 7U);
    EXPECT_EQ(block_facts(1U << 30, days(7), {})->checksum_size, 8U);
    const BlockFacts prior{.block_size = 65536, .checksum_size = 7, .map_size = 5};
    EXPECT_EQ(block_facts(70'000, days(60), prior)->block_size, 65536U);
    EXPECT_FALSE(block_facts(70'000, days(60), BlockFacts{.block_size = 65536}));
    EXPECT_EQ(block_facts(60'000, days(0), prior)->block_size, 8192U);
    EXPECT_EQ(super_block_size(true, 24576), 1'056'768U);
    EXPECT_EQ(super_block_size(false, 8192), 262'144U);
}

/// A chain of backups of one file, each in a "file" of its own.
class Chain {
public:
    explicit Chain(StoredForm form) : form_(std::move(form)) {}

    /// Returns whether the backup had anything to write.
    bool back_up(std::string_view content) {
        const auto reference = static_cast<std::uint32_t>(stored_.size());
        BlockWriter writer({.facts = facts,
                            .super_block_size = super_block_size(reference == 0, block_size),
                            .reference = reference,
                            .bundle = 3,
                            .offset = 100,
                            .form = form_},
                           map_, [] { return Salt{}; });
        const auto bytes = *run(writer, bytes_of(content), SIZE_MAX);
        stored_.emplace_back(std::string(100, '-') + std::string(text_of(bytes)));
        if (writer.unchanged()) {
            EXPECT_TRUE(bytes.empty());
            return false;
        }
        const auto stored_map = Bytes(bytes).last(writer.facts().map_size);
        map_ = *unpack_map(form_, stored_map, facts);
        EXPECT_EQ(map_, writer.map());
        return true;
    }

    std::string restore(std::size_t size, const std::vector<bool>& wanted = {}) const {
        std::string content(size, '?');
        for (const auto& read : reads_of(map_, wanted)) {
            const auto stored =
                stored_.at(read.place.reference).substr(read.place.offset, read.place.stored_size);
            EXPECT_EQ(read.place.bundle, 3U);
            const auto blocks = unpack_super_block(form_, bytes_of(stored), read, facts, map_);
            EXPECT_TRUE(blocks) << blocks.error().message;
            for (const auto& part : read.parts) {
                const auto block = text_of(*blocks).substr(part.index * block_size, block_size);
                content.replace(part.block * block_size, block.size(), block);
            }
        }
        return content;
    }

    const BlockMap& map() const { return map_; }
    std::size_t stored_size() const { return stored_.back().size() - 100; }

private:
    StoredForm form_;
    std::vector<std::string> stored_{};
    BlockMap map_{};
};

std::string noise(std::size_t size, std::uint64_t seed) {
    Random random(seed);
    std::string text(size, '\0');
    for (auto& c : text) {
        c = static_cast<char>(random.next());
    }
    return text;
}

std::vector<StoredForm> forms() {
    return {{},
            {.compress = CompressType::zst, .level = 3},
            {.compress = CompressType::lz4, .level = 1, .cipher_pass = "secret"},
            {.compress = CompressType::gz, .level = 6, .cipher_pass = "secret"}};
}

TEST(BlockWriter, ChainsOfRandomChangesRestore) {
    for (const auto& form : forms()) {
        Random random(11);
        Chain chain(form);
        auto content = noise(3'000'000, 1);
        ASSERT_TRUE(chain.back_up(content));
        for (int round = 0; round < 12; ++round) {
            for (auto changes = random.between(1, 40); changes > 0; --changes) {
                const auto at = random.next() % content.size();
                const auto size =
                    std::min<std::size_t>(random.next() % 50'000, content.size() - at);
                content.replace(at, size, noise(size, random.next()));
            }
            content.resize(2'000'000 + random.next() % 2'000'000, 'x');
            ASSERT_TRUE(chain.back_up(content));
            ASSERT_TRUE(chain.restore(content.size()) == content) << round;
        }
    }
}

TEST(BlockWriter, WritesOnlyWhatChanged) {
    for (const auto& form : forms()) {
        Chain chain(form);
        auto content = noise(5'000'000, 1);
        chain.back_up(content);
        EXPECT_GT(chain.stored_size(), content.size());
        content[2'000'000] ^= 1;
        chain.back_up(content);
        EXPECT_LT(chain.stored_size(), 2 * block_size);
        EXPECT_FALSE(chain.back_up(content));
    }
}

TEST(BlockWriter, AFileThatShrankByWholeBlocksGetsANewMap) {
    Chain chain({});
    auto content = noise(20 * block_size, 1);
    chain.back_up(content);
    content.resize(10 * block_size);
    EXPECT_TRUE(chain.back_up(content));
    EXPECT_EQ(chain.map().blocks.size(), 10U);
    EXPECT_TRUE(chain.restore(content.size()) == content);
}

TEST(BlockWriter, PiecesOfAnySizeGiveTheSameBytes) {
    const auto content = noise(600'000, 1);
    const BlockWriting writing{.facts = facts,
                               .super_block_size = super_block_size(false, block_size),
                               .form = {.compress = CompressType::zst, .level = 3}};
    BlockWriter whole(writing, {}, {});
    const auto expected = *run(whole, bytes_of(content), SIZE_MAX);
    BlockWriter pieces(writing, {}, {});
    ByteBuffer result;
    std::array<std::byte, 1000> room{};
    auto rest = bytes_of(content);
    for (auto flow = Flow::wants_input; flow != Flow::done;) {
        auto in = rest.first(std::min<std::size_t>(rest.size(), 777));
        const auto size = in.size();
        auto out = MutableBytes(room);
        flow = *pieces.step(in, out, size == rest.size());
        rest = rest.subspan(size - in.size());
        result.insert(result.end(), room.begin(),
                      room.end() - static_cast<std::ptrdiff_t>(out.size()));
    }
    EXPECT_EQ(result, expected);
    whole.reset();
    EXPECT_EQ(*run(whole, bytes_of(content), SIZE_MAX), expected);
}

TEST(BlockWriter, CutsAsPgBackRestCuts) {
    // The full backup's super blocks, written anew from what they hold, have the same map but for
    // sizes.
    const auto& repository = fixtures::load("block-zst");
    const auto label = repository.labels().front();
    const auto manifest = *parse_manifest("m", repository.manifest(label));
    const auto file = manifest.files.at(*manifest.files.find("pg_data/base/5/16384"));
    const auto place = *stored_place("main", manifest.header.label, file, CompressType::zst, true);
    const auto stored = repository.at(place.path).substr(place.offset, place.size);
    const StoredForm form{.compress = CompressType::zst, .level = 3};
    const auto real = *unpack_map(form, bytes_of(stored).last(file.blocks->map_size), *file.blocks);
    std::string content;
    for (const auto& read : reads_of(real)) {
        const auto packed =
            repository.at(place.path).substr(read.place.offset, read.place.stored_size);
        content += text_of(*unpack_super_block(form, bytes_of(packed), read, *file.blocks, real));
    }
    BlockWriter writer({.facts = *file.blocks,
                        .super_block_size = super_block_size(true, file.blocks->block_size),
                        .bundle = file.bundle->id,
                        .offset = file.bundle->offset,
                        .form = form},
                       {}, {});
    ASSERT_TRUE(run(writer, bytes_of(content), SIZE_MAX));
    ASSERT_EQ(writer.map().blocks.size(), real.blocks.size());
    for (std::size_t i = 0; i < real.blocks.size(); ++i) {
        const auto& ours = writer.map().blocks[i];
        EXPECT_EQ(ours.place.size, real.blocks[i].place.size);
        EXPECT_EQ(ours.index, real.blocks[i].index);
        EXPECT_EQ(ours.sum, real.blocks[i].sum);
    }
}

TEST(BlockWriter, APriorMapOfTheFutureIsRefused) {
    BlockMap prior{.blocks = {MappedBlock{.place = {.reference = 1, .stored_size = 5, .size = 5}}}};
    BlockWriter writer({.facts = facts, .super_block_size = block_size, .reference = 1}, prior, {});
    EXPECT_FALSE(run(writer, bytes_of("x"), 100));
}

TEST(BlockCompare, DeltaRestoreReadsOnlyWhatDiffers) {
    Chain chain({});
    const auto content = noise(10 * block_size + 5, 1);
    chain.back_up(content);
    auto there = content;
    there[3 * block_size] ^= 1;
    there.resize(10 * block_size);
    BlockCompare compare(chain.map(), facts.checksum_size);
    for (std::size_t i = 0; i * block_size < there.size(); ++i) {
        compare.block(i, bytes_of(std::string_view(there).substr(i * block_size, block_size)));
    }
    EXPECT_EQ(std::ranges::count(compare.wanted(), true), 2);
    EXPECT_TRUE(compare.wanted()[3]);
    EXPECT_TRUE(compare.wanted()[10]);
    const auto fetched = chain.restore(content.size(), compare.wanted());
    EXPECT_EQ(fetched.substr(3 * block_size, block_size),
              content.substr(3 * block_size, block_size));
}

TEST(SuperBlock, DamageIsFound) {
    Chain chain({});
    const auto content = noise(4 * block_size, 1);
    chain.back_up(content);
    const auto reads = reads_of(chain.map());
    ASSERT_EQ(reads.size(), 1U);
    auto bad = content;
    bad[block_size] ^= 1;
    EXPECT_THAT(unpack_super_block({}, bytes_of(bad), reads[0], facts, chain.map()).error().message,
                HasSubstr("block 1 has a wrong sum"));
    EXPECT_THAT(unpack_super_block({}, bytes_of(bad).first(100), reads[0], facts, chain.map())
                    .error()
                    .message,
                HasSubstr("has 100 bytes, expected 32768"));
}

}  // namespace
}  // namespace howdah::repo
