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
                        .reserved = {.epoch = 7, .timeline = 5},
                        .system_id = "7711276107238404140",
                        .timeline = 4,
                        .lsn = pg::Lsn(0x5000088),
                        .lease = 7587848390000000001};
    EXPECT_EQ(parse_record(render(record)).value(), record);
}

/// With a name that looks like a key.
Sighting a_sighting() {
    const Record record{.epoch = 1,
                        .holder = "a",
                        .holder_name = "\"seq\":1,",
                        .seq = 17,
                        .ttl = 5s,
                        .claimers = {"a", "b"},
                        .lease = 9};
    return {.revision = 1, .value = render(record), .record = record};
}

TEST(Sighting, ReadsEveryRenewalAsItWasWritten) {
    auto seen = a_sighting();
    auto record = *seen.record;
    for (const auto lease : {9, 9, 1, 9999, 0}) {
        record.lease = lease;
        ++record.seq;
        const auto text = render_after(seen, record);
        EXPECT_EQ(text, render(record));
        seen.read(seen.revision + 1, text);
        EXPECT_EQ(seen.record, record);
        EXPECT_EQ(seen.value, text);
    }
}

TEST(Sighting, ReadsWhateverComesNextAsIfItWereTheFirst) {
    const auto before = a_sighting();
    for (std::size_t at = 0; at < before.value.size(); ++at) {
        for (const auto* put : {"", "0", "7", "00", "-", "\"", "x", ",", "}", "{\"seq\":3},"}) {
            for (const auto instead_of : {0U, 1U, 2U}) {
                auto text = before.value;
                text.replace(at, instead_of, put);
                auto seen = before;
                seen.read(2, text);
                const auto fresh = parse_record(text);
                ASSERT_EQ(seen.record.has_value(), fresh.has_value()) << text;
                if (fresh) {
                    ASSERT_EQ(*seen.record, *fresh) << text;
                }
            }
        }
    }
}

TEST(Record, ThatChangesMoreThanARenewalIsWrittenAnew) {
    const auto before = a_sighting();
    auto next = *before.record;
    next.seq = 18;
    next.claimers.emplace_back("c");
    EXPECT_EQ(render_after(before, next), render(next));
    EXPECT_EQ(render_after({}, next), render(next));
}

TEST(Record, RefusesWhatIsNotOne) {
    for (const auto* text :
         {"", "{}", "[]", "pgvm1", R"({"epoch":1})", R"({"epoch":"x","state":"primary"})"}) {
        EXPECT_EQ(parse_record(text).error().code, Errc::corrupt) << text;
    }
}

TEST(Record, OfAnOlderHowdahIsReadAndOfANewerFormatRefused) {
    const Record record{.epoch = 1, .incarnation = "i", .seq = 1, .ttl = 5s};
    auto text = render(record);
    const std::string format = R"("format":1,)";
    ASSERT_NE(text.find(format), std::string::npos);
    auto older = text;
    older.erase(older.find(format), format.size());
    EXPECT_EQ(parse_record(older).value(), record);
    text.replace(text.find(format), format.size(), R"("format":2,)");
    EXPECT_EQ(parse_record(text).error().code, Errc::unsafe);
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

TEST(Damage, IsWhatNobodyCanGoOnFrom) {
    Sighting seen;
    EXPECT_EQ(damage_of(seen), "") << "absent";
    seen = {.revision = 7, .value = "garbage"};
    EXPECT_NE(damage_of(seen).find("can't be read"), std::string::npos);
    seen.value = render(Record{.epoch = 1, .ttl = Millis(5000)});
    seen.record = parse_record(seen.value).value();
    EXPECT_EQ(damage_of(seen), "");
    seen.leader = "ghost";
    seen.leader_revision = 9;
    EXPECT_NE(damage_of(seen).find("ghost"), std::string::npos);
    seen.leader_lease = 12;
    EXPECT_EQ(damage_of(seen), "") << "a Patroni leader's, or one that expires";
}

}  // namespace
}  // namespace howdah::ha
