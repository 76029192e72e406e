#include "config/words.h"

#include <gtest/gtest.h>

namespace howdah::config {
namespace {

using Words = std::vector<std::string>;

TEST(ShellWords, SplitsAsAShellDoesAndExpandsNothing) {
    EXPECT_EQ(shell_words("  a b\tc ").value(), (Words{"a", "b", "c"}));
    EXPECT_EQ(shell_words(R"(x --target='2026-11-30 12:00:00' "a b"c '' d\ e)").value(),
              (Words{"x", "--target=2026-11-30 12:00:00", "a bc", "", "d e"}));
    EXPECT_EQ(shell_words(R"(echo $HOME "\"q\"" "\n" '\x')").value(),
              (Words{"echo", "$HOME", "\"q\"", "\\n", "\\x"}));
}

TEST(ShellWords, RefusesWhatAShellWouldAskMoreFor) {
    EXPECT_FALSE(shell_words("a 'b"));
    EXPECT_FALSE(shell_words("   "));
}

TEST(ShellWords, ReadsBackWhatWasQuoted) {
    for (const auto* word : {"a", "", "two words", "it's", "'", "$x\\", "100%"}) {
        EXPECT_EQ(shell_words("x " + quote_shell_word(word)).value(), (Words{"x", word})) << word;
    }
}

}  // namespace
}  // namespace howdah::config
