#pragma once

#include "agent/ports.h"
#include "config/agent_config.h"
#include "io/http.h"

namespace howdah::agent {

/// Asks over the members' REST ports: GET /howdah/standing, POST /howdah/seal,
/// POST /howdah/promise.
class HttpPeers final : public PeerQuestions, public PromisePeers {
public:
    /// Of `config`: restapi.authentication, which the members of a cluster share, and ctl's
    /// certificates.
    HttpPeers(io::Executor executor, io::Clock& clock, const config::AgentConfig& config)
        : executor_(executor),
          clock_(clock),
          credentials_(config.restapi.authentication),
          tls_(std::make_shared<io::TlsFiles>(config.peer_tls)) {}
    io::Task<std::vector<ha::Standing>> ask(std::vector<ha::Member> members, Nanos limit) override;
    io::Task<std::vector<ha::Vote>> seal(std::vector<ha::Member> members, ha::SealRequest request,
                                         Nanos limit) override;
    io::Task<std::vector<ha::PromiseAnswer>> promise(std::vector<ha::Member> members,
                                                     ha::PromiseRequest request,
                                                     Nanos limit) override;

private:
    io::HttpRequest post(std::string target, std::string body) const;

    io::Executor executor_;
    io::Clock& clock_;
    std::optional<config::Credentials> credentials_;
    std::shared_ptr<const io::TlsFiles> tls_;
};

}  // namespace howdah::agent
