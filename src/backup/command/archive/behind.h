#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace howdah::backup {

/// Which WAL files an optional repository (repo-optional) did not get when the others did: one
/// empty file each below SPOOL/archive/STANZA/behind/repoN, on the host that archives. Several
/// processes may work on it at once.
class Behind {
public:
    Behind(const std::string& spool_path, const std::string& stanza, std::uint32_t repository);

    /// Durable when it returns. Errors: Errc::io, naming the option spool-path.
    Result<> add(const std::string& wal_file) const;
    /// It has it now. Nothing there is success.
    Result<> settle(const std::string& wal_file) const;
    /// Oldest first, which for segments is the order of names.
    Result<std::vector<std::string>> files() const;

    /// Whether it failed so short a time ago that it is not worth while to try again: whoever
    /// archives must not wait for it each time.
    bool rests() const;
    /// It failed now: it rests for half a minute.
    void failed() const;

private:
    std::string folder_;
};

}  // namespace howdah::backup
