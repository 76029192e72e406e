// Every parser of bytes from a repository, fed damaged and malicious ones: an error that names the
// document, or a value that renders; never a crash. Seeds are fixed, so that a failure comes again.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <functional>

#include "base/random.h"
#include "repo/archive_name.h"
#include "repo/fixtures/fixtures.h"
#include "repo/info/archive_info.h"
#include "repo/info/backup_info.h"
#include "repo/info/history_section.h"
#include "repo/info/info_document.h"
#include "repo/info/json.h"
#include "repo/manifest/manifest_reader.h"
#include "repo/manifest/manifest_writer.h"
#include "repo/paths.h"
#include "repo/plan/backup_summary.h"
#include "repo/plan/retention.h"

namespace howdah::repo {
namespace {

int rounds(int usual) {
    const char* const factor = std::getenv("HOWDAH_FUZZ");
    return usual * (factor != nullptr ? std::atoi(factor) : 1);
}

using Parse = std::function<Result<>(const std::string& text)>;

struct Document {
    std::string name{};
    std::string text{};
    Parse parse{};
};

Result<> use_archive_info(const std::string& text) {
    HD_TRY(const auto info, ArchiveInfo::parse(text));
    const auto again = ArchiveInfo::parse(info.render());
    EXPECT_TRUE(again && *again == info) << text;
    for (const auto& [id, cluster] : info.history) {
        (void)ArchiveId::parse(info.archive_id(id));
    }
    return {};
}

Result<> use_backup_info(const std::string& text) {
    HD_TRY(const auto info, BackupInfo::parse(text));
    const auto again = BackupInfo::parse(info.render());
    EXPECT_TRUE(again && *again == info) << text;
    for (const auto& fate : backup_fates(info, {.full = 1, .diff = 1}, 0)) {
        EXPECT_FALSE(fate.why.empty());
    }
    for (const auto& fate : wal_fates(info, {.full = 1})) {
        (void)fate.keeps("000000010000000000000001");
    }
    return {};
}

/// No name of a manifest that was read leaves its folder.
void expect_inside(std::string_view path) {
    EXPECT_FALSE(path.starts_with('/'));
    EXPECT_EQ(("/" + std::string(path) + "/").find("/../"), std::string::npos) << path;
    EXPECT_EQ(path.find('\0'), std::string_view::npos);
}

Result<> use_manifest(const std::string& text) {
    HD_TRY(const auto manifest, parse_manifest("backup.manifest", text));
    const auto& header = manifest.header;
    for (std::size_t i = 0; i < manifest.files.size(); ++i) {
        const auto file = manifest.files.at(i);
        expect_inside(file.name);
        if (const auto place =
                stored_place("main", header.label, file, header.options.compress, header.bundle)) {
            expect_inside(place->path);
        }
    }
    for (const auto& path : header.paths) {
        expect_inside(path.name);
    }
    for (const auto& link : header.links) {
        expect_inside(link.name);
    }
    (void)summary_of(manifest);
    auto again = render_manifest(manifest);
    EXPECT_TRUE(again && parse_manifest("m", *again)) << text;
    return {};
}

/// The head and some files of a real manifest: small, so that many can be tried.
std::string short_manifest(const std::string& repository) {
    const auto& fixture = fixtures::load(repository);
    auto manifest = *parse_manifest("m", fixture.manifest(fixture.labels().back()));
    Manifest part{.header = manifest.header};
    for (std::size_t i = 0; i < manifest.files.size(); i += 40) {
        part.files.add(manifest.files.at(i));
    }
    part.header.links = {{.name = "pg_data/l", .destination = "/somewhere", .user = "root"}};
    part.header.targets.push_back({.name = "pg_tblspc/16389",
                                   .is_link = true,
                                   .path = "/ts1",
                                   .tablespace = 16389,
                                   .tablespace_name = "ts1"});
    part.header.annotations = {{"key", "text"}};
    return *render_manifest(part);
}

std::vector<Document> documents() {
    const auto& fixture = fixtures::load("plain-bz2");
    return {{"archive.info", fixture.at("archive/main/archive.info"), use_archive_info},
            {"backup.info", fixture.at("backup/main/backup.info"), use_backup_info},
            {"backup.manifest", short_manifest("plain-bz2"), use_manifest},
            {"backup.manifest", short_manifest("block-zst"), use_manifest}};
}

/// With the checksum that the text should have, so that what is behind it is tried, too.
std::string with_right_sum(const std::string& text) {
    std::string fixed;
    std::string section;
    InfoWriter out(into(fixed), "2.59.1");
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find('\n', at), text.size());
        const auto line = text.substr(at, end - at);
        at = end + 1;
        if (line.starts_with('[') && line.ends_with(']')) {
            section = line.substr(1, line.size() - 2);
            out.section(section);
        } else if (const auto equal = line.find('=');
                   equal != std::string::npos && section != "backrest") {
            (void)out.entry(line.substr(0, equal), line.substr(equal + 1));
        }
    }
    (void)out.finish();
    return fixed;
}

/// What somebody might put in place of a value or a part of a name.
constexpr std::array<std::string_view, 24> venom{"../../../../etc/passwd",
                                                 "/etc/passwd",
                                                 "..",
                                                 "pg_data",
                                                 "",
                                                 "null",
                                                 "-1",
                                                 "18446744073709551616",
                                                 "18446744073709551615",
                                                 "9223372036854775808",
                                                 "1e999",
                                                 "[[[[[[[[[[[[[[[[[[",
                                                 "{\"a\":",
                                                 "\"\\ud800\"",
                                                 "\"\\u0000\"",
                                                 "\xff\xfe",
                                                 "true",
                                                 "{}",
                                                 "[]",
                                                 "\"fifo\"",
                                                 "\"socket\"",
                                                 "=\"=",
                                                 "pg_tblspc/99999999999/x",
                                                 "20261123-090810F_20261123-090813D"};

std::string mutate(std::string text, Random& random) {
    const auto at = random.next() % text.size();
    switch (random.next() % 6) {
        case 0:
            text[at] = static_cast<char>(random.next());
            break;
        case 1:
            text.erase(at, random.next() % 50);
            break;
        case 2:
            text.insert(at, text.substr(random.next() % text.size(), random.next() % 200));
            break;
        case 3:
            text.insert(at, venom[random.next() % venom.size()]);
            break;
        case 4: {  // a value, or a name between two marks
            const auto begin = text.find_first_of(":=/\"", at);
            if (begin != std::string::npos) {
                const auto end = std::min(text.find_first_of(",}\n/\"", begin + 1), text.size());
                text.replace(begin + 1, end - begin - 1, venom[random.next() % venom.size()]);
            }
            break;
        }
        default: {  // a line goes elsewhere
            const auto begin = text.rfind('\n', at);
            const auto end = text.find('\n', at);
            if (begin != std::string::npos && end != std::string::npos && end > begin) {
                const auto line = text.substr(begin, end - begin);
                text.erase(begin, line.size());
                const auto to = text.find('\n', random.next() % text.size());
                text.insert(to == std::string::npos ? 0 : to, line);
            }
        }
    }
    return text.empty() ? "x" : text;
}

void try_it(const Document& document, const std::string& text, std::size_t& refused) {
    const auto result = document.parse(text);
    if (!result) {
        ++refused;
        EXPECT_TRUE(result.error().message.starts_with(document.name)) << result.error().message;
        EXPECT_GT(result.error().message.size(), document.name.size() + 2);
    }
}

TEST(Fuzz, DocumentsCutAnywhereAreRefused) {
    for (const auto& document : documents()) {
        ASSERT_TRUE(document.parse(document.text));
        std::size_t refused = 0;
        std::size_t tried = 0;
        for (std::size_t size = 0; size + 1 < document.text.size(); size += 1 + size / 50) {
            try_it(document, document.text.substr(0, size), refused);
            ++tried;
        }
        EXPECT_EQ(refused, tried);
    }
}

TEST(Fuzz, DamagedDocumentsAreRefusedByTheirSum) {
    for (const auto& document : documents()) {
        Random random(1);
        std::size_t refused = 0;
        for (int round = 0; round < rounds(1000); ++round) {
            try_it(document, mutate(document.text, random), refused);
        }
        EXPECT_GT(refused, 900U);  // a change in the version's line or of empty lines may pass
    }
}

TEST(Fuzz, ForgedDocumentsGiveAnErrorOrASoundValue) {
    for (const auto& document : documents()) {
        Random random(2);
        std::size_t refused = 0;
        for (int round = 0; round < rounds(3000); ++round) {
            auto text = document.text;
            for (auto changes = random.between(1, 3); changes > 0; --changes) {
                text = mutate(std::move(text), random);
            }
            try_it(document, with_right_sum(text), refused);
        }
        EXPECT_GT(refused, 300U);
    }
}

TEST(Fuzz, NamesNeverCrash) {
    Random random(3);
    const std::vector<std::string> seeds{
        "20261123-090810F_20261123-090813D",
        "000000010000000000000003",
        "000000010000000000000003-f297d6d96f82016753df9d3d6d6e08b39d836153.gz",
        "000000010000000000000003.00000028.backup",
        "00000002.history",
        "15-1"};
    for (int round = 0; round < rounds(20'000); ++round) {
        const auto name = mutate(seeds[random.next() % seeds.size()], random);
        for (const auto& found : {Label::parse(name).has_value(), wal_file(name).has_value(),
                                  ArchiveId::parse(name).has_value()}) {
            if (found) {
                expect_inside(name);
                EXPECT_EQ(name.find('/'), std::string::npos);
            }
        }
        (void)parse_stored_segment(name);
    }
}

TEST(Fuzz, JsonNeverCrashes) {
    Random random(4);
    const std::string seed =
        R"({"a":[1,2,[3,4]],"b":"x\n\"\u00e9\ud83d\ude00","c":{"d":null,"e":-1.5e3},"f":true})";
    for (int round = 0; round < rounds(50'000); ++round) {
        const auto text = mutate(seed, random);
        JsonReader reader(text);
        if (reader.skip() && reader.end()) {
            JsonReader again(text);
            (void)again.object([](std::string_view, JsonReader& value) { return value.skip(); });
        }
        for (JsonReader value(text); value.string() || value.number() || value.boolean();) {
        }
    }
    EXPECT_FALSE(JsonReader(std::string(100'000, '[')).skip());
}

TEST(Fuzz, ALineWithoutEndIsRefused) {
    InfoReader reader("backup.manifest", [](const InfoEntry&) { return Result<>(); });
    const std::string piece(1U << 20, 'x');
    Result<> pushed;
    for (int i = 0; i < 100 && pushed; ++i) {
        pushed = reader.push(bytes_of(piece));
    }
    ASSERT_FALSE(pushed);
    EXPECT_EQ(pushed.error().message, "backup.manifest: line 1: is too long");
}

}  // namespace
}  // namespace howdah::repo
