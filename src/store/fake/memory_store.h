#pragma once

#include <map>
#include <mutex>
#include <set>

#include "store/store.h"

namespace howdah::store {

/// A repository in memory, for tests. Passes the same contract tests as the real ones.
class MemoryStore final : public Store {
public:
    std::string name() const override { return "memory"; }
    Result<std::unique_ptr<Source>> read(std::string_view path, ReadRange range) override;
    Result<std::unique_ptr<Sink>> write(std::string_view path) override;
    Result<std::optional<Entry>> stat(std::string_view path) override;
    Result<> list(std::string_view folder,
                  const std::function<Result<>(const Entry&)>& each) override;
    Result<> remove(std::string_view path) override;
    Result<> remove_tree(std::string_view folder) override;
    Result<> make_folder(std::string_view folder) override;
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

}  // namespace howdah::store
