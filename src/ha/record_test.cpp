#include "ha/record.h"

#include <gtest/gtest.h>

namespace howdah::ha {
namespace {

using namespace std::chrono_literals;

TEST(Record, SurvivesARoundTrip) {
    const Record record{.epoch = 7,
                        .holder = "00ff",
                        .holder_name = "pgvm1",
                        .incarnation = "1234",
                        .seq = 9,
                        .ttl = 5s,
                        .state = RecordState::handover,
                        .handover_to = "abcd",
                        .claimers = {"00ff", "abcd"},
                        .set_version = 3,
                        .sync_version = 2,
                        .promoted = {.uuid = "00ff", .epoch = 6, .timeline = 4},
                        .last_start = {.epoch = 6, .timeline = 4, .begin = pg::Lsn(0x4000000)},
                        .system_id = "7711276107238404140",
                        .timeline = 4,
                        .lsn = pg::Lsn(0x5000088),
                        .lease = 7587848390000000001};
    EXPECT_EQ(parse_record(render(record)).value(), record);
}

TEST(Record, ARenewalReadsAsItWasWritten) {
    Record record{.epoch = 1, .holder_name = "\"seq\":1,", .seq = 1, .ttl = 5s, .lease = 17};
    for (const auto lease : {17, 17, 1, 9999}) {
        record.lease = lease;
        ++record.seq;
        const auto text = render(record);
        (void)render(Record{.epoch = 2, .ttl = 5s});
        (void)parse_record(render(Record{.epoch = 3, .ttl = 5s}));
        EXPECT_EQ(render(record), text);
        (void)render(Record{.epoch = 2, .ttl = 5s});
        EXPECT_EQ(parse_record(text).value(), record);
    }
}

TEST(Record, RefusesWhatIsNotOne) {
    for (const auto* text :
         {"", "{}", "[]", "pgvm1", R"({"epoch":1})", R"({"epoch":"x","state":"primary"})"}) {
        EXPECT_EQ(parse_record(text).error().code, Errc::corrupt) << text;
    }
}

TEST(Record, RefusesAnUnknownState) {
    auto text = render(Record{.epoch = 1, .ttl = 5s});
    text.replace(text.find("claimed"), 7, "dreamed");
    EXPECT_NE(parse_record(text).error().message.find("unknown state"), std::string::npos);
}

TEST(Record, IsLaterByEpochThenBySetsThenByThePromotion) {
    const Record seen{.epoch = 3, .set_version = 2, .sync_version = 5, .promoted = {.epoch = 2}};
    auto later = seen;
    EXPECT_FALSE(is_later(later, seen));
    later.promoted.epoch = 3;
    EXPECT_TRUE(is_later(later, seen));
    later.sync_version = 4;
    EXPECT_FALSE(is_later(later, seen));
    later.epoch = 4;
    EXPECT_TRUE(is_later(later, seen));
}

}  // namespace
}  // namespace howdah::ha
