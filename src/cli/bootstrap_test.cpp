#include "cli/bootstrap.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace howdah::cli {
namespace {

bool has(const std::vector<std::string>& words, const std::string& word) {
    return std::ranges::find(words, word) != words.end();
}

TEST(BootstrapVerb, RestoresToTheEndOfTheArchiveUnlessATargetIsNamed) {
    const auto words = restore_words({.from_stanza = "main"}, "/data").value();
    EXPECT_TRUE(has(words, "--stanza=main") && has(words, "--pg1-path=/data"));
    EXPECT_TRUE(
        std::ranges::none_of(words, [](const auto& word) { return word.starts_with("--type"); }));
    EXPECT_EQ(words.back(), "restore");
}

TEST(BootstrapVerb, ATargetIsAlwaysPromoted) {
    const auto words =
        restore_words({.from_stanza = "main", .target_time = "2026-11-30 12:00:00+00"}, "/data")
            .value();
    EXPECT_TRUE(has(words, "--type=time") && has(words, "--target=2026-11-30 12:00:00+00"));
    EXPECT_TRUE(has(words, "--target-action=promote"));
    const auto backup = restore_words({.from_stanza = "a", .target_immediate = true}, "/d").value();
    EXPECT_TRUE(has(backup, "--type=immediate") && has(backup, "--target-action=promote"));
}

TEST(BootstrapVerb, RefusesTargetsThatContradictEachOther) {
    EXPECT_FALSE(
        restore_words({.from_stanza = "a", .target_time = "x", .target_lsn = "0/1"}, "/d"));
    EXPECT_FALSE(restore_words({.from_stanza = "a", .target_exclusive = true}, "/d"));
}

}  // namespace
}  // namespace howdah::cli
