#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "config/agent_config.h"
#include "dcs/kv.h"
#include "io/task.h"
#include "proxy/endpoint.h"

namespace howdah::cli {

/// The endpoint with its two connections to the store; inside `howdah agent` and as `howdah proxy`.
class EmbeddedEndpoint {
public:
    EmbeddedEndpoint(io::Executor executor, io::Clock& clock, const config::AgentConfig& config);
    Result<> open() { return endpoint_.open(); }
    io::Task<> run() { return endpoint_.run(); }

private:
    std::unique_ptr<dcs::KeyValueStore> attempts_;
    std::unique_ptr<dcs::KeyValueStore> watched_;
    proxy::Endpoint endpoint_;
};

/// `howdah proxy FILE`: runs until SIGTERM or SIGINT. `pid_file` is written when it is not empty.
Result<> run_proxy(const std::string& file, const std::string& pid_file);

}  // namespace howdah::cli
