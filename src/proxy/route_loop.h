#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "dcs/kv.h"
#include "ha/wake_watch.h"
#include "io/task.h"
#include "proxy/route.h"

namespace howdah::proxy {

/// Keeps a route proved (safety-model.md, X1, F6, G4): attempts in the store every T/6, doubt after
/// a pause of this host, the members' word when the deadline comes near. Where sessions go and who
/// is let in is the endpoint's; the simulator runs this very loop.
class RouteLoop {
public:
    /// All outlive the loop.
    struct Parts {
        io::Executor executor{};
        io::Clock& clock;
        dcs::KeyValueStore& attempts;  ///< nothing else may delay what goes through it
        ha::WakeWatch& wake;
        std::string prefix{};  ///< "/service/demo/"
        std::string id{};      ///< of its key
        /// Asks every member that is known for its vouch; silence is no answer.
        std::function<io::Task<std::vector<ha::Vouch>>(Nanos limit)> ask_members{};
        std::function<void()> on_change{};  ///< the route may be another one now
    };

    explicit RouteLoop(Parts parts);

    /// Runs until cancelled.
    io::Task<> run();
    /// Takes its key away; after run().
    io::Task<> farewell();

    /// The cluster as a watch shows it: closes at once, opens nothing.
    void hint(const Seen& seen);
    /// What stood for the primary of that epoch broke just now.
    void lost(const ha::Uuid& member, ha::Epoch epoch) {
        gate_.lost(member, epoch, parts_.clock.now());
    }
    /// Looks whether this host has stood still; to be called before anything rests on the route.
    void heed_pauses();

    Route route() const { return gate_.route(parts_.clock.now()); }
    /// The newest version seen by any means, whatever its state.
    const std::optional<ha::Record>& newest() const { return gate_.newest(); }
    std::uint64_t heeded_pauses() const { return heeded_pauses_; }

private:
    io::Task<> attempt();
    bool needs_vouching() const;
    io::Task<> ask_members();
    std::string key() const;

    Parts parts_;
    RouteGate gate_{};
    io::Scope scope_;
    io::Bell bell_;
    std::uint64_t heeded_pauses_ = 0;
    std::size_t in_flight_ = 0;
    bool asking_members_ = false;
    bool ending_ = false;  ///< run() waits for what it began
    bool store_answers_ = true;
    Instant answered_at_{};       ///< when the store last answered an attempt,
    ha::Sighting last_answer_{};  ///< and the record that it showed
};

}  // namespace howdah::proxy
