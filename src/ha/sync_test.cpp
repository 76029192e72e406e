#include "ha/sync.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/random.h"

namespace howdah::ha {
namespace {

StandbyNames all_of(std::vector<std::string> names) {
    const auto n = static_cast<int>(names.size());
    return {.mode = SyncMode::on, .names = std::move(names), .wait_for = n};
}
StandbyNames any_of(int k, std::vector<std::string> names) {
    return {.mode = SyncMode::quorum, .names = std::move(names), .wait_for = k};
}

TEST(StandbyNames, AreWrittenAsPatroniWritesThem) {
    EXPECT_EQ(render(StandbyNames{}), "");
    EXPECT_EQ(render(all_of({"n-1"})), "\"n-1\"");
    EXPECT_EQ(render(all_of({"n-1", "n2"})), "2 (\"n-1\",n2)");
    EXPECT_EQ(render(any_of(1, {"n2"})), "ANY 1 (n2)");
    EXPECT_EQ(render(all_of({"first"})), "\"first\"");
    EXPECT_EQ(render(StandbyNames{.mode = SyncMode::on, .blocked = true}),
              "__patroni_strict_sync_replica_placeholder__");
    EXPECT_EQ(render(StandbyNames{.mode = SyncMode::quorum, .blocked = true}),
              "ANY 1 (__patroni_strict_sync_replica_placeholder__)");
}

TEST(StandbyNames, AreReadBack) {
    for (const auto& names :
         {StandbyNames{}, all_of({"a"}), all_of({"a", "b c"}), any_of(1, {"a", "b"}),
          any_of(2, {"a\"b", "any", "c"}), StandbyNames{.mode = SyncMode::on, .blocked = true},
          StandbyNames{.mode = SyncMode::quorum, .blocked = true}}) {
        const auto back = parse_standby_names(render(names));
        ASSERT_TRUE(back) << render(names);
        EXPECT_EQ(render(*back), render(names));
    }
}

TEST(StandbyNames, ThatAnOperatorWroteAreUnderstoodOrPromiseNothing) {
    EXPECT_EQ(*parse_standby_names("a"), all_of({"a"}));
    EXPECT_EQ(*parse_standby_names("FIRST 2 (b, a)"), all_of({"a", "b"}));
    EXPECT_EQ(*parse_standby_names(" any 1 (b , a) "), any_of(1, {"a", "b"}));
    EXPECT_TRUE(parse_standby_names("*")->none());
    EXPECT_TRUE(parse_standby_names("a, b")->none());  // FIRST 1 of two: either may have the commit
    EXPECT_TRUE(parse_standby_names("ANY 1 (*)")->none());
}

TEST(StandbyNames, ThatAreBrokenAreAnError) {
    for (const auto* text : {"ANY 1 (a", "\"a", "ANY 1 ()", "a b", "2 (a,)", ",a"}) {
        EXPECT_FALSE(parse_standby_names(text)) << text;
    }
}

SyncSet a_set(SyncMode mode, int copies, const std::vector<std::string>& names) {
    SyncSet set{.mode = mode, .copies = copies};
    for (const auto& name : names) {
        set.voters.push_back({.uuid = "u-" + name, .name = name});
    }
    return set;
}

TEST(SyncDocument, TellsPatroniOnlyWhoHoldsEverything) {
    EXPECT_EQ(sync_document(a_set(SyncMode::on, 1, {"b"}), "a"),
              R"({"leader":"a","quorum":0,"sync_standby":"b"})");
    EXPECT_EQ(sync_document(a_set(SyncMode::quorum, 1, {"b", "c"}), "a"),
              R"({"leader":"a","quorum":1,"sync_standby":"b,c"})");
    // Plain mode in the middle of a change: either may have a commit, so none is named.
    EXPECT_EQ(sync_document(a_set(SyncMode::on, 1, {"b", "c"}), "a"),
              R"({"leader":"a","quorum":0,"sync_standby":null})");
    EXPECT_EQ(sync_document(SyncSet{}, "a"), R"({"leader":null,"quorum":0,"sync_standby":null})");
}

TEST(NamesAtPromotion, CountTheNewPrimaryAsOneCopy) {
    EXPECT_EQ(render(names_at_promotion(a_set(SyncMode::quorum, 2, {"b", "c", "d"}), "u-b")),
              "ANY 1 (c,d)");
    EXPECT_EQ(render(names_at_promotion(a_set(SyncMode::on, 1, {"b"}), "u-b")), "");
    EXPECT_EQ(render(names_at_promotion(a_set(SyncMode::on, 2, {"b", "c"}), "u-x")), "2 (b,c)");
}

TEST(NamesAtPromotion, BlockAStrictPrimaryThatHasNobodyToWaitFor) {
    auto set = a_set(SyncMode::on, 1, {"b"});
    set.strict = true;
    EXPECT_TRUE(names_at_promotion(set, "u-b").blocked);
}

/// A primary, standbys that flush WAL when chance says so, and an adversary who changes his mind
/// and kills primaries. Every acknowledged commit must be held by someone in every set of voters
/// that may elect.
class Adversary {
public:
    explicit Adversary(std::uint64_t seed) : random_(seed) {}

    void run(int steps) {
        for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
            one_move();
            check();
        }
    }

private:
    static constexpr int members = 5;
    static std::string name(int member) { return std::string(1, static_cast<char>('a' + member)); }
    static Voter voter(int member) { return {.uuid = "u-" + name(member), .name = name(member)}; }
    static int member_of(const std::string& name) { return name[0] - 'a'; }

    void one_move() {
        switch (random_.between(0, 5)) {
            case 0:
                want_something_else();
                break;
            case 1:
                commit();
                break;
            case 2:
                replicate();
                break;
            case 3:
            case 4:
                take_step();
                break;
            default:
                if (random_.chance(0.1)) {
                    fail_over();
                }
        }
    }

    void want_something_else() {
        strict_ = random_.chance(0.3);
        wanted_ = StandbyNames{};
        voters_.clear();
        const auto mode = random_.between(0, 2);
        wanted_.mode = static_cast<SyncMode>(mode);
        if (mode == 0) {
            strict_ = false;
            return;
        }
        for (int m = 0; m < members; ++m) {
            if (m != primary_ && random_.chance(0.5)) {
                wanted_.names.push_back(name(m));
                voters_.push_back(voter(m));
            }
        }
        const auto n = std::ssize(wanted_.names);
        wanted_.wait_for = static_cast<int>(n == 0 || mode == 1 ? n : random_.between(1, n));
        wanted_.blocked = strict_ && n == 0;
    }

    void commit() {
        ++end_;
        flushed_[primary_] = end_;
    }

    void replicate() {
        const auto m = static_cast<int>(random_.between(0, members - 1));
        if (m != primary_) {
            flushed_[m] = std::max(flushed_[m], static_cast<int>(random_.between(0, end_)));
        }
        acknowledge();
    }

    int holding(const std::vector<std::string>& names, int lsn) {
        return static_cast<int>(std::count_if(names.begin(), names.end(), [&](const auto& n) {
            return flushed_[member_of(n)] >= lsn;
        }));
    }

    void acknowledge() {
        while (!effective_.blocked && acknowledged_ < end_ &&
               holding(effective_.names, acknowledged_ + 1) >= effective_.wait_for) {
            ++acknowledged_;
        }
    }

    void take_step() {
        const auto step = next_step({.published = published_,
                                     .effective = effective_,
                                     .wanted = wanted_,
                                     .wanted_voters = voters_,
                                     .strict = strict_,
                                     .own_uuid = voter(primary_).uuid,
                                     .caught_up = holding(wanted_.names, barrier_),
                                     .caught_up_in_force = holding(effective_.names, barrier_)});
        if (step.kind == SyncStep::Kind::publish) {
            published_ = step.set;
        } else if (step.kind == SyncStep::Kind::set) {
            acknowledge();  // under the old setting until the last moment
            effective_ = step.names;
            barrier_ = end_;
            acknowledge();
        }
    }

    /// Any set of voters large enough elects its best member.
    void fail_over() {
        auto electors = published_.voters;
        if (published_.empty()) {
            return;  // only the last primary may lead, and it loses nothing
        }
        while (std::ssize(electors) > published_.votes_needed()) {
            electors.erase(electors.begin() + random_.between(0, std::ssize(electors) - 1));
        }
        const auto best = *std::max_element(
            electors.begin(), electors.end(), [&](const Voter& a, const Voter& b) {
                return flushed_[member_of(a.name)] < flushed_[member_of(b.name)];
            });
        primary_ = member_of(best.name);
        end_ = flushed_[primary_];
        for (auto& [member, lsn] : flushed_) {
            lsn = std::min(lsn, end_);
        }
        effective_ = names_at_promotion(published_, best.uuid);
        barrier_ = end_;
        want_something_else();
        acknowledge();
    }

    void check() {
        if (published_.mode == SyncMode::off || published_.empty()) {
            // Nobody but the last primary may lead; an asynchronous cluster promises nothing.
            return;
        }
        const auto n = std::ssize(published_.voters);
        for (unsigned bits = 0; bits < (1U << n); ++bits) {
            if (std::popcount(bits) != published_.votes_needed()) {
                continue;
            }
            int most = 0;
            for (int i = 0; i < n; ++i) {
                if ((bits >> i & 1U) != 0) {
                    const auto m = member_of(published_.voters[static_cast<std::size_t>(i)].name);
                    most = std::max(most, flushed_[m]);
                }
            }
            ASSERT_GE(most, acknowledged_) << "a set of voters may elect without the last commit";
        }
    }

    Random random_;
    int primary_ = 0;
    int end_ = 1, acknowledged_ = 1, barrier_ = 0;
    std::map<int, int> flushed_{{0, 1}, {1, 1}, {2, 1}, {3, 1}, {4, 1}};
    SyncSet published_{};
    StandbyNames effective_{}, wanted_{};
    std::vector<Voter> voters_{};
    bool strict_ = false;
};

TEST(SyncSteps, KeepEveryAcknowledgedCommitInEveryElectingSetWhateverChanges) {
    for (std::uint64_t seed = 1; seed <= 3000 && !HasFailure(); ++seed) {
        SCOPED_TRACE(seed);
        Adversary(seed).run(300);
    }
}

TEST(SyncSteps, ReachWhatIsWantedAndThenStop) {
    SyncChange change{.wanted = any_of(1, {"b", "c"}),
                      .wanted_voters = {{"u-b", "b"}, {"u-c", "c"}},
                      .own_uuid = "u-a",
                      .caught_up = 2};
    for (int i = 0; i < 10; ++i) {
        const auto step = next_step(change);
        if (step.kind == SyncStep::Kind::none) {
            break;
        }
        if (step.kind == SyncStep::Kind::publish) {
            change.published = step.set;
        } else if (step.kind == SyncStep::Kind::set) {
            change.effective = step.names;
        }
    }
    EXPECT_EQ(next_step(change).kind, SyncStep::Kind::none);
    EXPECT_EQ(render(change.effective), "ANY 1 (b,c)");
    EXPECT_EQ(change.published, a_set(SyncMode::quorum, 1, {"b", "c"}));
}

TEST(SyncStep, PromotedVoterLeavesTheSetBeforeOthersJoinIt) {
    SyncChange change{.published = a_set(SyncMode::quorum, 1, {"a", "b"}),
                      .effective = any_of(1, {"b"}),
                      .wanted = any_of(1, {"b", "c"}),
                      .wanted_voters = {{"u-b", "b"}, {"u-c", "c"}},
                      .own_uuid = "u-a",
                      .caught_up = 1,
                      .caught_up_in_force = 1};
    const auto step = next_step(change);
    EXPECT_EQ(step.kind, SyncStep::Kind::publish);
    EXPECT_EQ(step.set.voters, a_set(SyncMode::quorum, 1, {"b"}).voters)
        << "with the primary among three voters its own vote would be needed after it is lost";
    EXPECT_EQ(step.set.copies, 1);
    change.caught_up_in_force = 0;
    EXPECT_EQ(next_step(change).set.copies, 1) << "b lacks what was recovered: it can't vote alone";
    EXPECT_EQ(next_step(change).set.voters.size(), 3U);
}

TEST(SyncStep, ModeIsOffOnlyOnceNobodyIsWaitedFor) {
    const SyncSet published{
        .mode = SyncMode::on, .voters = {{.uuid = "b", .name = "pgvm2"}}, .copies = 1};
    SyncChange change{.published = published,
                      .effective = {.mode = SyncMode::on, .names = {"pgvm2"}, .wait_for = 1},
                      .own_uuid = "a",
                      .caught_up = 1};
    auto step = next_step(change);
    EXPECT_EQ(step.kind, SyncStep::Kind::publish);
    EXPECT_TRUE(step.set.empty());
    EXPECT_NE(step.set, SyncSet{}) << "nobody would look at the setting again";
    change.published = step.set;
    step = next_step(change);
    ASSERT_EQ(step.kind, SyncStep::Kind::set);
    change.effective = step.names;
    change.caught_up = 0;
    step = next_step(change);
    EXPECT_EQ(step.kind, SyncStep::Kind::publish);
    EXPECT_EQ(step.set, SyncSet{});
}

}  // namespace
}  // namespace howdah::ha
