#pragma once

#include "agent/ports.h"

namespace howdah::agent {

/// Asks over the members' REST ports: GET /howdah/standing.
class HttpPeers final : public PeerQuestions {
public:
    HttpPeers(io::Executor executor, io::Clock& clock) : executor_(executor), clock_(clock) {}
    io::Task<std::vector<ha::Standing>> ask(std::vector<ha::Member> members, Nanos limit) override;

private:
    io::Executor executor_;
    io::Clock& clock_;
};

}  // namespace howdah::agent
