#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "files/files.h"

namespace howdah::backup {

/// Keeps files that go to one place apart: one of each name finishes at a time. Thread-safe.
class OneAtATime {
public:
    /// While it lives nobody else has the name.
    class Turn {
    public:
        Turn(OneAtATime& all, std::string name) : all_(all), name_(std::move(name)) {}
        ~Turn() { all_.leave(name_); }
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;

    private:
        OneAtATime& all_;
        std::string name_;
    };
    /// Waits for it.
    Turn take(std::string name);

private:
    void leave(const std::string& name);

    std::mutex mutex_{};
    std::condition_variable left_{};
    std::set<std::string, std::less<>> taken_{};
};

/// A repository's files as clients of this host may change them: what is in the archive is never
/// replaced (I9), whatever a client believes to know. It may be removed.
///
/// Below "archive/STANZA", but for archive.info and its copy, a file that finishes where one is
/// ends with Errc::conflict; so does a WAL segment whose content is there in another form. One
/// that is there with another content (its name tells the sum): Errc::unsafe with
/// ExitCode::archive_duplicate. Links are not made there.
class WriteOnceArchive final : public files::Files {
public:
    /// `turns`: of all that serve this repository in this process.
    WriteOnceArchive(std::unique_ptr<files::Files> files, OneAtATime& turns)
        : files_(std::move(files)), turns_(turns) {}

    std::string name() const override { return files_->name(); }
    Result<std::unique_ptr<files::Source>> read(std::string_view path,
                                                files::ReadRange range) override {
        return files_->read(path, range);
    }
    Result<std::unique_ptr<files::Sink>> write(std::string_view path, files::NameSync names,
                                               files::IfTaken taken) override;
    Result<> remove_unfinished(std::string_view folder) override {
        return files_->remove_unfinished(folder);
    }
    Result<> sync_tree(std::string_view folder) override { return files_->sync_tree(folder); }
    Result<std::optional<files::Entry>> stat(std::string_view path) override {
        return files_->stat(path);
    }
    Result<> list(std::string_view folder,
                  const std::function<Result<>(const files::Entry&)>& each) override {
        return files_->list(folder, each);
    }
    Result<> remove(std::string_view path) override { return files_->remove(path); }
    Result<> remove_tree(std::string_view folder) override { return files_->remove_tree(folder); }
    Result<> make_folder(std::string_view folder) override { return files_->make_folder(folder); }
    Result<> hard_link(std::string_view path, std::string_view existing) override;
    Result<> link(std::string_view path, std::string_view target) override;
    Result<std::unique_ptr<files::Hold>> hold(std::string_view what) override {
        return files_->hold(what);
    }

private:
    std::unique_ptr<files::Files> files_;
    OneAtATime& turns_;
};

}  // namespace howdah::backup
