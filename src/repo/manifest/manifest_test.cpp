#include "repo/manifest/manifest.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "repo/fixtures/fixtures.h"
#include "repo/manifest/manifest_names.h"
#include "repo/manifest/manifest_reader.h"
#include "repo/manifest/manifest_writer.h"
#include "repo/plan/backup_summary.h"
#include "repo/stream/stored_form.h"

namespace howdah::repo {
namespace {

using testing::HasSubstr;

Manifest a_manifest() {
    Manifest manifest;
    auto& header = manifest.header;
    header.written_by = "2.59.1";
    header.label = *Label::parse("20261123-080247F_20261123-080302I");
    header.type = BackupType::incr;
    header.prior = *Label::parse("20261123-080247F");
    header.references = {*Label::parse("20261123-080247F"), header.label};
    header.history_id = 1;
    header.cluster = {.catalog_version = 202209061,
                      .control_version = 1300,
                      .system_id = 7711273590602624413U,
                      .version = "15"};
    header.options.compress = CompressType::zst;
    header.defaults = {.user = "postgres", .group = "postgres"};
    header.targets = {
        {.name = "pg_data", .path = "/pg"},
        {.name = "pg_data/pg_hba.conf", .is_link = true, .path = "../lnk", .file = "pg_hba.conf"},
        {.name = "pg_tblspc/16389",
         .is_link = true,
         .path = "/ts1",
         .tablespace = 16389,
         .tablespace_name = "ts1"}};
    header.databases = {{.name = "a=\"b\"", .oid = 16393, .last_system_oid = 4}};
    header.links = {
        {.name = "pg_data/pg_hba.conf", .destination = "../lnk/pg_hba.conf", .user = ""},
        {.name = "pg_data/pg_tblspc/16389", .destination = "/ts1", .group = "dba"}};
    header.paths = {{.name = "pg_data"},
                    {.name = "pg_data/global", .mode = 0755, .user = "", .group = "dba"},
                    {.name = "pg_data/pg_tblspc"},
                    {.name = "pg_tblspc"},
                    {.name = "pg_tblspc/16389"}};
    header.annotations = {{"k2", "v2"}, {"source", "demo \"backup\""}};
    header.cipher_pass = "pass";
    return manifest;
}

std::vector<ManifestFile> some_files() {
    const auto sum = sha1_of(bytes_of("x"));
    return {
        {.name = "pg_data/PG_VERSION",
         .size = 3,
         .modified = 1795420793,
         .sum = sum,
         .stored_size = 23,
         .stored_sum = sum,
         .reference = "20261123-080247F"},
        {.name = "pg_data/global/1262",
         .size = 188416,
         .modified = -5,
         .sum = sum,
         .stored_size = 13174,
         .stored_sum = sum,
         .original_size = 8192,
         .bundle = BundlePlace{.id = 1, .offset = 2741976},
         .blocks = BlockFacts{.block_size = 8192, .checksum_size = 7, .map_size = 101},
         .pages = PagesFound::bad,
         .bad_pages = PageRuns{{2, 3}, {5, 5}},
         .user = "",
         .group = "dba",
         .mode = 0640},
        {.name = "pg_data/od\"d=na\\me={\"",
         .size = 0,
         .modified = 1795421408,
         .stored_size = 20,
         .pages = PagesFound::good},
        {.name = "pg_tblspc/16389/1", .size = 1, .modified = 1, .stored_size = 1, .user = "root"},
    };
}

std::string rendered(const Manifest& manifest) {
    auto text = render_manifest(manifest);
    EXPECT_TRUE(text) << text.error().message;
    return text.value_or("");
}

/// Why a manifest with one more line is refused.
std::string refusal(const std::string& section, const std::string& key, const std::string& json) {
    std::string text;
    InfoWriter out(
        [&](Bytes bytes) -> Result<> {
            text += text_of(bytes);
            return {};
        },
        "2.59.1");
    HD_CHECK(read_info("m", rendered(a_manifest()), [&](const InfoEntry& entry) {
        out.section(entry.section);
        return out.entry(entry.key, entry.json);
    }));
    out.section(section);
    HD_CHECK(out.entry(key, json));
    HD_CHECK(out.finish());
    const auto parsed = parse_manifest("backup.manifest", text);
    return parsed ? "" : parsed.error().message;
}

TEST(Manifest, RendersEveryBackupOfEveryRepositoryByteForByte) {
    for (const auto& name : fixtures::names()) {
        const auto& repository = fixtures::load(name);
        for (const auto& label : repository.labels()) {
            const auto text = repository.manifest(label);
            const auto manifest = parse_manifest("backup.manifest", text);
            ASSERT_TRUE(manifest) << manifest.error().message;
            EXPECT_EQ(manifest->header.label.text(), label);
            EXPECT_GT(manifest->files.size(), 900U);
            EXPECT_TRUE(rendered(*manifest) == text) << name << label;
        }
    }
}

TEST(Manifest, RendersLinksTablespacesOddNamesAndBadPagesOf245ByteForByte) {
    const auto& repository = fixtures::load("manifests-2.45");
    const auto info = BackupInfo::parse(repository.at("backup/main/backup.info"));
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_EQ(info->render(), repository.at("backup/main/backup.info"));
    for (const auto& [label, expected] : info->backups) {
        const auto& text = repository.at("backup/main/" + label.text() + "/backup.manifest");
        const auto manifest = parse_manifest("m", text);
        ASSERT_TRUE(manifest) << manifest.error().message;
        EXPECT_TRUE(rendered(*manifest) == text) << label.text();
        EXPECT_EQ(summary_of(*manifest), expected);
        EXPECT_EQ(manifest->header.links.size(), 3U);
        EXPECT_TRUE(manifest->files.find("pg_data/od\"d=na\\me"));
        const auto table = manifest->files.at(*manifest->files.find("pg_data/base/5/16393"));
        if (expected.error.value()) {
            EXPECT_EQ(table.bad_pages, (PageRuns{{2, 3}, {6, 6}}));
        }
    }
}

TEST(Manifest, TheCopyOfAnUnfinishedBackupIsReadForItsResume) {
    const auto& repository = fixtures::load("manifests-2.45");
    for (const auto& [path, text] : repository.files) {
        if (path.ends_with(".copy")) {
            const auto manifest = parse_manifest("m", text);
            ASSERT_TRUE(manifest) << manifest.error().message;
            EXPECT_EQ(manifest->header.history_id, 0U);
            EXPECT_EQ(manifest->header.options.compress, CompressType::bz2);
            EXPECT_FALSE(manifest->files.at(0).sum);
            EXPECT_TRUE(rendered(*manifest) == text);
        }
    }
}

TEST(Manifest, EveryFieldRoundTrips) {
    auto manifest = a_manifest();
    for (const auto& file : some_files()) {
        manifest.files.add(file);
    }
    const auto text = rendered(manifest);
    const auto back = parse_manifest("m", text);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->header, manifest.header);
    for (std::size_t i = 0; i < manifest.files.size(); ++i) {
        EXPECT_EQ(back->files.at(i), some_files()[i]) << some_files()[i].name;
    }
    EXPECT_EQ(rendered(*back), text);
    EXPECT_THAT(text,
                HasSubstr(R"("checksum-page":false,"checksum-page-error":[[2,3],5],"group":)"));
}

TEST(Manifest, StreamsWithoutKeepingFiles) {
    const auto text = fixtures::load("plain-bz2").manifest("20261123-090810F");
    std::string copy;
    std::vector<ManifestFile> files;
    std::vector<std::string> strings;
    ManifestReader reader("m", [&](const ManifestFile& file) -> Result<> {
        files.push_back(file);
        return {};
    });
    for (std::size_t at = 0; at < text.size(); at += 1000) {
        ASSERT_TRUE(reader.push(bytes_of(std::string_view(text).substr(at, 1000))));
    }
    const auto manifest = reader.finish();
    ASSERT_TRUE(manifest) << manifest.error().message;
    EXPECT_TRUE(manifest->files.empty());
    ManifestWriter writer(
        [&](Bytes bytes) -> Result<> {
            copy += text_of(bytes);
            return {};
        },
        manifest->header);
    ASSERT_TRUE(writer.begin());
    for (const auto& file : files) {
        ASSERT_TRUE(writer.file(file));
    }
    ASSERT_TRUE(writer.finish());
    EXPECT_EQ(copy, text);
}

TEST(Manifest, HistoryHoldsTheSameText) {
    const auto& repository = fixtures::load("plain-bz2");
    for (const auto& label : repository.labels()) {
        const auto path = fmt::format("backup/main/backup.history/2026/{}.manifest.gz", label);
        const auto text =
            unpack({.compress = CompressType::gz}, bytes_of(repository.at(path)), 1U << 30);
        ASSERT_TRUE(text);
        EXPECT_EQ(text_of(*text), repository.manifest(label));
    }
}

TEST(Manifest, NamesThatLeaveTheDataDirectoryAreRefused) {
    const std::string file = R"({"size":0,"timestamp":1})";
    for (const auto* name : {"pg_data/../../etc/passwd", "/etc/passwd", "etc/passwd", "pg_data/./x",
                             "pg_data//x", "pg_data/x/", "pg_tblspc/../x", "pg_tblspc/x/y",
                             "pg_data", "pg_tblspc", "pg_datax/y", "..", "pg_data/.."}) {
        EXPECT_THAT(refusal("target:file", name, file),
                    HasSubstr(fmt::format("backup.manifest: [target:file] {}: \"{}\"", name, name)))
            << name;
        EXPECT_NE(refusal("target:link", fmt::format("{}/..", name), R"({"destination":"/x"})"),
                  "");
    }
    EXPECT_FALSE(check_name(std::string_view("pg_data/a\0b", 11), NameOf::file));
    EXPECT_FALSE(check_name("pg_data/" + std::string(5000, 'x'), NameOf::file));
    EXPECT_TRUE(check_name("pg_data/...", NameOf::file));
}

TEST(Manifest, FilesAreAlwaysInAKnownFolder) {
    const std::string file = R"({"size":0,"timestamp":1})";
    EXPECT_EQ(refusal("target:file", "pg_data/x", file), "");
    EXPECT_EQ(refusal("target:file", "pg_data/no/x", file),
              "backup.manifest: pg_data/no is the folder of a file, but not in [target:path]");
    EXPECT_THAT(refusal("target:path", "pg_data/a/b", "{}"), HasSubstr("pg_data/a is the folder"));
}

TEST(Manifest, NothingStandsTwice) {
    auto manifest = a_manifest();
    const auto files = some_files();
    manifest.files.add(files[1]);
    manifest.files.add(files[0]);
    manifest.files.add(files[1]);
    EXPECT_FALSE(manifest.files.sorted());
    manifest.files.sort();
    EXPECT_EQ(manifest.files.duplicate(), files[1].name);
    EXPECT_THAT(refusal("target:path", "pg_data/global", "{}"), HasSubstr("stands twice"));
}

TEST(Manifest, FieldsThatMakeNoSenseAreNamed) {
    const auto with = [](const std::string& fields) {
        return refusal("target:file", "pg_data/x", R"({"size":1,"timestamp":1,)" + fields + "}");
    };
    EXPECT_EQ(with(R"("reference":"20261123-080247F")"), "");
    EXPECT_EQ(with(R"("future":{"a":[1]})"), "");
    EXPECT_EQ(
        with(R"("reference":"../../x")"),
        "backup.manifest: [target:file] pg_data/x: reference: \"../../x\" is no backup label");
    EXPECT_THAT(with(R"("reference":"20000101-000000F")"), HasSubstr("not in backup-reference"));
    EXPECT_THAT(with(R"("repo-size":99999999999999999999)"), HasSubstr("repo-size: expected a"));
    EXPECT_THAT(with(R"("repo-size":9999999999999999999)"), HasSubstr("is too large"));
    EXPECT_THAT(with(R"("repo-size":-1)"), HasSubstr("expected a number"));
    EXPECT_THAT(with(R"("bno":5)"), HasSubstr("bno without bni"));
    EXPECT_THAT(with(R"("bi":0,"bim":1)"), HasSubstr("bi or bic is 0"));
    EXPECT_THAT(with(R"("bi":9999999999)"), HasSubstr("bi: 9999999999 is too large"));
    EXPECT_THAT(with(R"("bi":1,"bim":2)"), HasSubstr("bim is larger than repo-size"));
    EXPECT_THAT(with(R"("mode":"rwxr-x---")"), HasSubstr("is no file mode"));
    EXPECT_THAT(with(R"("checksum":"ZZ")"), HasSubstr("is no SHA-1"));
    EXPECT_THAT(with(R"("checksum-page-error":[[3,2]])"), HasSubstr("is not [first,last]"));
    EXPECT_THAT(refusal("target:file", "pg_data/x", R"({"size":1})"),
                HasSubstr("timestamp is missing"));
    EXPECT_THAT(refusal("target:file", "pg_data/x", "[1]"), HasSubstr("expected {"));
}

TEST(Manifest, TargetsAreDataDirectoryTablespacesAndLinksOnly) {
    const auto target = [](const std::string& name, const std::string& json) {
        return refusal("backup:target", name, json);
    };
    EXPECT_EQ(target("pg_data/x", R"({"path":"/x","type":"link"})"), "");
    EXPECT_THAT(target("pg_data/x", R"({"path":"/x","type":"fifo"})"),
                HasSubstr("neither path nor"));
    EXPECT_THAT(target("pg_data/x", R"({"path":"/x","type":"path"})"), HasSubstr("only pg_data"));
    EXPECT_THAT(target("pg_data/x", R"({"file":"../y","path":"/x","type":"link"})"),
                HasSubstr("no plain name"));
    EXPECT_THAT(target("pg_tblspc/5", R"({"path":"/x","tablespace-id":"6","type":"link"})"),
                HasSubstr("does not fit"));
    EXPECT_THAT(target("pg_tblspc/5/x", R"({"path":"/x","tablespace-id":"5","type":"link"})"),
                HasSubstr("does not lie in a tablespace"));
    EXPECT_THAT(refusal("target:link", "pg_data/x", "{}"), HasSubstr("destination is missing"));
}

TEST(FileTable, FindsByNameAndTakesChanges) {
    auto manifest = *parse_manifest("m", fixtures::load("plain-bz2").manifest("20261123-090810F"));
    auto& files = manifest.files;
    const auto at = files.find("pg_data/base/1/1247_fsm");
    ASSERT_TRUE(at);
    auto file = files.at(*at);
    file.stored_size = 77;
    file.bundle = BundlePlace{.id = 3, .offset = 1};
    files.set(*at, file);
    EXPECT_EQ(files.at(*at), file);
    EXPECT_FALSE(files.find("pg_data/base/1/1247_fs"));
    EXPECT_FALSE(files.find("pg_data/base/1"));
    for (std::size_t i = 0; i < files.size(); ++i) {
        EXPECT_EQ(files.find(files.at(i).name), i);
    }
}

TEST(FileTable, SortsByBytesOfTheWholeName) {
    FileTable files;
    for (const auto* name : {"pg_data/b", "pg_data/a/z", "pg_data/a.b", "pg_data/a",
                             "pg_data/a/b/c", "pg_data/a0", "pg_data/B"}) {
        files.add({.name = name});
    }
    files.sort();
    std::vector<std::string> names;
    for (std::size_t i = 0; i < files.size(); ++i) {
        names.push_back(files.at(i).name);
    }
    EXPECT_TRUE(std::ranges::is_sorted(names));
    EXPECT_EQ(names.front(), "pg_data/B");
}

TEST(FileTable, AMillionFilesTakeLessThan100MiB) {
    FileTable files;
    const auto sum = sha1_of({});
    for (std::uint32_t i = 0; i < 1'000'000; ++i) {
        files.add({.name = fmt::format("pg_data/base/{}/{}", 16384 + i / 300, 1'000'000 + i),
                   .size = 8192U * (i % 1000),
                   .modified = 1795420793 + i,
                   .sum = sum,
                   .stored_size = 1000 + i % 1000,
                   .stored_sum = sum,
                   .reference = "20261123-080247F",
                   .bundle = BundlePlace{.id = i / 1000, .offset = i % 1000 * 2000},
                   .pages = PagesFound::good});
    }
    EXPECT_LT(files.memory_bytes(), 100U << 20);
    EXPECT_EQ(files.at(999'999).name, "pg_data/base/19717/1999999");
}

}  // namespace
}  // namespace howdah::repo
