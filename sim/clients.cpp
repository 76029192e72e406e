#include "clients.h"

#include <fmt/format.h>

#include <algorithm>

namespace howdah::sim {
namespace {

constexpr std::size_t sessions = 20;  // each waits for its commit

}  // namespace

void Clients::use(instance::FakeInstance& server, bool promised) {
    if (!server.writable()) {
        return forget(server);
    }
    auto& waiting = waiting_[server.name()];
    const auto branch = server.branches().back().id;
    std::erase_if(waiting, [&](const Waiting& w) { return w.branch != branch; });
    if (waiting.size() < sessions &&
        server.write(static_cast<std::uint64_t>(random_.between(50, 500)))) {
        waiting.push_back({.branch = branch, .end = server.end()});
    }
    const auto is_acknowledged = [until = server.acknowledged()](const Waiting& w) {
        return w.end <= until;
    };
    const auto rest = std::find_if_not(waiting.begin(), waiting.end(), is_acknowledged);
    for (auto it = waiting.begin(); it != rest; ++it) {
        ++acknowledged_;
        if (promised) {
            promised_[branch] = std::max(promised_[branch], it->end);
        }
    }
    waiting.erase(waiting.begin(), rest);
}

void Clients::forget(const instance::FakeInstance& server) {
    waiting_.erase(server.name());
}

std::string Clients::missing_on(const instance::FakeInstance& primary) const {
    const auto& branches = primary.branches();
    for (const auto& [id, end] : promised_) {
        const auto branch = std::find_if(branches.begin(), branches.end(),
                                         [wanted = id](const auto& b) { return b.id == wanted; });
        if (branch == branches.end()) {
            return fmt::format("WAL branch {} up to {}", id, end.text());
        }
        const auto next = branch + 1;
        const auto here = next == branches.end() ? primary.end() : next->begin;
        if (here < end) {
            return fmt::format("{} to {} of timeline {}", here.text(), end.text(),
                               branch->timeline);
        }
    }
    return {};
}

}  // namespace howdah::sim
