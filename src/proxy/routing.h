#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/instant.h"
#include "ha/record.h"
#include "proxy/address.h"

namespace howdah::proxy {

/// A PostgreSQL server that sessions are attached to.
struct Backend {
    ha::Uuid member{};  ///< empty: a Patroni member
    std::string name{};
    Address address{};

    /// The same server, wherever it listens now.
    bool is(const Backend& other) const { return member == other.member && name == other.name; }
};

/// What the data path goes by: an immutable snapshot, published whole.
struct Routing {
    /// Sessions on the primary live while this names their (member, epoch) and its deadline has not
    /// passed.
    struct Primary {
        std::shared_ptr<const Backend> backend{};
        ha::Epoch epoch = 0;
        Instant deadline{};     ///< CLOCK_BOOTTIME; each data path thread keeps it by itself
        bool takes_new = true;  ///< false: connections made live on, new ones are held
        bool still = false;     ///< connections made are kept, but no byte moves on them
        bool operator==(const Primary&) const = default;
    };
    /// Sessions on a standby live while it is listed.
    struct Standby {
        std::shared_ptr<const Backend> backend{};
        bool takes_new = true;
        bool operator==(const Standby&) const = default;
    };

    std::optional<Primary> primary{};
    std::vector<Standby> standbys{};
    /// DataPathOptions::wake counted so many pauses when this was found; under another count it
    /// holds the primary's connections still.
    std::uint64_t pauses = 0;
    bool read_only_fallback =
        true;                  ///< read-only port: to the primary when no standby takes sessions
    std::string why_closed{};  ///< for the message of a refusal
    bool operator==(const Routing&) const = default;
};

}  // namespace howdah::proxy
