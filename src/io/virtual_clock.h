#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "io/task.h"

namespace howdah::io {

/// Time of a simulation: it stands still while anything can run, then jumps to the next event.
/// Events of one instant come in the order in which they were asked for.
class VirtualClock final : public Clock {
public:
    using Callback = std::move_only_function<void()>;
    /// Names an event that has not come yet, for ever. 0: none.
    using Event = std::uint64_t;

    explicit VirtualClock(Instant start = Instant{Seconds(1000)}) : now_(start) {}

    Instant now() const override { return now_; }
    /// The virtual time, counted from 2026-01-01.
    std::int64_t wall_nanos() const override;
    Task<Result<>> until(Instant when) override;
    std::unique_ptr<Alarm> call_at(Executor executor, Instant when,
                                   std::function<void()> then) override;

    /// For models: `then` runs at `when`, outside of any coroutine.
    Event at(Instant when, Callback then);
    /// Nothing happens when it has come already.
    void call_off(Event event);

    /// Runs what can run, then jumps to the earliest event. False when there is none.
    bool advance(asio::io_context& context);
    /// The instant of the earliest event; never() when there is none.
    Instant next() const;
    std::size_t pending() const { return queue_.size(); }

private:
    struct Turn {
        Instant when{};
        Event event = 0;  ///< they count up: the order in which they were asked for
        std::size_t slot = 0;
        bool operator>(const Turn& other) const {
            return when != other.when ? when > other.when : event > other.event;
        }
    };
    struct Slot {
        Event event = 0;
        Callback then{};
    };
    void drop_called_off();

    Instant now_;
    Event last_ = 0;
    std::vector<Turn> queue_{};  ///< a heap, the earliest first; events called off stay in it
    std::vector<Slot> slots_{};
    std::vector<std::size_t> free_{};
    static constexpr std::uint64_t slots_at_most = 1U << 20U;
};

/// CLOCK_BOOTTIME of one simulated host: it began somewhere else and runs a little fast or slow.
/// While it is held nothing runs on it; what fell due meanwhile happens at the release.
class HostClock final : public Clock {
public:
    using Callback = VirtualClock::Callback;

    /// `ppm`: how much faster than true time, in millionths.
    HostClock(VirtualClock& world, Nanos offset, std::int64_t ppm);

    Instant now() const override { return local(world_.now()); }
    std::int64_t wall_nanos() const override;
    Task<Result<>> until(Instant when) override;
    std::unique_ptr<Alarm> call_at(Executor executor, Instant when,
                                   std::function<void()> then) override;

    using Handle = std::uint64_t;
    /// `then` runs when this clock shows `when`, and not while it is held.
    Handle at(Instant when, Callback then);
    /// The same at a moment of true time: something arrives from outside.
    Handle arrive(Instant true_time, Callback then);
    void call_off(Handle handle);

    /// Nothing runs between hold() and its release(); they nest.
    void hold() { ++holds_; }
    void release();
    bool held() const { return holds_ > 0; }
    /// The clock itself stands still, as in a guest whose host hides a pause. Not nested.
    void stop_time();
    void resume_time();

    /// What this clock shows at a moment of true time, as things stand.
    Instant local(Instant true_time) const;
    /// The first moment of true time at which it shows `when`, if it isn't stopped till then.
    Instant true_time(Instant when) const;
    VirtualClock& world() const { return world_; }

private:
    struct Pending {
        Handle handle = 0;
        Instant when{};  ///< on this clock; never: due as soon as it comes
        VirtualClock::Event event = 0;
        Callback then{};
    };
    Pending* find(Handle handle);
    void forget(Pending& pending);
    Handle add(Instant when, Instant true_time, Callback then);
    void due(Handle handle);

    VirtualClock& world_;
    Instant base_true_{};
    Instant base_local_{};
    std::int64_t ppm_;
    int holds_ = 0;
    Instant stopped_at_{};  ///< true time; never: it runs
    Handle last_ = 0;
    std::vector<Pending> pending_{};
    std::vector<std::size_t> free_{};
    std::vector<Handle> held_{};
};

}  // namespace howdah::io
