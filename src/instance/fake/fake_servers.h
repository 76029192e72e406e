#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/instant.h"

namespace howdah::instance {

class FakeInstance;

/// What all servers of a simulated world share: who listens where, who reaches whom and how fast,
/// ids of branches.
class FakeServers {
public:
    FakeInstance* at(const std::string& host, std::uint16_t port) const {
        const auto it = servers_.find(std::pair(host, port));
        return it == servers_.end() ? nullptr : it->second;
    }
    void listen(const std::string& host, std::uint16_t port, FakeInstance& server) {
        servers_[std::pair(host, port)] = &server;
    }
    std::uint64_t next_branch() { return ++branches_; }
    /// How long a packet takes from one server to the other, by name; nullopt: it doesn't arrive.
    std::function<std::optional<Nanos>(const FakeInstance&, const FakeInstance&)> delay =
        [](const auto&, const auto&) { return Nanos(Millis(1)); };
    /// A standby takes WAL for the continuation of its own that is another branch's: two promotions
    /// had one number. PostgreSQL would not notice.
    std::function<void(const std::string& standby, const std::string& from)> on_mixed{};

private:
    std::map<std::pair<std::string, std::uint16_t>, FakeInstance*> servers_{};
    std::uint64_t branches_ = 0;
};

}  // namespace howdah::instance
