#include "files/fake/memory_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace howdah::files {
namespace {

class TextSource final : public Source {
public:
    explicit TextSource(std::string text) : text_(std::move(text)) {}
    Result<std::size_t> read(MutableBytes out) override {
        const auto n = std::min(out.size(), text_.size() - at_);
        std::memcpy(out.data(), text_.data() + at_, n);
        at_ += n;
        return n;
    }

private:
    std::string text_;
    std::size_t at_ = 0;
};

}  // namespace

class MemoryFiles::MemorySink final : public Sink {
public:
    MemorySink(MemoryFiles& files, std::string path, IfTaken taken)
        : files_(files), path_(std::move(path)), taken_(taken) {}
    Result<> write(Bytes bytes) override {
        text_.append(text_of(bytes));
        return {};
    }
    Result<> finish() override {
        const std::scoped_lock lock(files_.mutex_);
        if (taken_ == IfTaken::refuse && files_.nodes_.contains(path_)) {
            return fail(Errc::conflict, fmt::format("{} is there already", path_));
        }
        files_.put(path_, {.kind = EntryKind::file, .content = std::move(text_)});
        return {};
    }

private:
    MemoryFiles& files_;
    std::string path_, text_{};
    IfTaken taken_;
};

void MemoryFiles::put(const std::string& path, Node node) {
    for (auto slash = path.find('/'); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
        nodes_.try_emplace(path.substr(0, slash));
    }
    nodes_[path] = std::move(node);
}

Result<std::unique_ptr<Source>> MemoryFiles::read(std::string_view path, ReadRange range) {
    HD_TRY_VOID(check_path(path));
    const std::scoped_lock lock(mutex_);
    const auto found = nodes_.find(path);
    if (found == nodes_.end() || found->second.kind != EntryKind::file) {
        return fail(Errc::not_found, fmt::format("cannot open {}: no such file", path));
    }
    const auto& all = found->second.content;
    const auto from = std::min<std::uint64_t>(range.offset, all.size());
    return std::make_unique<TextSource>(all.substr(from, range.size.value_or(all.size())));
}

Result<> MemoryFiles::sync_tree(std::string_view folder) {
    return check_path(folder);
}

Result<std::unique_ptr<Sink>> MemoryFiles::write(std::string_view path, NameSync /*names*/,
                                                 IfTaken taken) {
    HD_TRY_VOID(check_path(path));
    return std::make_unique<MemorySink>(*this, std::string(path), taken);
}

Result<> MemoryFiles::remove_unfinished(std::string_view folder) {
    return check_path(folder);
}

Result<std::optional<Entry>> MemoryFiles::stat(std::string_view path) {
    HD_TRY_VOID(check_path(path));
    const std::scoped_lock lock(mutex_);
    const auto found = nodes_.find(path);
    if (found == nodes_.end()) {
        return std::nullopt;
    }
    const auto& node = found->second;
    return Entry{.path = found->first,
                 .kind = node.kind,
                 .size = node.kind == EntryKind::file ? node.content.size() : 0,
                 .target = node.kind == EntryKind::link ? node.content : ""};
}

Result<> MemoryFiles::list(std::string_view folder,
                           const std::function<Result<>(const Entry&)>& each) {
    HD_TRY_VOID(check_path(folder));
    const auto prefix = folder.empty() ? std::string() : fmt::format("{}/", folder);
    std::vector<std::string> paths;
    {
        const std::scoped_lock lock(mutex_);
        for (auto it = nodes_.lower_bound(prefix);
             it != nodes_.end() && it->first.starts_with(prefix); ++it) {
            if (it->first.find('/', prefix.size()) == std::string::npos) {
                paths.push_back(it->first);
            }
        }
    }
    for (const auto& path : paths) {
        HD_TRY(const auto entry, stat(path));
        if (entry) {
            HD_TRY_VOID(each(*entry));
        }
    }
    return {};
}

Result<> MemoryFiles::remove(std::string_view path) {
    HD_TRY_VOID(check_path(path));
    const std::scoped_lock lock(mutex_);
    nodes_.erase(std::string(path));
    return {};
}

Result<> MemoryFiles::remove_tree(std::string_view folder) {
    HD_TRY_VOID(check_path(folder));
    const std::scoped_lock lock(mutex_);
    std::erase_if(nodes_, [&](const auto& node) {
        return node.first == folder || node.first.starts_with(fmt::format("{}/", folder));
    });
    return {};
}

Result<> MemoryFiles::make_folder(std::string_view folder) {
    HD_TRY_VOID(check_path(folder));
    const std::scoped_lock lock(mutex_);
    put(std::string(folder), {});
    return {};
}

Result<> MemoryFiles::hard_link(std::string_view path, std::string_view existing) {
    HD_TRY_VOID(check_path(path));
    const std::scoped_lock lock(mutex_);
    const auto from = nodes_.find(existing);
    if (from == nodes_.end() || from->second.kind != EntryKind::file) {
        return fail(Errc::not_found, fmt::format("{} is not there", existing));
    }
    if (nodes_.contains(path)) {
        return fail(Errc::conflict, fmt::format("{} is there already", path));
    }
    put(std::string(path), from->second);
    return {};
}

Result<> MemoryFiles::link(std::string_view path, std::string_view target) {
    HD_TRY_VOID(check_path(path));
    const std::scoped_lock lock(mutex_);
    put(std::string(path), {.kind = EntryKind::link, .content = std::string(target)});
    return {};
}

}  // namespace howdah::files
