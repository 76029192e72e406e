#pragma once

#include <optional>
#include <vector>

#include "base/instant.h"
#include "base/random.h"

namespace howdah::sim {

/// Links between hosts, members of etcd and the endpoint: delay, loss, cuts in one direction.
class Network {
public:
    struct Link {
        int cuts = 0;  ///< so many faults cut it
        Nanos slower{};
        double loss = 0;
    };

    Network(int nodes, std::uint64_t seed, Nanos min_delay, Nanos max_delay)
        : nodes_(nodes),
          links_(static_cast<std::size_t>(nodes * nodes)),
          random_(seed),
          min_(min_delay),
          max_(max_delay) {}

    Link& link(int from, int to) { return links_[static_cast<std::size_t>(from * nodes_ + to)]; }
    int nodes() const { return nodes_; }

    /// How long one packet takes; nullopt: it doesn't arrive.
    std::optional<Nanos> packet(int from, int to) {
        const auto& way = link(from, to);
        if (way.cuts > 0 || (way.loss > 0 && random_.chance(way.loss))) {
            return std::nullopt;
        }
        return Nanos(random_.between(min_.count(), max_.count())) + way.slower;
    }
    /// The same of a stream: what is lost is sent again.
    std::optional<Nanos> stream(int from, int to) {
        const auto& way = link(from, to);
        if (way.cuts > 0) {
            return std::nullopt;
        }
        const auto again = way.loss > 0 && random_.chance(way.loss) ? Nanos(Millis(200)) : Nanos{};
        return Nanos(random_.between(min_.count(), max_.count())) + way.slower + again;
    }
    void heal() { links_.assign(links_.size(), {}); }

private:
    int nodes_;
    std::vector<Link> links_;
    Random random_;
    Nanos min_, max_;
};

}  // namespace howdah::sim
