#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>

#include "files/files.h"

namespace howdah::files {

/// So many bytes a second, whoever moves them. Thread-safe.
class Rate {
public:
    using Clock = std::chrono::steady_clock;

    explicit Rate(std::uint64_t bytes_per_second) : per_second_(bytes_per_second) {}
    /// When whoever wants to move `bytes` at `now` may begin. A quarter of a second's worth may go
    /// at once.
    Clock::time_point book(std::uint64_t bytes, Clock::time_point now);
    /// Returns then.
    void wait_for(std::uint64_t bytes);

private:
    std::mutex mutex_{};
    std::uint64_t per_second_;
    Clock::time_point free_at_{};
};

/// Another repository's files, at a limited rate: of what is stored, in both directions together.
class ThrottledFiles final : public Files {
public:
    ThrottledFiles(std::unique_ptr<Files> files, std::shared_ptr<Rate> rate)
        : files_(std::move(files)), rate_(std::move(rate)) {}

    std::string name() const override { return files_->name(); }
    Result<std::unique_ptr<Source>> read(std::string_view path, ReadRange range) override;
    Result<std::unique_ptr<Sink>> write(std::string_view path, NameSync names,
                                        IfTaken taken) override;
    Result<> remove_unfinished(std::string_view folder) override {
        return files_->remove_unfinished(folder);
    }
    Result<> sync_tree(std::string_view folder) override { return files_->sync_tree(folder); }
    Result<std::optional<Entry>> stat(std::string_view path) override { return files_->stat(path); }
    Result<> list(std::string_view folder,
                  const std::function<Result<>(const Entry&)>& each) override {
        return files_->list(folder, each);
    }
    Result<> remove(std::string_view path) override { return files_->remove(path); }
    Result<> remove_tree(std::string_view folder) override { return files_->remove_tree(folder); }
    Result<> make_folder(std::string_view folder) override { return files_->make_folder(folder); }
    Result<> hard_link(std::string_view path, std::string_view existing) override {
        return files_->hard_link(path, existing);
    }
    Result<> link(std::string_view path, std::string_view target) override {
        return files_->link(path, target);
    }
    Result<std::unique_ptr<Hold>> hold(std::string_view what) override {
        return files_->hold(what);
    }
    Result<std::optional<Held>> held(std::string_view what, std::string_view stanza) override {
        return files_->held(what, stanza);
    }

private:
    std::unique_ptr<Files> files_;
    std::shared_ptr<Rate> rate_;
};

}  // namespace howdah::files
