#include "io/virtual_clock.h"

#include <algorithm>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>

namespace howdah::io {
namespace {

constexpr std::int64_t million = 1'000'000;
constexpr std::uint64_t places_at_most = 1U << 20U;

/// Awaits `set(callback)`, which names what `call_off(name)` takes back.
template <class Set, class CallOff>
Task<Result<>> wait_for(Set set, CallOff call_off) {
    using Handler = std::move_only_function<void(Result<>)>;
    return asio::async_initiate<const asio::use_awaitable_t<>, void(Result<>)>(
        [set, call_off](auto handler) {
            auto executor = asio::get_associated_executor(handler);
            auto slot = asio::get_associated_cancellation_slot(handler);
            auto shared = std::make_shared<Handler>(std::move(handler));
            const auto name = set([shared]() mutable {
                auto resume = std::move(*shared);
                resume(Result<>{});
            });
            if (slot.is_connected()) {
                slot.assign([name, shared, call_off, executor](asio::cancellation_type) {
                    call_off(name);
                    if (*shared) {
                        asio::post(executor, [resume = std::move(*shared)]() mutable {
                            resume(fail(Errc::cancelled, "wait cancelled"));
                        });
                    }
                });
            }
        },
        asio::use_awaitable);
}

template <class Clock, class Name>
class VirtualAlarm final : public io::Clock::Alarm {
public:
    VirtualAlarm(Clock& clock, Instant when, std::function<void()> then)
        : clock_(clock), name_(clock.at(when, std::move(then))) {}
    ~VirtualAlarm() override { clock_.call_off(name_); }

private:
    Clock& clock_;
    Name name_;
};

}  // namespace

std::int64_t VirtualClock::wall_nanos() const {
    constexpr std::int64_t start_of_2026 = 1'767'225'600;
    return (Nanos(Seconds(start_of_2026)) + now_.since_boot).count();
}

VirtualClock::Event VirtualClock::at(Instant when, Callback then) {
    if (free_.empty()) {
        free_.push_back(slots_.size());
        slots_.emplace_back();
        HD_CHECK(slots_.size() <= slots_at_most);
    }
    const auto slot = free_.back();
    free_.pop_back();
    last_ += slots_at_most;
    const Event event = last_ | slot;
    slots_[slot] = {.event = event, .then = std::move(then)};
    queue_.push_back({.when = std::max(when, now_), .event = event, .slot = slot});
    std::push_heap(queue_.begin(), queue_.end(), std::greater<>{});
    return event;
}

void VirtualClock::call_off(Event event) {
    const auto slot = event % slots_at_most;
    if (event != 0 && slots_[slot].event == event) {
        slots_[slot] = {};
        free_.push_back(slot);
    }
}

void VirtualClock::drop_called_off() {
    while (!queue_.empty() && slots_[queue_.front().slot].event != queue_.front().event) {
        std::pop_heap(queue_.begin(), queue_.end(), std::greater<>{});
        queue_.pop_back();
    }
}

Task<Result<>> VirtualClock::until(Instant when) {
    return wait_for([this, when](Callback then) { return at(when, std::move(then)); },
                    [this](Event event) { call_off(event); });
}

std::unique_ptr<Clock::Alarm> VirtualClock::call_at(Executor /*executor*/, Instant when,
                                                    std::function<void()> then) {
    return std::make_unique<VirtualAlarm<VirtualClock, Event>>(*this, when, std::move(then));
}

bool VirtualClock::advance(asio::io_context& context) {
    do {
        context.restart();
    } while (context.poll() > 0);
    drop_called_off();
    if (queue_.empty()) {
        return false;
    }
    now_ = queue_.front().when;
    const auto slot = queue_.front().slot;
    std::pop_heap(queue_.begin(), queue_.end(), std::greater<>{});
    queue_.pop_back();
    auto then = std::move(slots_[slot].then);
    slots_[slot] = {};
    free_.push_back(slot);
    then();
    return true;
}

Instant VirtualClock::next() const {
    Instant earliest{};
    for (const auto& turn : queue_) {
        if (slots_[turn.slot].event == turn.event && (earliest.never() || turn.when < earliest)) {
            earliest = turn.when;
        }
    }
    return earliest;
}

HostClock::HostClock(VirtualClock& world, Nanos offset, std::int64_t ppm)
    : world_(world), base_true_(world.now()), base_local_(world.now() + offset), ppm_(ppm) {}

Instant HostClock::local(Instant true_time) const {
    const auto shown = stopped_at_.never() ? true_time : stopped_at_;
    const auto passed = shown - base_true_;
    return base_local_ + passed + passed / million * ppm_;
}

Instant HostClock::true_time(Instant when) const {
    const auto passed = when - base_local_;
    if (!stopped_at_.never()) {
        return world_.now() + Millis(1);  // due() looks again
    }
    auto guess = base_true_ + passed - passed / (million + ppm_) * ppm_;
    while (local(guess) < when) {
        guess = guess + std::max<Nanos>(when - local(guess), Nanos(1));
    }
    return guess;
}

std::int64_t HostClock::wall_nanos() const {
    return world_.wall_nanos();
}

HostClock::Pending* HostClock::find(Handle handle) {
    const auto place = handle % places_at_most;
    return handle != 0 && pending_[place].handle == handle ? &pending_[place] : nullptr;
}

void HostClock::forget(Pending& pending) {
    free_.push_back(pending.handle % places_at_most);
    pending = {};
}

HostClock::Handle HostClock::add(Instant when, Instant true_time, Callback then) {
    if (free_.empty()) {
        free_.push_back(pending_.size());
        pending_.emplace_back();
        HD_CHECK(pending_.size() <= places_at_most);
    }
    const auto place = free_.back();
    free_.pop_back();
    last_ += places_at_most;
    const Handle handle = last_ | place;
    const auto event = world_.at(true_time, [this, handle] { due(handle); });
    pending_[place] = {.handle = handle, .when = when, .event = event, .then = std::move(then)};
    return handle;
}

HostClock::Handle HostClock::at(Instant when, Callback then) {
    return add(when, when <= now() ? world_.now() : true_time(when), std::move(then));
}

HostClock::Handle HostClock::arrive(Instant true_time, Callback then) {
    return add({}, true_time, std::move(then));
}

void HostClock::call_off(Handle handle) {
    if (auto* pending = find(handle)) {
        world_.call_off(pending->event);
        forget(*pending);
    }
}

void HostClock::due(Handle handle) {
    auto* pending = find(handle);
    if (pending == nullptr) {
        return;
    }
    if (held()) {
        held_.push_back(handle);
        return;
    }
    if (now() < pending->when) {  // a hidden pause came between
        pending->event = world_.at(true_time(pending->when), [this, handle] { due(handle); });
        return;
    }
    auto then = std::move(pending->then);
    forget(*pending);
    then();
}

Task<Result<>> HostClock::until(Instant when) {
    return wait_for([this, when](Callback then) { return at(when, std::move(then)); },
                    [this](Handle handle) { call_off(handle); });
}

std::unique_ptr<Clock::Alarm> HostClock::call_at(Executor /*executor*/, Instant when,
                                                 std::function<void()> then) {
    return std::make_unique<VirtualAlarm<HostClock, Handle>>(*this, when, std::move(then));
}

void HostClock::release() {
    HD_CHECK(holds_ > 0);
    if (--holds_ == 0) {
        for (const auto handle : std::exchange(held_, {})) {
            world_.at(world_.now(), [this, handle] { due(handle); });
        }
    }
}

void HostClock::stop_time() {
    stopped_at_ = world_.now();
}

void HostClock::resume_time() {
    base_local_ = now();
    base_true_ = world_.now();
    stopped_at_ = {};
}

}  // namespace howdah::io
