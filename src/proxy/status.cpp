#include "proxy/status.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace howdah::proxy {

std::string line(const Status& status) {
    const auto& route = status.route;
    std::string head = "closed (" + route.why + ")";
    if (route.open) {
        head = fmt::format("{} {} epoch={} timeline={} left={:.1f}s",
                           status.verified ? "open to" : "not yet verified:", route.member_name,
                           route.epoch, route.timeline, to_seconds(status.deadline_left));
    }
    const auto& counts = status.counts;
    return fmt::format("{} sessions={} held={} refused={} cut={} standbys={}", head,
                       counts.sessions, counts.held, counts.refused_total, counts.cut_total,
                       status.standbys);
}

std::string render(const Status& status) {
    const auto& route = status.route;
    const auto& counts = status.counts;
    return nlohmann::ordered_json{
        {"open", route.open && status.verified},
        {"why", route.why},
        {"member", route.member_name},
        {"member_uuid", route.member},
        {"epoch", route.epoch},
        {"timeline", route.timeline},
        {"system_id", route.system_id},
        {"deadline_left_ms", status.deadline_left.count()},
        {"verified", status.verified},
        {"sentinel", status.sentinel},
        {"standbys", status.standbys},
        {"sessions", counts.sessions},
        {"held", counts.held},
        {"accepted_total", counts.accepted_total},
        {"refused_total", counts.refused_total},
        {"cut_total", counts.cut_total},
        {"connect_failures_total", counts.connect_failures_total},
        {"bytes_to_servers_total", counts.bytes_to_servers_total},
        {"bytes_to_clients_total", counts.bytes_to_clients_total},
    }
        .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace howdah::proxy
