#pragma once

#include <sys/types.h>

#include "files/files.h"

namespace howdah::files {

struct PosixOptions {
    mode_t folder_mode = 0750;  ///< as pgBackRest makes them
    mode_t file_mode = 0640;
};

/// A repository in a folder. A file is written beside its place under a name of the writer's own
/// that ends in ".pgbackrest.tmp" (as pgBackRest's do, so that each program passes over what the
/// other left), synced, renamed, and its folder synced. A folder that is not there is made, and is
/// durable before anything in it is.
class PosixFiles final : public Files {
public:
    /// `root`: an absolute path; it need not be there yet.
    explicit PosixFiles(std::string root, PosixOptions options = {});

    std::string name() const override { return root_; }
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
    /// What sinks left that were never finished, as when their process was killed.
    enum class Unfinished : std::uint8_t { hidden, shown };

    Result<> list(std::string_view folder, Unfinished sinks,
                  const std::function<Result<>(const Entry&)>& each) const;
    Result<std::string> whole(std::string_view path) const;

    std::string root_;
    PosixOptions options_;
};

}  // namespace howdah::files
