#include "agent/lockout.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "config/addresses.h"
#include "config/hba.h"

namespace howdah::agent {
namespace {

struct Need {
    std::string who{};  ///< "the superuser postgres on this host"
    /// It works when one of them does.
    std::vector<config::HbaLogin> ways{};
};

/// A client that connects to any loopback address comes from 127.0.0.1, or from one it is bound to.
std::vector<std::string> sources_of(const std::string& address) {
    if (!config::is_loopback(address)) {
        return {address};
    }
    std::vector<std::string> out{"127.0.0.1", "::1"};
    if (address != "localhost") {
        out.push_back(address);
    }
    return out;
}

std::vector<Need> needs(const config::AgentConfig& own, const std::vector<ha::Member>& members) {
    const auto& pg = own.postgresql;
    std::vector<Need> out;
    const auto& options = pg.superuser.options;
    if (!options.contains("host") && !options.contains("hostaddr") && !options.contains("dbname")) {
        Need need{.who = fmt::format("the superuser {} on this host", pg.superuser.username)};
        const config::HbaLogin login{.database = pg.database, .user = pg.superuser.username};
        if (pg.use_unix_socket) {
            need.ways.push_back(login);
            need.ways.back().local = true;
        } else {
            for (auto& source : sources_of(config::local_address(pg.listen_addresses))) {
                need.ways.push_back(login);
                need.ways.back().address = std::move(source);
            }
        }
        out.push_back(std::move(need));
    }
    for (const auto& member : members) {
        const auto address = member.postgres_address();
        if (member.name == own.name || !address || pg.replication.username.empty()) {
            continue;
        }
        Need need{.who = fmt::format("the replication user {} from {} ({})",
                                     pg.replication.username, member.name, address->host)};
        for (auto& source : sources_of(address->host)) {
            need.ways.push_back({.user = pg.replication.username, .address = std::move(source)});
        }
        out.push_back(std::move(need));
    }
    return out;
}

/// The answer to the last way when all of them are a clear no.
std::optional<config::HbaAnswer> clear_no(const config::HbaFile& file, const Need& need) {
    std::optional<config::HbaAnswer> out;
    for (const auto& way : need.ways) {
        auto answer = config::hba_answer(file.rules, way);
        if (!answer.clear_no()) {
            return std::nullopt;
        }
        if (!out || !answer.line.empty()) {
            out = std::move(answer);
        }
    }
    return out;
}

}  // namespace

std::vector<std::string> locked_out(const config::AgentConfig& own,
                                    const std::vector<ha::Member>& members,
                                    const std::vector<std::string>& before,
                                    const std::vector<std::string>& after) {
    std::vector<std::string> out;
    if (after.empty() || after == before) {
        return out;
    }
    const auto old = config::parse_hba(before);
    const auto next = config::parse_hba(after);
    for (const auto& need : needs(own, members)) {
        const auto no = clear_no(next, need);
        if (!no || (!before.empty() && clear_no(old, need))) {
            continue;
        }
        out.push_back(no->line.empty() ? fmt::format("no line lets {} in", need.who)
                                       : fmt::format("line \"{}\" rejects {}", no->line, need.who));
    }
    return out;
}

}  // namespace howdah::agent
