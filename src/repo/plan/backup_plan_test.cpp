#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "repo/fixtures/fixtures.h"
#include "repo/manifest/manifest_reader.h"
#include "repo/plan/bundle_plan.h"
#include "repo/plan/changes.h"
#include "repo/plan/left_out.h"

namespace howdah::repo {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

TEST(BundlePlan, FillsBundlesAndCopiesBigFilesFirst) {
    const std::vector<CopyItem> items{
        {.size = 60, .index = 0}, {.size = 101, .index = 1},
        {.size = 0, .index = 2},  {.size = 100, .index = 3},
        {.size = 50, .index = 4}, {.size = 7, .index = 5, .alone = true},
        {.size = 500, .index = 6}};
    const Bundling bundling{.on = true, .largest_file = 100, .full_at = 150};
    const auto plan = plan_copies(items, bundling);
    std::vector<std::pair<std::uint32_t, std::vector<std::uint32_t>>> jobs;
    for (std::size_t at = 0; at < plan.size(); ++at) {
        const auto job = plan.at(at);
        jobs.emplace_back(job.bundle, std::vector(job.files.begin(), job.files.end()));
    }
    using Files = std::vector<std::uint32_t>;
    EXPECT_THAT(jobs, ElementsAre(Pair(0, Files{6}), Pair(0, Files{1}), Pair(0, Files{5}),
                                  Pair(1, Files{0, 3}), Pair(2, Files{4})));
    EXPECT_EQ(plan_copies(items, {}).size(), items.size());
}

TEST(Changes, SizeAndTimeDecide) {
    const ManifestFile prior{.name = "pg_data/x", .size = 5, .modified = 100};
    auto now = prior;
    EXPECT_EQ(change_of(now, std::nullopt, false), Change::copy);
    EXPECT_EQ(change_of(now, prior, false), Change::same);
    EXPECT_EQ(change_of(now, prior, true), Change::compare);
    now.modified = 101;
    EXPECT_EQ(change_of(now, prior, false), Change::copy);
    EXPECT_EQ(change_of(now, prior, true), Change::compare);
    now.size = 6;
    EXPECT_EQ(change_of(now, prior, true), Change::copy);
}

TEST(Changes, TimesThatLieTurnDeltaOn) {
    const ManifestFile prior{.name = "pg_data/x", .size = 5, .modified = 100};
    auto now = prior;
    EXPECT_FALSE(delta_reason(now, prior, 200));
    EXPECT_THAT(*delta_reason(now, prior, 99), HasSubstr("in the future"));
    now.modified = 99;
    EXPECT_THAT(*delta_reason(now, prior, 200), HasSubstr("older than in"));
    now.modified = 100;
    now.size = 6;
    EXPECT_THAT(*delta_reason(now, prior, 200), HasSubstr("another size"));
    ManifestHeader a{.wal_start = "000000020000000000000005"};
    ManifestHeader b{.wal_stop = "000000010000000000000004"};
    EXPECT_THAT(*delta_reason(a, b), HasSubstr("from 00000001 to 00000002"));
    b.options.online = true;
    EXPECT_THAT(*delta_reason(a, b), HasSubstr("online"));
}

// What pgBackRest referred to, derived anew from the prior manifest and the listing that the new
// one shows.
TEST(Changes, RefersAsPgBackRestDid) {
    for (const auto& name : fixtures::names()) {
        const auto& repository = fixtures::load(name);
        const auto labels = repository.labels();
        for (std::size_t i = 1; i < labels.size(); ++i) {
            const auto manifest = *parse_manifest("m", repository.manifest(labels[i]));
            const auto prior =
                *parse_manifest("m", repository.manifest(manifest.header.prior->text()));
            auto header = manifest.header;
            inherit(header, prior.header);
            EXPECT_EQ(header, manifest.header);
            std::size_t referred = 0;
            for (std::size_t f = 0; f < manifest.files.size(); ++f) {
                const auto file = manifest.files.at(f);
                const auto found = prior.files.find(file.name);
                if (file.reference.empty() || !found) {
                    continue;
                }
                const auto old = prior.files.at(*found);
                ManifestFile listed{.name = file.name,
                                    .size = file.size,
                                    .modified = file.modified,
                                    .user = file.user,
                                    .group = file.group,
                                    .mode = file.mode};
                EXPECT_EQ(refer(listed, old, prior.header.label, header.bundle), file) << file.name;
                ++referred;
            }
            EXPECT_GT(referred, 500U);
        }
    }
}

TEST(LeftOut, NothingThatPgBackRestTook) {
    for (const auto& name : fixtures::names()) {
        const auto& repository = fixtures::load(name);
        const auto manifest =
            *parse_manifest("m", repository.manifest(repository.labels().front()));
        for (std::size_t i = 0; i < manifest.files.size(); ++i) {
            const auto file = manifest.files.at(i);
            EXPECT_EQ(has_pages(file.name), file.pages != PagesFound::unchecked) << file.name;
            if (file.name != "pg_data/backup_label") {  // comes from PostgreSQL's answer
                EXPECT_EQ(take({.name = file.name}, 15, true), Take::all) << file.name;
            }
        }
        for (const auto& path : manifest.header.paths) {
            EXPECT_NE(take({.name = path.name, .is_folder = true}, 15, true), Take::nothing);
        }
    }
}

TEST(LeftOut, WhatPostgreSqlMakesAnew) {
    const auto file = [](std::string_view name, int major = 15, bool online = true) {
        return take({.name = name}, major, online);
    };
    const auto folder = [](std::string_view name, bool online = true) {
        return take({.name = name, .is_folder = true}, 15, online);
    };
    EXPECT_EQ(file("pg_data/postmaster.pid"), Take::nothing);
    EXPECT_EQ(file("pg_data/backup_manifest"), Take::nothing);
    EXPECT_EQ(file("pg_data/backup_manifest", 12), Take::all);
    EXPECT_EQ(file("pg_data/standby.signal"), Take::nothing);
    EXPECT_EQ(file("pg_data/recovery.conf"), Take::all);
    EXPECT_EQ(file("pg_data/recovery.conf", 11), Take::nothing);
    EXPECT_EQ(file("pg_data/pg_wal/000000010000000000000001"), Take::nothing);
    EXPECT_EQ(file("pg_data/pg_wal/000000010000000000000001", 15, false), Take::all);
    EXPECT_EQ(file("pg_data/base/5/pg_internal.init.33"), Take::nothing);
    EXPECT_EQ(file("pg_data/base/5/t5_16384_vm.1"), Take::nothing);
    EXPECT_EQ(file("pg_data/base/5/table"), Take::all);
    EXPECT_EQ(file("pg_tblspc/9/PG_15_202209061/5/t5_1"), Take::nothing);
    EXPECT_EQ(folder("pg_data/base/pgsql_tmp"), Take::nothing);
    EXPECT_EQ(folder("pg_data/pg_replslot"), Take::folder_only);
    EXPECT_EQ(folder("pg_data/pg_wal/archive_status"), Take::folder_only);
    EXPECT_EQ(folder("pg_data/pg_wal/archive_status", false), Take::all);
    EXPECT_EQ(folder("pg_data/pg_wal"), Take::all);
}

TEST(LeftOut, ForksOfUnloggedRelations) {
    EXPECT_EQ(unlogged_relation("16384_init"), "16384");
    EXPECT_EQ(unlogged_relation("16384_init.1"), "16384");
    EXPECT_EQ(unlogged_relation("16384_vm"), "");
    EXPECT_EQ(relation_of("16384"), "16384");
    EXPECT_EQ(relation_of("16384_fsm.2"), "16384");
    EXPECT_EQ(relation_of("16384_x"), "");
    EXPECT_EQ(relation_of("PG_VERSION"), "");
}

}  // namespace
}  // namespace howdah::repo
