#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "backup/options/options.h"
#include "base/result.h"
#include "io/secure_stream.h"

namespace howdah::backup {

enum class Right : std::uint8_t { none, read, write };

/// Which clients of a repository host may reach which stanzas, by the names in their certificates.
///
/// Where the configuration has tls-server-auth=CLIENT=STANZA[,STANZA] (`*`: all), as pgBackRest's
/// server wants it, what it names may be read and written, and nothing else reached. Without any,
/// a stanza is written by the hosts that its section names (pgN-host), and read by every client
/// that has a certificate of the CA: so a new host can restore from it.
class Grants {
public:
    /// Of a configuration as it stands in its files. Errors: Errc::invalid for a line of
    /// tls-server-auth that says nothing.
    static Result<Grants> of(const std::vector<ConfigText>& files);

    Right right(const io::PeerNames& peer, std::string_view stanza) const;
    /// Whether it has one for any stanza.
    bool any(const io::PeerNames& peer) const;
    /// Errors: Errc::invalid, with what to write where.
    Result<> check(const io::PeerNames& peer, std::string_view stanza, Right needed) const;
    bool has_list() const { return !clients_.empty(); }

private:
    struct Named {
        std::string who{}, stanza{};
    };
    std::vector<Named> clients_{};  ///< of tls-server-auth
    std::vector<Named> hosts_{};    ///< of pgN-host
};

/// Names of the stanzas that have a section of their own, in the order of the files.
Result<std::vector<std::string>> stanzas_in(const std::vector<ConfigText>& files);

}  // namespace howdah::backup
