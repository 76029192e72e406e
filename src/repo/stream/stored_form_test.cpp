#include "repo/stream/stored_form.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "repo/fixtures/fixtures.h"
#include "repo/info/archive_info.h"
#include "repo/stream/gz_whole.h"

namespace howdah::repo {
namespace {

using testing::HasSubstr;

constexpr std::array types{CompressType::none, CompressType::gz, CompressType::bz2,
                           CompressType::lz4, CompressType::zst};
constexpr std::size_t no_limit = SIZE_MAX;

Salt fixed_salt() {
    return Salt{std::byte{1}, std::byte{2}, std::byte{3}};
}

/// Half noise, half repetition.
std::string sample(std::size_t size) {
    Random random(size);
    std::string text;
    while (text.size() < size) {
        text += random.chance(0.5) ? std::string(100, 'x') : std::to_string(random.next());
    }
    text.resize(size);
    return text;
}

/// Moves everything through `filter` with spans of at most these sizes.
Result<std::string> trickle(Filter& filter, std::string_view text, std::size_t in_size,
                            std::size_t out_size) {
    std::string result;
    ByteBuffer room(out_size);
    auto rest = bytes_of(text);
    for (auto flow = Flow::wants_input; flow != Flow::done;) {
        auto in = rest.first(std::min(in_size, rest.size()));
        const auto given = in.size();
        auto out = MutableBytes(room);
        HD_TRY(flow, filter.step(in, out, given == rest.size()));
        rest = rest.subspan(given - in.size());
        result += text_of(Bytes(room).first(room.size() - out.size()));
    }
    return result;
}

std::vector<StoredForm> every_form() {
    std::vector<StoredForm> forms;
    for (const auto type : types) {
        for (const auto* pass : {"", "secret"}) {
            for (const bool raw : {false, true}) {
                forms.push_back({.compress = type,
                                 .level = levels_of(type).standard,
                                 .cipher_pass = pass,
                                 .raw = raw});
            }
        }
    }
    return forms;
}

std::string describe(const StoredForm& form) {
    return std::string(name_of(form.compress)) + (form.cipher_pass.empty() ? "" : " aes") +
           (form.raw ? " raw" : "");
}

TEST(StoredForm, EveryFormGivesBackWhatItTook) {
    for (const auto& form : every_form()) {
        for (const std::size_t size : {0U, 1U, 15U, 16U, 17U, 100'000U, 1'000'000U}) {
            const auto text = sample(size);
            const auto stored = pack(form, bytes_of(text), fixed_salt);
            const auto back = unpack(form, stored, no_limit);
            ASSERT_TRUE(back) << describe(form) << size << back.error().message;
            EXPECT_EQ(text_of(*back), text) << describe(form);
        }
    }
}

TEST(StoredForm, StepsOfAnySizeGiveTheSameBytes) {
    const auto text = sample(200'000);
    for (const auto& form : every_form()) {
        const auto stored = pack(form, bytes_of(text), fixed_salt);
        for (const auto& [in_size, out_size] :
             {std::pair(7, 5), std::pair(1 << 20, 3), std::pair(1, 1 << 20), std::pair(70, 4096)}) {
            auto reader = reader_of(form, nullptr, nullptr);
            const auto back = trickle(reader, text_of(stored), static_cast<std::size_t>(in_size),
                                      static_cast<std::size_t>(out_size));
            ASSERT_TRUE(back) << describe(form) << back.error().message;
            EXPECT_TRUE(*back == text) << describe(form);
            auto writer = writer_of(form, fixed_salt, nullptr, nullptr);
            const auto again = trickle(writer, text, static_cast<std::size_t>(in_size),
                                       static_cast<std::size_t>(out_size));
            ASSERT_TRUE(again);
            EXPECT_TRUE(*unpack(form, bytes_of(*again), no_limit) ==
                        *unpack(form, stored, no_limit));
        }
    }
}

TEST(StoredForm, TapsSeeBothEnds) {
    const auto text = sample(300'000);
    for (const auto& form : every_form()) {
        SumTap original;
        SumTap stored;
        auto writer = writer_of(form, fixed_salt, &original, &stored);
        const auto bytes = *run(writer, bytes_of(text), no_limit);
        EXPECT_EQ(original.size(), text.size());
        EXPECT_EQ(original.finish(), sha1_of(bytes_of(text)));
        EXPECT_EQ(stored.size(), bytes.size());
        EXPECT_EQ(stored.finish(), sha1_of(bytes));
        auto reader = reader_of(form, &original, &stored);
        ASSERT_TRUE(run(reader, bytes, no_limit));
        EXPECT_EQ(original.finish(), sha1_of(bytes_of(text)));
        EXPECT_EQ(stored.finish(), sha1_of(bytes));
    }
}

TEST(StoredForm, ResetServesTheNextFile) {
    for (const auto& form : every_form()) {
        auto writer = writer_of(form, fixed_salt, nullptr, nullptr);
        auto reader = reader_of(form, nullptr, nullptr);
        for (const std::size_t size : {70'000U, 0U, 10U}) {
            const auto stored = *run(writer, bytes_of(sample(size)), no_limit);
            EXPECT_EQ(stored, pack(form, bytes_of(sample(size)), fixed_salt)) << describe(form);
            EXPECT_EQ(text_of(*run(reader, stored, no_limit)), sample(size));
            writer.reset();
            reader.reset();
        }
    }
}

TEST(StoredForm, CutDataAreAnError) {
    for (const auto& form : every_form()) {
        if (form.compress == CompressType::none && form.cipher_pass.empty()) {
            continue;
        }
        const auto stored = pack(form, bytes_of(sample(5'000)), fixed_salt);
        for (std::size_t size = 0; size < stored.size(); size += 1 + size / 8) {
            const auto back = unpack(form, Bytes(stored).first(size), no_limit);
            ASSERT_FALSE(back) << describe(form) << size;
            EXPECT_EQ(back.error().code, Errc::corrupt);
        }
    }
}

TEST(StoredForm, ChangedDataNeverCrash) {
    Random random(7);
    for (const auto& form : every_form()) {
        const auto text = sample(20'000);
        const auto stored = pack(form, bytes_of(text), fixed_salt);
        for (int round = 0; round < 100; ++round) {
            auto bad = stored;
            bad[random.next() % bad.size()] ^= static_cast<std::byte>(1 + random.next() % 255);
            (void)unpack(form, bad, 1'000'000);
        }
    }
}

TEST(StoredForm, DataBehindTheEndAreAnError) {
    for (const auto type : types) {
        if (type != CompressType::none) {
            const StoredForm form{.compress = type, .level = levels_of(type).standard};
            auto stored = pack(form, bytes_of("x"), fixed_salt);
            stored.push_back(std::byte{});
            EXPECT_FALSE(unpack(form, stored, no_limit)) << name_of(type);
        }
    }
}

TEST(StoredForm, ABombMeetsTheLimit) {
    const StoredForm form{.compress = CompressType::zst, .level = 3};
    const auto stored = pack(form, bytes_of(std::string(10'000'000, '0')), fixed_salt);
    EXPECT_LT(stored.size(), 2000U);
    EXPECT_THAT(unpack(form, stored, 1'000'000).error().message, HasSubstr("more than 1000000"));
}

TEST(StoredForm, RawGzIsAZlibStream) {
    // PG_VERSION of PostgreSQL 15, as pgBackRest 2.59.1 stores it in a bundle of a repo-block
    // backup.
    const auto stored =
        pack({.compress = CompressType::gz, .level = 6, .raw = true}, bytes_of("15\n"), fixed_salt);
    const std::array<unsigned char, 11> expected{0x78, 0x9c, 0x33, 0x34, 0xe5, 0x02,
                                                 0x00, 0x01, 0x0a, 0x00, 0x71};
    EXPECT_TRUE(std::ranges::equal(stored, std::as_bytes(std::span(expected))));
}

TEST(GzWhole, TheStreamReadsIt) {
    const StoredForm form{.compress = CompressType::gz};
    for (const std::size_t size : {0U, 1U, 100'000U, 1'000'000U}) {
        const auto text = sample(size);
        for (const int level : {-1, 0, 1, 6, 9}) {
            ByteBuffer room(gz_bound(size));
            const auto stored = gz_pack(bytes_of(text), level, room);
            EXPECT_EQ(text_of(unpack(form, stored, no_limit).value()), text) << level;
        }
    }
}

TEST(Cipher, WrongPassPhraseIsAnErrorWithAHint) {
    const auto stored = pack({.cipher_pass = "right"}, bytes_of("15\n"), fixed_salt);
    const auto back = unpack({.cipher_pass = "wrong"}, stored, no_limit);
    ASSERT_FALSE(back);
    EXPECT_THAT(back.error().hint, HasSubstr("repo-cipher-pass"));
    EXPECT_THAT(
        unpack({.cipher_pass = "right"}, bytes_of("[backrest]\nbackrest-format=5\n"), no_limit)
            .error()
            .message,
        HasSubstr("does not begin as encrypted data do"));
}

TEST(Cipher, OpensWhatPgBackRestEncrypted) {
    for (const auto* name : {"block-zst-aes", "bundle-lz4-aes"}) {
        const auto& repository = fixtures::load(name);
        const auto text = unpack({.cipher_pass = repository.cipher_pass},
                                 bytes_of(repository.at("archive/main/archive.info")), no_limit);
        ASSERT_TRUE(text) << text.error().message;
        const auto info = ArchiveInfo::parse(text_of(*text));
        ASSERT_TRUE(info) << info.error().message;
        EXPECT_EQ(info->cipher_pass.size(), 64U);
        EXPECT_EQ(info->render(), text_of(*text));
    }
}

TEST(Cipher, PassPhrasesAre64Characters) {
    EXPECT_EQ(pass_phrase({}), std::string(64, 'A'));
}

TEST(Compression, TheNameSaysTheType) {
    EXPECT_EQ(type_of_file("pg_data/PG_VERSION.gz"), CompressType::gz);
    EXPECT_EQ(type_of_file("pg_data/PG_VERSION"), CompressType::none);
    EXPECT_EQ(compress_type("zst"), CompressType::zst);
    EXPECT_FALSE(compress_type("xz"));
}

}  // namespace
}  // namespace howdah::repo
