#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "host.h"
#include "world.h"

namespace howdah::sim {

/// Questions to several members, and the answers that came back in time.
template <class Answer>
struct Round {
    explicit Round(io::Executor executor) : done(std::move(executor)) {}
    std::vector<Answer> answers{};
    std::size_t missing = 0;
    io::Parking done;
};

/// One that `clock` belongs to asks these hosts from its node, in parallel. Packets take the
/// network's ways; an agent that is stopped answers later, a dead one never.
template <class Answer>
io::Task<std::vector<Answer>> ask_hosts(
    World& world, int node, io::HostClock& clock, std::vector<Host*> hosts, Nanos limit,
    std::function<void(Host&, std::function<void(Answer)>)> question) {
    const auto all = std::make_shared<Round<Answer>>(world.context.get_executor());
    for (auto* other : hosts) {
        ++all->missing;
        const auto there = world.network->packet(node, other->node);
        if (!there) {
            continue;
        }
        auto answered = [&world, &clock, node, all, other](Answer answer) {
            if (const auto back = world.network->packet(other->node, node)) {
                clock.arrive(world.clock.now() + *back, [all, a = std::move(answer)] {
                    all->answers.push_back(a);
                    if (--all->missing == 0) {
                        all->done.wake_all();
                    }
                });
            }
        };
        other->agent_clock.arrive(world.clock.now() + *there, [other, question, answered] {
            if (other->agent_lives()) {
                question(*other, answered);
            }
        });
    }
    if (all->missing > 0) {
        const auto timer = clock.at(clock.now() + limit, [all] { all->done.wake_all(); });
        co_await all->done.wait();
        clock.call_off(timer);
    }
    co_return all->answers;
}

}  // namespace howdah::sim
