#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "backup/command/archive/pusher.h"
#include "base/result.h"
#include "io/fd.h"

/// How an archive-push and the resident pusher speak: a Unix socket of mode 0600, both sides check
/// that the other is of the same user. One line of JSON asks; lines of JSON answer: {"working":
/// true} about once a second, {"warning": "…"}, and {"pushed": true} or {"pushed": false} last.
namespace howdah::backup {

inline constexpr std::string_view pusher_socket_name = "archive.sock";

/// Makes the socket; what was there of that name goes. Errors: Errc::invalid (the path is too long
/// for a socket), Errc::io.
Result<io::Fd> listen_for_pushes(const std::string& path);

/// Serves whoever connects, until nobody has for so long. Errors: Errc::io.
Result<> serve_pushes(int listener, Pusher& pusher, std::chrono::milliseconds idle);

/// The warnings of a push that the pusher has done. nullopt: the caller must push the file itself,
/// for nobody listens, or the pusher failed, ended, or said nothing for `patience`.
std::optional<std::vector<std::string>> ask_pusher(const std::string& socket,
                                                   const PushRequest& request,
                                                   std::chrono::milliseconds patience);

}  // namespace howdah::backup
