#include "api/config_changes.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/body.h"

namespace howdah::api {
namespace {

constexpr auto stored =
    R"({"ttl":20,"loop_wait":2,"postgresql":{"use_slots":true,"parameters":{"work_mem":"8MB"}}})";

io::HttpRequest asking(const std::string& body) {
    return {.method = "PATCH",
            .target = "/config",
            .headers = {{"content-length", std::to_string(body.size())}},
            .body = body};
}

NewConfig patched(const std::string& body) {
    return std::get<NewConfig>(patched_config(asking(body), stored));
}

io::HttpResponse refused(const std::string& body, const std::string& current = stored) {
    return std::get<io::HttpResponse>(patched_config(asking(body), current));
}

TEST(PatchConfig, MergesAndNullDeletes) {
    EXPECT_EQ(patched(R"({"postgresql":{"parameters":{"work_mem":null}},"loop_wait":3})").text,
              R"({"ttl":20,"loop_wait":3,"postgresql":{"use_slots":true,"parameters":{}}})");
}

TEST(PatchConfig, WritesNothingWhenNothingChanges) {
    EXPECT_FALSE(patched(R"({"loop_wait":"2","nothing":null})").changed);
}

TEST(PatchConfig, KeepsUnknownKeysAndNamesTheNearest) {
    const auto config = patched(R"({"loop_wiat":3})");
    EXPECT_TRUE(config.text.contains(R"("loop_wiat":3)"));
    const auto answer = config_answer(config);
    EXPECT_EQ(answer.status, 200);
    EXPECT_TRUE(answer.headers.at("Warning").contains("did you mean loop_wait?"));
    EXPECT_TRUE(answer.body.starts_with(R"({"ttl": 20, "loop_wait": 2,)"));
}

TEST(PatchConfig, RefusesABadValueWithKeyAndRange) {
    const auto answer = refused(R"({"loop_wait":"x","ttl":1})");
    EXPECT_EQ(answer.status, 400);
    EXPECT_TRUE(answer.body.contains("loop_wait: \"x\" is no number")) << answer.body;
    EXPECT_TRUE(answer.body.contains("ttl: 1 s is below the minimum of 2 s")) << answer.body;
    EXPECT_TRUE(answer.body.contains("hint: ")) << answer.body;
}

TEST(PatchConfig, RefusesAKeyThatStandsTwice) {
    const auto answer = refused(R"({"postgresql":{"parameters":{"a":1},"parameters":{"b":1}}})");
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(answer.body, "the key \"parameters\" stands twice in one object");
    EXPECT_TRUE(patched(R"({"a":{"x":1},"b":{"x":1}})").changed);
}

TEST(PatchConfig, RefusesWhatDoesHarmAndNamesWhatHasNoEffect) {
    const auto answer = refused(R"({"slots":{"cdc":{"type":"physical"}}})");
    EXPECT_EQ(answer.status, 400);
    EXPECT_TRUE(answer.body.contains("slots: is not supported: ")) << answer.body;
    EXPECT_TRUE(config_answer(patched(R"({"check_timeline":true})"))
                    .headers.at("Warning")
                    .contains("check_timeline: has no effect: timelines are always compared"));
    // What stands there already does not stand in the way of other changes.
    const auto change = patched_config(asking(R"({"pause":true})"), R"({"slots":{"a":{}}})");
    EXPECT_TRUE(std::holds_alternative<NewConfig>(change));
}

TEST(PatchConfig, AnOlderFaultElsewhereDoesNotStandInTheWay) {
    const auto change = patched_config(asking(R"({"pause":true})"), R"({"loop_wait":"x"})");
    EXPECT_TRUE(std::holds_alternative<NewConfig>(change));
}

TEST(PatchConfig, AnswersAsPatroniDoes) {
    for (const auto* body : {"not json", "", "{}", "[]"}) {
        EXPECT_EQ(refused(body).status, 400) << body;
    }
    EXPECT_EQ(refused(R"({"pause":true})", "").status, 503);
    auto request = asking("{}");
    request.headers.clear();
    EXPECT_EQ(std::get<io::HttpResponse>(patched_config(request, stored)).status, 411);
}

TEST(PatchConfig, RefusesWhatIsNestedTooDeeply) {
    const std::string deep = R"({"a":)" + std::string(5000, '[') + std::string(5000, ']') + "}";
    EXPECT_EQ(refused(deep).status, 400);
}

TEST(PutConfig, TakesTheBodyAsItStands) {
    const auto put = replaced_config(asking(R"({"ttl":30,"nosuch":[1]})"));
    EXPECT_EQ(std::get<NewConfig>(put).text, R"({"ttl":30,"nosuch":[1]})");
    const auto bad = replaced_config(asking(R"({"ttl":"x"})"));
    EXPECT_EQ(std::get<io::HttpResponse>(bad).status, 400);
}

}  // namespace
}  // namespace howdah::api
