#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "repo/manifest/manifest_file.h"

namespace howdah::repo {

/// Each different text once, numbered in the order of arrival.
class Words {
public:
    std::uint32_t id_of(std::string_view text);
    std::string_view at(std::uint32_t id) const { return texts_[id]; }
    std::size_t size() const { return texts_.size(); }

private:
    std::deque<std::string> texts_{};  // a deque's strings stay where they are
    std::unordered_map<std::string_view, std::uint32_t> ids_{};
};

/// The files of a backup, in about 90 bytes each: databases have millions of them. Folders, labels
/// and owners are kept once; the rest is packed, and unpacked on each look.
class FileTable {
public:
    FileTable() = default;
    FileTable(FileTable&&) = default;
    FileTable& operator=(FileTable&&) = default;

    std::size_t size() const { return records_.size(); }
    bool empty() const { return records_.empty(); }
    /// Views in the result live as long as the table.
    ManifestFile at(std::size_t index) const;
    void add(const ManifestFile& file);
    /// Replaces a file by one of the same name, as when it has been copied.
    void set(std::size_t index, const ManifestFile& file);

    /// By bytes of the whole name: the order of manifests. Free if they were added so.
    void sort();
    bool sorted() const { return sorted_; }
    /// The first name that stands twice; only in a sorted table.
    std::optional<std::string> duplicate() const;
    /// Only in a sorted table.
    std::optional<std::size_t> find(std::string_view name) const;

    /// Folders that files lie in, each once: "pg_data/base/5".
    std::vector<std::string_view> folders() const;
    /// Labels that files refer to, each once.
    std::vector<std::string_view> references() const;
    /// What the packed files take; for tests and benchmarks.
    std::size_t memory_bytes() const;

private:
    /// Folder with its slash, and name in it.
    std::pair<std::string_view, std::string_view> parts(const std::byte* record) const;
    bool before(const std::byte* a, const std::byte* b) const;
    /// What is packed, as a record that may become `room` bytes long.
    std::byte* store(std::size_t room);
    void pack(const ManifestFile& file);
    void pack_checks(const ManifestFile& file);
    void pack_places(const ManifestFile& file);
    void unpack_checks(const std::byte*& at, std::uint64_t flags, ManifestFile& file) const;
    void unpack_places(const std::byte*& at, std::uint64_t flags, ManifestFile& file) const;

    std::vector<std::byte*> records_{};
    std::vector<std::unique_ptr<std::byte[]>> chunks_{};
    std::size_t chunk_used_ = 0;
    std::size_t chunk_size_ = 0;
    std::size_t chunks_bytes_ = 0;
    ByteBuffer packed_{};
    Words folders_{};
    Words labels_{};
    Words owners_{};
    std::map<std::uint32_t, PageRuns> bad_pages_{};  // rare
    std::int64_t epoch_ = 0;                         // of the first file; others count from it
    bool sorted_ = true;
};

}  // namespace howdah::repo
