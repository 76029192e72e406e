#include "repo/plan/backup_summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "repo/fixtures/fixtures.h"
#include "repo/manifest/manifest_reader.h"
#include "repo/plan/resume.h"
#include "repo/plan/verify.h"
#include "repo/stream/stored_form.h"

namespace howdah::repo {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

BackupInfo info_of(const fixtures::Repository& repository) {
    const auto text = unpack({.cipher_pass = repository.cipher_pass},
                             bytes_of(repository.at("backup/main/backup.info")), 1U << 30);
    return *BackupInfo::parse(text_of(*text));
}

TEST(BackupSummary, IsWhatPgBackRestWroteIntoBackupInfo) {
    for (const auto& name : fixtures::names()) {
        const auto& repository = fixtures::load(name);
        for (const auto& [label, expected] : info_of(repository).backups) {
            const auto summary =
                summary_of(*parse_manifest("m", repository.manifest(label.text())));
            EXPECT_EQ(summary, expected) << name << label.text();
        }
    }
}

TEST(Reconcile, LostManifestsTakeTheirDependantsAlong) {
    auto info = info_of(fixtures::load("plain-bz2"));
    const auto full = *Label::parse("20261123-090810F");
    const auto diff = *Label::parse("20261123-090810F_20261123-090813D");
    const auto incr = *Label::parse("20261123-090810F_20261123-090815I");
    EXPECT_TRUE(reconcile(info, {full, diff, incr}, {}).empty());
    auto without_diff = info;
    const auto changes = reconcile(without_diff, {full, incr}, {});
    ASSERT_EQ(changes.size(), 2U);
    EXPECT_EQ(changes[1].label, incr);
    EXPECT_THAT(changes[1].why, HasSubstr("needs " + diff.text()));
    EXPECT_EQ(without_diff.backups.size(), 1U);
}

TEST(Reconcile, AddsBackWhatFits) {
    const auto whole = info_of(fixtures::load("plain-bz2"));
    auto info = whole;
    info.backups.clear();
    std::vector<UnlistedBackup> unlisted;
    std::set<Label> labels;
    for (auto it = whole.backups.rbegin(); it != whole.backups.rend(); ++it) {
        labels.insert(it->first);
        unlisted.push_back({.label = it->first, .cluster = whole.cluster(), .summary = it->second});
    }
    EXPECT_EQ(reconcile(info, labels, unlisted).size(), 3U);
    EXPECT_EQ(info, whole);
    info.backups.clear();
    unlisted.back().cluster.system_id = 1;  // the full backup is another cluster's
    EXPECT_TRUE(reconcile(info, labels, unlisted).empty());
}

Planned a_plan() {
    return {.written_by = "2.59.1", .compress = CompressType::zst};
}

ManifestHeader a_copy() {
    ManifestHeader copy{.written_by = "2.59.1", .label = *Label::parse("20261123-090810F")};
    copy.options.compress = CompressType::zst;
    return copy;
}

TEST(Resume, GoesOnWithTheSameKindOnly) {
    const auto copy = a_copy();
    const Unfinished unfinished{.label = copy.label, .copy = &copy};
    EXPECT_EQ(decide_resume(std::nullopt, a_plan()).choice, ResumeChoice::nothing);
    EXPECT_EQ(decide_resume(unfinished, a_plan()).choice, ResumeChoice::resume);
    auto finished = unfinished;
    finished.has_manifest = true;
    EXPECT_EQ(decide_resume(finished, a_plan()).choice, ResumeChoice::nothing);
    const auto removed = [&](auto change) {
        auto plan = a_plan();
        change(plan);
        const auto decision = decide_resume(unfinished, plan);
        EXPECT_EQ(decision.choice, ResumeChoice::remove);
        return decision.why;
    };
    EXPECT_THAT(removed([](Planned& p) { p.resume = false; }), HasSubstr("switched off"));
    EXPECT_THAT(removed([](Planned& p) { p.type = BackupType::incr; }), HasSubstr("only full"));
    EXPECT_THAT(removed([](Planned& p) { p.written_by = "2.45"; }),
                HasSubstr("begun by version 2.59.1, this is 2.45"));
    EXPECT_THAT(removed([](Planned& p) { p.compress = CompressType::gz; }), HasSubstr("by zst"));
    EXPECT_THAT(removed([](Planned& p) { p.bundle = true; }), HasSubstr("repo-bundle"));
    const auto damaged = decide_resume(Unfinished{.label = copy.label}, a_plan());
    EXPECT_THAT(damaged.why, HasSubstr("cannot be loaded"));
}

TEST(Resume, KeepsFilesThatAreTheSame) {
    const ManifestFile then{
        .name = "pg_data/x", .size = 5, .modified = 1, .sum = Sha1Digest{}, .stored_size = 5};
    EXPECT_TRUE(may_stay(then, then, false));
    auto now = then;
    now.modified = 2;
    EXPECT_FALSE(may_stay(then, now, false));
    EXPECT_TRUE(may_stay(then, now, true));
    now.size = 6;
    EXPECT_FALSE(may_stay(then, now, true));
    auto bundled = then;
    bundled.bundle = BundlePlace{.id = 1};
    EXPECT_FALSE(may_stay(bundled, then, false));
    auto not_copied = then;
    not_copied.sum.reset();
    EXPECT_FALSE(may_stay(not_copied, then, false));
}

TEST(WalInventory, SeesGapsTimelinesAndConflicts) {
    WalInventory inventory;
    const auto add = [&](const std::string& segment, char sum) {
        inventory.add(segment + "-" + std::string(40, sum) + ".gz");
    };
    for (const auto* name :
         {"0000000100000000000000FE", "0000000100000000000000FF", "000000010000000100000000",
          "000000010000000100000002", "000000020000000100000003"}) {
        add(name, 'a');
    }
    add("000000010000000100000002", 'b');
    inventory.add("000000010000000100000002-" + std::string(40, 'a') + ".zst");
    inventory.add("0000000100000001000000FF.00000028.backup");
    EXPECT_EQ(inventory.segments(), 5U);
    EXPECT_THAT(inventory.stretches(pg::WalSegment::default_size),
                ElementsAre(WalStretch{"0000000100000000000000FE", "000000010000000100000000"},
                            WalStretch{"000000010000000100000002", "000000010000000100000002"},
                            WalStretch{"000000020000000100000003", "000000020000000100000003"}));
    EXPECT_EQ(inventory.conflicts().size(), 3U);
    const auto missing = [&](const char* start, const char* stop) {
        return inventory.first_missing(start, stop, pg::WalSegment::default_size);
    };
    EXPECT_EQ(*missing("0000000100000000000000FE", "000000010000000100000000"), "");
    EXPECT_EQ(*missing("0000000100000000000000FE", "000000010000000100000002"),
              "000000010000000100000001");
    EXPECT_EQ(*missing("0000000100000000000000FE", "00000001FFFFFFFF000000FF"),
              "000000010000000100000001");
    EXPECT_FALSE(missing("x", "y"));
    EXPECT_FALSE(missing("000000010000000100000002", "000000020000000100000003"));
}

TEST(Verify, ABackupIsValidWithAllFilesAndItsWal) {
    Tally files;
    files.add(Finding::good);
    EXPECT_EQ(state_of(true, files, std::string()), BackupState::valid);
    EXPECT_EQ(state_of(true, files, std::string("x")), BackupState::wal_missing);
    EXPECT_EQ(state_of(true, files, fail(Errc::invalid, "")), BackupState::wal_missing);
    EXPECT_EQ(state_of(false, files, std::string()), BackupState::manifest_missing);
    files.add(Finding::bad_sum);
    EXPECT_EQ(state_of(true, files, std::string()), BackupState::invalid);
    EXPECT_EQ(files.total(), 2U);
    EXPECT_EQ(files.good(), 1U);
    EXPECT_EQ(name_of(Finding::bad_sum), "checksum invalid");
}

}  // namespace
}  // namespace howdah::repo
