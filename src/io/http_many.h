#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/http.h"

namespace howdah::io {

struct HttpAddress {
    std::string host{};
    std::uint16_t port = 0;
    std::shared_ptr<const TlsFiles> tls{};  ///< none: plain
};

/// One request to many servers at once, each on a connection of its own. Bodies of the answers with
/// status 200 that came within `limit`, in the order of their arrival; silence, refusals and errors
/// leave nothing.
Task<std::vector<std::string>> ask_many(Executor executor, Clock& clock,
                                        std::vector<HttpAddress> servers, HttpRequest request,
                                        Nanos limit);

}  // namespace howdah::io
