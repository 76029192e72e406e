#pragma once

#include <memory>
#include <string>

#include "base/instant.h"
#include "base/result.h"
#include "io/http.h"

namespace howdah::cli {

struct HttpAddress {
    std::string host{};
    std::uint16_t port = 0;
    std::shared_ptr<const io::TlsFiles> tls{};
};

/// One request on a loop of its own. Errors: as io::HttpClient::send.
Result<io::HttpResponse> http_once(const HttpAddress& to, const io::HttpRequest& request,
                                   Nanos limit);

}  // namespace howdah::cli
