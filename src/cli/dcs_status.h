#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/command.h"
#include "config/agent_config.h"

namespace howdah::cli {

/// One etcd member as the others and itself describe it.
struct EtcdMember {
    std::string id{};  ///< decimal, as the JSON gateway writes it
    std::string name{};
    std::string client_url{};
    std::string peer_url{};
    std::string version{};
    bool answers = false;  ///< it told its status, and knows a leader
    bool leads = false;
    std::uint64_t db_bytes = 0;
    std::vector<std::string> errors{};  ///< alarms it reports
};

/// Answers of /v3/cluster/member/list and /v3/maintenance/status. Errors: Errc::corrupt.
Result<std::vector<EtcdMember>> parse_member_list(const std::string& body);
Result<> take_status(EtcdMember& member, const std::string& body);

std::string render_dcs_status(const std::vector<EtcdMember>& members, bool json);

/// `howdah dcs status`. Exit code 0: all members answer; 1: some don't.
Result<int> run(const DcsStatusCommand& command, const config::AgentConfig& config);

}  // namespace howdah::cli
