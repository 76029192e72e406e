#pragma once

#include <map>
#include <mutex>
#include <set>

#include "files/files.h"

namespace howdah::files {

/// A repository in memory, for tests. Passes the same contract tests as the real ones.
class MemoryFiles final : public Files {
public:
    std::string name() const override { return "memory"; }
    Result<std::unique_ptr<Source>> read(std::string_view path, ReadRange range) override;
    Result<std::unique_ptr<Sink>> write(std::string_view path, NameSync names,
                                        IfTaken taken) override;
    Result<> remove_unfinished(std::string_view folder) override;
    Result<> sync_tree(std::string_view folder) override;
    Result<std::optional<Entry>> stat(std::string_view path) override;
    Result<> list(std::string_view folder,
                  const std::function<Result<>(const Entry&)>& each) override;
    Result<> remove(std::string_view path) override;
    Result<> remove_tree(std::string_view folder) override;
    Result<> make_folder(std::string_view folder) override;
    Result<> hard_link(std::string_view path, std::string_view existing) override;
    Result<> link(std::string_view path, std::string_view target) override;

private:
    class MemorySink;
    struct Node {
        EntryKind kind = EntryKind::folder;
        std::string content{};  ///< of a file; a link's target
    };
    void put(const std::string& path, Node node);

    std::mutex mutex_{};
    std::map<std::string, Node, std::less<>> nodes_{};
};

}  // namespace howdah::files
