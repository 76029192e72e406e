#include "cli/dcs_status.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/store.h"
#include "cli/table.h"
#include "io/block_on.h"

namespace howdah::cli {

namespace {

using Json = nlohmann::ordered_json;
using Member = dcs::etcd::EtcdMemberStatus;

constexpr Seconds patience{3};

io::Task<Result<std::vector<Member>>> ask(io::Executor executor, config::AgentConfig config) {
    io::SystemClock clock;
    co_return co_await store_members(executor, clock, std::move(config), patience);
}

Json json_of(const Member& m) {
    return {{"name", m.name},
            {"id", m.id},
            {"client", m.client_url},
            {"healthy", m.healthy},
            {"leader", m.leader},
            {"version", m.version},
            {"db_size_bytes", m.db_size},
            {"raft_term", m.raft_term},
            {"error", m.error}};
}

std::vector<std::string> row_of(const Member& m) {
    return {m.name.empty() ? "(not joined)" : m.name,
            m.client_url,
            m.leader    ? "leader"
            : m.healthy ? "follower"
                        : "",
            m.healthy         ? "healthy"
            : m.error.empty() ? "not healthy"
                              : m.error,
            m.version,
            m.healthy ? fmt::format("{:.1f} MB", double(m.db_size) / 1e6) : ""};
}

}  // namespace

std::string render_dcs_status(const std::vector<Member>& members, bool json) {
    if (json) {
        Json out = Json::array();
        for (const auto& member : members) {
            out.push_back(json_of(member));
        }
        return Json{{"members", std::move(out)}}.dump(2) + "\n";
    }
    std::vector<std::vector<std::string>> rows;
    for (const auto& member : members) {
        rows.push_back(row_of(member));
    }
    return draw_table(" etcd ",
                      {{"Member"}, {"Client"}, {"Role"}, {"Health"}, {"Version"}, {"Size", true}},
                      rows);
}

Result<int> run(const DcsStatusCommand& command, const config::AgentConfig& config) {
    if (!config.etcd) {
        return fail(Errc::invalid, config.file + ": no section etcd3",
                    "etcd3: {hosts: [HOST:2379, ...]} names the store");
    }
    HD_TRY(auto members, io::block_on<Result<std::vector<Member>>>(
                             [&config](io::Executor executor) { return ask(executor, config); }));
    std::ranges::sort(members, {}, &Member::name);
    std::fputs(render_dcs_status(members, command.json).c_str(), stdout);
    return std::ranges::all_of(members, &Member::healthy) ? 0 : 1;
}

}  // namespace howdah::cli
