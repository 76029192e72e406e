#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "backup/site.h"
#include "files/fake/memory_files.h"
#include "repo/fixtures/fixtures.h"
#include "repo/stream/stored_form.h"

namespace howdah::backup {

/// A Site for tests: repositories in memory, a data directory in a temporary folder that has what
/// tells its cluster, and everything that a command said. The cluster is that of the fixture
/// "plain-bz2", whose stanza is `main`.
class SiteForTest {
public:
    explicit SiteForTest(std::size_t repositories = 1) {
        char name[] = "/tmp/howdah-site-XXXXXX";
        folder_ = mkdtemp(name);
        const auto& fixture = repo::fixtures::load("plain-bz2");
        const auto backed_up = "backup/main/" + fixture.labels().front() + "/pg_data/";
        for (const auto* file : {"PG_VERSION", "global/pg_control"}) {
            const auto content =
                repo::unpack({.compress = repo::CompressType::bz2},
                             bytes_of(fixture.at(backed_up + file + ".bz2")), std::size_t{1} << 20);
            write_local(file, text_of(content.value()));
        }
        site.options.stanza = "main";
        site.options.lock_path = folder_ + "/lock";
        site.options.compress = repo::CompressType::none;
        site.options.clusters = {{.path = data()}};
        site.program = "/usr/bin/howdah";
        site.notes = {.on_detail = [this](std::string_view text) { say("DETAIL: ", text); },
                      .on_info = [this](std::string_view text) { say("INFO: ", text); },
                      .on_warn = [this](std::string_view text) { say("WARN: ", text); }};
        for (std::uint32_t index = 1; index <= repositories; ++index) {
            auto memory = std::make_unique<files::MemoryFiles>();
            files.push_back(memory.get());
            site.options.repositories.push_back({.index = index});
            site.repositories.emplace_back(index, std::move(memory), "");
        }
    }
    ~SiteForTest() { std::filesystem::remove_all(folder_); }
    SiteForTest(const SiteForTest&) = delete;
    SiteForTest& operator=(const SiteForTest&) = delete;

    std::string data() const { return folder_ + "/data"; }
    const std::string& folder() const { return folder_; }

    /// Fills the first repository with a fixture, which has the stanza `main`.
    void load(const std::string& fixture) {
        for (const auto& [path, content] : repo::fixtures::load(fixture).files) {
            ASSERT_TRUE(files::write_all(*files.front(), path, content));
        }
    }
    /// A file below the data directory; its whole path.
    std::string write_local(const std::string& path, std::string_view content) const {
        const auto whole = data() + "/" + path;
        std::filesystem::create_directories(std::filesystem::path(whole).parent_path());
        std::ofstream(whole, std::ios::binary) << content;
        return whole;
    }
    /// A segment of this cluster, or of the one with that system identifier; its path as %p has it.
    std::string write_wal(const std::string& name, std::string_view content,
                          std::optional<std::uint64_t> system_id = {}) const {
        std::string wal(40, '\0');
        const auto id = system_id.value_or(site.cluster().value().system_id);
        wal[2] = 2;  // a long header: info of XLogPageHeaderData
        std::memcpy(wal.data() + 24, &id, sizeof id);
        const auto size = static_cast<std::uint32_t>(wal.size() + content.size());
        std::memcpy(wal.data() + 32, &size, sizeof size);
        (void)write_local("pg_wal/" + name, wal.append(content));
        return "pg_wal/" + name;
    }
    /// All files below a folder of one repository, by path.
    std::map<std::string, std::string> stored(std::string_view folder, std::size_t at = 0) const {
        std::map<std::string, std::string> all;
        EXPECT_TRUE(files[at]->list(folder, [&](const files::Entry& entry) -> Result<> {
            if (entry.kind == files::EntryKind::folder) {
                all.merge(stored(entry.path, at));
            } else {
                all[entry.path] = files::read_all(*files[at], entry.path).value();
            }
            return {};
        }));
        return all;
    }

private:
    void say(const char* level, std::string_view text) {
        const std::scoped_lock lock(mutex_);
        said.push_back(level + std::string(text));
    }

    std::string folder_{};
    std::mutex mutex_{};

public:
    std::vector<std::string> said{};           ///< "WARN: …", in order
    std::vector<files::MemoryFiles*> files{};  ///< of the repositories
    Site site{};
};

}  // namespace howdah::backup
