#pragma once

#include <string>
#include <vector>

#include "backup/site.h"
#include "io/fd.h"

namespace howdah::backup {

/// A command's process in the background: "archive-push:async". It is started in a session of its
/// own, goes on when the command has ended, and holds the archive lock of the stanza meanwhile.
class Background {
public:
    explicit Background(const Site& site) : site_(site) {}

    /// Whether anybody's works on this stanza.
    bool is_at_work() const;
    /// Errors: Errc::io.
    Result<> start(const std::vector<std::string>& arguments);
    bool started() const { return static_cast<bool>(pidfd_); }
    /// Whether the one that start() started has ended.
    bool ended() const;
    /// A moment, or until it ends.
    void wait() const;

private:
    const Site& site_;
    io::Fd pidfd_{};
};

}  // namespace howdah::backup
