#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backup/command/archive/push_plan.h"
#include "backup/options/options.h"
#include "base/result.h"

namespace howdah::backup {

enum class Direction : std::uint8_t { push, get };

/// What the process in the background says of one file.
struct SpoolStatus {
    std::uint8_t exit_code = 0;  ///< 0: done
    std::string message{};       ///< of an error; else a warning, or empty
    std::int64_t told_ns = 0;    ///< when; nanoseconds since 1970
};

/// The folder through which a command and its process in the background speak, on this host alone
/// and in pgBackRest's form (pgbackrest-repository.md, sections 15.4 and 15.5):
/// SPOOL/archive/STANZA/out of archive-push, and …/in of archive-get.
class Spool {
public:
    Spool(const Options& options, Direction direction);

    const std::string& folder() const { return folder_; }
    std::string path_of(std::string_view file) const;

    /// Makes the folder. Errors: Errc::io, naming option and path; also when it is not writable.
    Result<> prepare() const;
    /// All files, with the times of their last change. Nothing for a folder that is not there.
    Result<std::vector<TimedName>> files() const;
    /// Of one file, or of all (global.error). nullopt: nothing is said, or that it is done was said
    /// before `since_ns`. Errors: Errc::io.
    Result<std::optional<SpoolStatus>> status(std::string_view name,
                                              std::int64_t since_ns = 0) const;
    /// Errors: Errc::io, naming option and path.
    Result<> tell(std::string_view name, const SpoolStatus& status) const;
    Result<> tell_all(const SpoolStatus& status) const;
    /// Nothing there is success.
    Result<> remove(std::string_view file) const;

private:
    std::string folder_;
};

/// Files that are still being written end in this.
inline constexpr std::string_view spool_unfinished = ".pgbackrest.tmp";

/// An error of a file below the spool as one that names the option.
Error about_spool(Error error);

}  // namespace howdah::backup
