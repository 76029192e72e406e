#pragma once

#include <string>

#include "files/files.h"

namespace howdah::files {

/// A repository that could not be reached when it was opened: every call says why. It does not
/// come back by itself, since nobody knows how what lies in it is to be read or written.
class AwayFiles final : public Files {
public:
    AwayFiles(std::string name, Error why) : name_(std::move(name)), why_(std::move(why)) {}

    std::string name() const override { return name_; }
    Result<std::unique_ptr<Source>> read(std::string_view, ReadRange) override { return why(); }
    Result<std::unique_ptr<Sink>> write(std::string_view, NameSync, IfTaken) override {
        return why();
    }
    Result<> remove_unfinished(std::string_view) override { return why(); }
    Result<> sync_tree(std::string_view) override { return why(); }
    Result<std::optional<Entry>> stat(std::string_view) override { return why(); }
    Result<> list(std::string_view, const std::function<Result<>(const Entry&)>&) override {
        return why();
    }
    Result<> remove(std::string_view) override { return why(); }
    Result<> remove_tree(std::string_view) override { return why(); }
    Result<> make_folder(std::string_view) override { return why(); }
    Result<> hard_link(std::string_view, std::string_view) override { return why(); }
    Result<> link(std::string_view, std::string_view) override { return why(); }

private:
    std::unexpected<Error> why() const { return std::unexpected(why_); }

    std::string name_;
    Error why_;
};

}  // namespace howdah::files
