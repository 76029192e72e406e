#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dcs/etcd/etcd_store.h"

namespace howdah::dcs::etcd {

/// One member of the etcd cluster, as it says itself.
struct EtcdMemberStatus {
    std::string name{};
    std::uint64_t id = 0;
    std::string client_url{};
    bool leader = false;
    bool healthy = false;      ///< it answers and knows a leader
    std::int64_t db_size = 0;  ///< bytes
    std::string version{};
    std::uint64_t raft_term = 0;
    std::string error{};  ///< why it is not healthy
};

/// All members that any endpoint lists, each asked for its status. A member that has not joined yet
/// has no name. Errors: Errc::unavailable when no endpoint lists the members.
io::Task<Result<std::vector<EtcdMemberStatus>>> member_status(io::Executor executor,
                                                              io::Clock& clock, EtcdOptions options,
                                                              Nanos limit);

/// "http://10.0.0.1:2379" -> host and port. Errors: Errc::invalid.
Result<Endpoint> parse_url(const std::string& url);

}  // namespace howdah::dcs::etcd
