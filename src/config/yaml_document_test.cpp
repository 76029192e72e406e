#include "config/yaml_document.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>

#include "config/yaml_scalar.h"

namespace howdah::config {
namespace {

std::string read(const std::string& text) {
    const auto document = read_yaml(text, "x.yml");
    return document ? document->value.dump() : document.error().message;
}

TEST(Yaml, PlainScalarsHaveTheTypesOfYaml11) {
    EXPECT_EQ(read("[0640, 0770, 24:00, 1_024, 0x800, 0b11, -1:30, 08, 0o17, +7]"),
              R"([416,504,1440,1024,2048,3,-90,"08","0o17",7])");
    EXPECT_EQ(read("[1.5, 1e5, 1.0e+5, .5, 1_0.5, 190:20:30.15, 1.]"),
              R"([1.5,"1e5",100000.0,0.5,10.5,685230.15,1.0])");
    EXPECT_EQ(read("[yes, No, ON, oFF, y, true, ~, Null, '', \"on\", '0640']"),
              R"([true,false,true,"oFF","y",true,null,null,"","on","0640"])");
    EXPECT_EQ(read("[!!str 0640, !!int '0640', !!float '1.5', !!null x, !!bool Yes]"),
              R"(["0640",416,1.5,null,true])");
}

TEST(Yaml, WhatPatroniWouldNotReadIsRefusedWithItsLine) {
    EXPECT_EQ(read("a: 1\npassword: !secret1\n"),
              "x.yml:2: !secret1 is a tag that no setting takes");
    EXPECT_EQ(read("a: 1\n---\nb: 2\n"), "x.yml:2: a second document begins");
    EXPECT_EQ(read("a: 2026-11-30\n"),
              "x.yml:1: 2026-11-30 is a date for YAML, which no setting takes");
    EXPECT_EQ(read("a: 99999999999999999999\n"),
              "x.yml:1: 99999999999999999999 is no whole number of at most 64 bits");
    EXPECT_EQ(read("a: .inf\n"), "x.yml:1: .inf is no number that can be written to the store");
    EXPECT_EQ(read("\na: 0b_\n"), "x.yml:2: 0b_ is no whole number of at most 64 bits");
    EXPECT_EQ(read("a: *b\n"), "x.yml:1: the anchor of *b is not defined above");
    EXPECT_EQ(read("a: &b [*b]\n"), "x.yml:1: an anchor holds itself");
    EXPECT_EQ(read("a: &b {<<: *b}\n"), "x.yml:1: an anchor holds itself");
    EXPECT_EQ(read("a: &b 1\nc: &b 2\n"), "x.yml:2: the anchor &b is defined twice");
    EXPECT_EQ(read("[a]: 1\n"), "x.yml:1: a key must be one word, not a list or a mapping");
    EXPECT_EQ(read("1: a\ntrue: b\n"), "x.yml:2: the key true equals another one of its mapping");
    EXPECT_EQ(read("1: a\n'1': b\n"), "x.yml:2: the key 1 equals another one of its mapping");
    EXPECT_EQ(read("a: b: c\n"),
              "x.yml:1: not valid YAML: mapping values are not allowed in this "
              "context");
    EXPECT_NE(read("a: \"\x01\"\n").find("x.yml:1: not valid YAML"), std::string::npos);
    EXPECT_NE(read("a: b\nc: \xff\n").find("not valid YAML"), std::string::npos);
    EXPECT_NE(read(std::string(5000, '[')).find("more than 100 levels"), std::string::npos);
}

TEST(Yaml, AliasesThatUnfoldWithoutEndAreRefused) {
    std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 10; ++i) {
        text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
        for (int k = 0; k < 10; ++k) {
            text += (k > 0 ? ", *a" : "*a") + std::to_string(i - 1);
        }
        text += "]\n";
    }
    EXPECT_NE(read(text).find("unfold to more than 100000 values"), std::string::npos);
    std::string merges = "a0: &a0 {x: 1}\n";
    for (int i = 1; i < 40; ++i) {
        const auto before = std::to_string(i - 1);
        merges += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " {<<: [*a" + before +
                  ", *a" + before + "]}\n";
    }
    EXPECT_NE(read(merges).find("unfold to more than 100000 values"), std::string::npos);
}

TEST(Yaml, MergeKeysAreFollowed) {
    EXPECT_EQ(read("a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\n"
                   "c: {<<: *a, y: 3}\nd: {<<: [*a, *b]}\ne: {y: 9, <<: *b}\nf: {'<<': 1}\n"),
              R"({"a":{"x":1,"y":1},"b":{"y":2,"z":2},"c":{"x":1,"y":3},)"
              R"("d":{"y":1,"z":2,"x":1},"e":{"y":9,"z":2},"f":{"<<":1}})");
    EXPECT_EQ(read("a: 1\nc: {<<: 5}\n"), "x.yml:2: << needs a mapping, or a list of mappings");
    EXPECT_EQ(read("- <<\n"), "x.yml:1: << stands alone here");
}

TEST(Yaml, OfAKeyWrittenTwiceTheLastOneCountsAsAWhole) {
    const auto document = read_yaml("a: {x: 1}\nb: 0640\na: {y: 2}\n", "x.yml");
    ASSERT_TRUE(document);
    EXPECT_EQ(document->value.dump(), R"({"a":{"y":2},"b":416})");
    ASSERT_EQ(document->remarks.size(), 1);
    EXPECT_EQ(document->remarks.front().path, "a");
    EXPECT_EQ(document->remarks.front().line, 3);
    EXPECT_EQ(document->written.at("b"), "0640");
    EXPECT_EQ(document->lines.at("a"), 3);
    EXPECT_EQ(document->lines.at("a.y"), 3);
}

TEST(Yaml, AnEmptyTextIsNull) {
    EXPECT_EQ(read(""), "null");
    EXPECT_EQ(read("# nothing\n"), "null");
    EXPECT_EQ(read("---\n"), "null");
}

TEST(Yaml, NumbersBecomeTheTextThatPythonWrites) {
    const auto text = [](const std::string& plain) {
        return python_text(*read_plain_scalar(plain));
    };
    EXPECT_EQ(text("0.00001"), "1e-05");
    EXPECT_EQ(text("0.0001"), "0.0001");
    EXPECT_EQ(text("10000000000000000.0"), "1e+16");
    EXPECT_EQ(text("1000000000000000.0"), "1000000000000000.0");
    EXPECT_EQ(text("-1.10"), "-1.1");
    EXPECT_EQ(text("yes"), "True");
    EXPECT_EQ(text("0123456"), "42798");
}

/// Lines of tests/support/yaml_documents.py: a document in hexadecimal digits, and what PyYAML
/// reads as JSON, or "-" where it refuses. Ours is the same, or refused.
TEST(Yaml, ReadsWhatPyYamlReads) {
#if __has_feature(address_sanitizer)
    constexpr int documents = 2000;
#else
    constexpr int documents = 20000;
#endif
    const std::string command =
        std::string("/usr/bin/python3 ") + HOWDAH_SOURCE_DIR "/tests/support/yaml_documents.py " +
        std::to_string(documents) + " " +
        std::string(std::getenv("HOWDAH_YAML_SEED") == nullptr ? "1"
                                                               : std::getenv("HOWDAH_YAML_SEED"));
    auto* pipe = ::popen(command.c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    std::string all;
    std::array<char, 65536> buffer{};
    for (std::size_t got = 0; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
        all.append(buffer.data(), got);
    }
    ASSERT_EQ(::pclose(pipe), 0);
    int equal = 0;
    int refused_by_both = 0;
    int refused_here = 0;
    std::map<std::string, int> reasons;
    std::istringstream lines(all);
    for (std::string hex, json, line; std::getline(lines, line);) {
        hex = line.substr(0, line.find(' '));
        json = line.substr(line.find(' ') + 1);
        std::string text;
        for (std::size_t i = 0; i < hex.size(); i += 2) {
            text += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
        }
        const auto ours = read_yaml(text, "x");
        if (json == "-") {
            EXPECT_FALSE(ours) << "PyYAML refuses:\n" << text << "\nhere: " << ours->value.dump();
            ++refused_by_both;
        } else if (!ours) {
            ++refused_here;
            auto reason = ours.error().message;
            ++reasons[reason.substr(reason.find(": ") + 2)];
        } else {
            // Not ordered_json: the order of keys does not count.
            EXPECT_EQ(nlohmann::json::parse(ours->value.dump()), nlohmann::json::parse(json))
                << text;
            ++equal;
        }
    }
    EXPECT_EQ(equal + refused_by_both + refused_here, documents);
    EXPECT_GT(equal, documents * 6 / 10);
    EXPECT_LT(refused_here, documents / 20);
    RecordProperty("equal", equal);
    std::printf("%d equal, %d refused by both, %d refused here alone\n", equal, refused_by_both,
                refused_here);
    for (const auto& [reason, count] : reasons) {
        if (count > 1) {
            std::printf("  %d: %s\n", count, reason.c_str());
        }
    }
}

}  // namespace
}  // namespace howdah::config
