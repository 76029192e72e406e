#include <spdlog/spdlog.h>

#include "agent/agent.h"

namespace howdah::agent {
namespace {

// Together below the 15 s after which a service manager loses patience.
constexpr Nanos fast_limit = Seconds(10);
constexpr Nanos kill_limit = Seconds(3);
constexpr Nanos give_up_limit = Seconds(2);

}  // namespace

io::Task<> Agent::shut_down() {
    local_ = co_await parts_.instance.observe(Seconds(1));
    if (paused() && local_.postmaster) {
        spdlog::info("the cluster is paused: PostgreSQL is left running");
        co_return;
    }
    if (local_.postmaster) {
        spdlog::info("stopping PostgreSQL role={}",
                     local_.role == ha::Role::primary ? "primary" : "standby");
        (void)parts_.instance.stop(instance::StopMode::fast);
    }
    const auto until = parts_.clock.now() + fast_limit;
    while (!local_.tree_dead && parts_.clock.now() < until) {
        parts_.keeper.turned();
        (void)co_await parts_.clock.until(parts_.clock.now() + Millis(20));
        local_ = co_await parts_.instance.observe(Seconds(1));
    }
    if (!local_.tree_dead) {
        (void)co_await parts_.instance.fence(kill_limit);
        local_ = co_await parts_.instance.observe(Seconds(1));
    }
    run_callbacks();
    auto& keeper = parts_.keeper;
    co_await io::on(keeper.executor(), keeper.left(give_up_limit));
    if (local_.tree_dead && keeping_.tenure) {
        // Unknown: past everything, so that nobody takes himself for complete.
        const auto lsn =
            local_.final_lsn == pg::Lsn{} ? pg::Lsn(~std::uint64_t{0}) : local_.final_lsn;
        const auto released =
            co_await io::on(keeper.executor(), keeper.give_up(
                                                   [lsn](ha::Record& record) {
                                                       record.state = ha::RecordState::released;
                                                       record.lsn = lsn;
                                                   },
                                                   give_up_limit));
        spdlog::info("gave the record up confirmed={}", released.has_value());
    }
    published_at_ = {};
    published_member_ = {};
    co_await publish_member();
}

}  // namespace howdah::agent
