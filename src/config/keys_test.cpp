#include "config/keys.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "config/environment.h"

namespace howdah::config {
namespace {

TEST(Keys, EachStandsOnceBelowASectionAndSaysWhatItDoes) {
    std::set<std::string> seen;
    for (const auto& key : all_keys()) {
        const std::string path(key.path);
        EXPECT_TRUE(seen.insert(path).second) << path << " stands twice";
        const auto dot = path.rfind('.');
        if (dot != std::string::npos) {
            const auto document = key.where == Where::config ? Document::config : Document::file;
            const auto* parent = find_key(document, path.substr(0, dot));
            ASSERT_NE(parent, nullptr) << path << " stands below nothing";
            EXPECT_TRUE(parent->kind == Kind::section || parent->kind == Kind::open) << path;
        }
        EXPECT_EQ(key.remark.empty(), key.effect == Effect::full) << path;
    }
}

/// docs/configuration.md holds the table; HOWDAH_WRITE_DOCS=1 writes it.
TEST(Keys, TheDocumentHoldsThisTable) {
    const std::string file = HOWDAH_SOURCE_DIR "/docs/configuration.md";
    std::ifstream in(file);
    std::string document{std::istreambuf_iterator<char>(in), {}};
    std::string table = "| key | stands in | type | default | |\n|---|---|---|---|---|\n";
    for (const auto& key : all_keys()) {
        if (key.kind == Kind::section) {
            continue;
        }
        table += fmt::format("| `{}` | {} | {} | {} | {} |\n", key.path, where_text(key.where),
                             type_text(key),
                             key.otherwise.empty() ? "" : fmt::format("`{}`", key.otherwise),
                             key.effect == Effect::full ? "" : not_acted_on(key));
    }
    const auto begin = document.find("| key |");
    ASSERT_NE(begin, std::string::npos);
    const auto end = document.find("\n\n", begin) + 1;
    if (std::getenv("HOWDAH_WRITE_DOCS") != nullptr) {
        std::ofstream(file) << document.replace(begin, end - begin, table);
        return;
    }
    EXPECT_TRUE(document.substr(begin, end - begin) == table)
        << "write it anew: HOWDAH_WRITE_DOCS=1 "
        << "build/release/src/hd_config_test --gtest_filter='Keys.*'";
}

TEST(Keys, EveryVariableOfTheEnvironmentSetsAKey) {
    for (const auto& path : paths_of_environment()) {
        EXPECT_NE(find_key(Document::file, path), nullptr) << path;
    }
}

TEST(Keys, AFileHoldsTheKeysOfTheStoreBelowBootstrapDcs) {
    EXPECT_EQ(find_key(Document::file, "ttl"), nullptr);
    EXPECT_EQ(find_key(Document::file, "bootstrap.dcs.ttl")->path, "ttl");
    EXPECT_EQ(find_key(Document::config, "ttl")->path, "ttl");
    EXPECT_EQ(find_key(Document::config, "postgresql.listen"), nullptr);
    EXPECT_EQ(find_key(Document::file, "postgresql.use_slots"), nullptr);
    EXPECT_EQ(find_key(Document::file, "postgresql.parameters.pg_stat_statements.max")->path,
              "postgresql.parameters");
    EXPECT_EQ(find_key(Document::file, "postgresql.parameters.wal_level")->path,
              "postgresql.parameters");
    EXPECT_EQ(find_key(Document::config, "postgresql.parameters.wal_level")->otherwise, "replica");
    EXPECT_EQ(find_key(Document::file, "restapi.listen.x"), nullptr);
    EXPECT_EQ(guess(Document::file, "ttl"), "did you mean bootstrap.dcs.ttl?");
    EXPECT_EQ(guess(Document::file, "bootstrap.dcs.tll"), "did you mean bootstrap.dcs.ttl?");
    EXPECT_EQ(guess(Document::config, "postgresql.work_mem"),
              "did you mean postgresql.parameters.work_mem?");
}

TEST(Keys, AValueThatSaysNothingIsNotSet) {
    const auto set = [](const char* path, const char* json) {
        return is_set(*find_key(Document::config, path), nlohmann::ordered_json::parse(json));
    };
    for (const auto* nothing : {"null", "false", "\"\"", "[]", "{}"}) {
        EXPECT_FALSE(set("slots", nothing)) << nothing;
    }
    EXPECT_TRUE(set("slots", R"({"a": null})"));
    EXPECT_FALSE(set("member_slots_ttl", "\"30min\""));
    EXPECT_FALSE(set("member_slots_ttl", "1800"));
    EXPECT_TRUE(set("member_slots_ttl", "\"10min\""));
    EXPECT_FALSE(set("retry_timeout", "\"10\""));
    EXPECT_TRUE(set("postgresql.pre_promote", "\"/bin/true\""));
}

}  // namespace
}  // namespace howdah::config
