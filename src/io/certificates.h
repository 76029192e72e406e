#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace howdah::io {

/// A key and the certificate for it, as PEM.
struct Certificate {
    std::string certificate{}, key{};
};

/// A CA's own: ECDSA on P-256, signs certificates of hosts and nothing else. Errors: Errc::io.
Result<Certificate> make_ca(const std::string& name, int days);
/// A host's, for both sides of a connection, signed by `ca`. `names`: names and addresses that it
/// is reached by; the first is its common name. `days` from now; negative: expired already, for
/// tests. Errors: Errc::invalid for a CA that cannot be read or names that cannot be, Errc::io.
Result<Certificate> make_host_certificate(const Certificate& ca,
                                          const std::vector<std::string>& names, int days);

}  // namespace howdah::io
