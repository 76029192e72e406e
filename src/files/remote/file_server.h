#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "files/files.h"
#include "files/remote/holds.h"
#include "remote/channel.h"

namespace howdah::files {

enum class Access : std::uint8_t { read, write };

/// What one client of RemoteFiles is served with.
struct ServedFiles {
    Files& files;
    Holds& holds;
    /// Whether this client may read or change what lies there. Errors: why not.
    std::function<Result<>(std::string_view path, Access access)> may{};
    /// Whether listings show it this entry.
    std::function<bool(std::string_view path)> shows{};
    /// As Files::hold, on this host.
    std::function<Result<std::unique_ptr<Hold>>(std::string_view what)> hold{};
    /// As Files::held, of this host.
    std::function<Result<std::optional<Held>>(std::string_view what, std::string_view stanza)>
        held{};
};

/// Answers a client's requests until it has gone. What it began and did not finish never was; what
/// it held is free when this returns.
void serve_files(remote::Channel& channel, const ServedFiles& served);

}  // namespace howdah::files
