#include "io/virtual_clock.h"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>

namespace howdah::io {
namespace {

constexpr std::int64_t million = 1'000'000;

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
    const Event event{std::max(when, now_), ++sequence_};
    events_.emplace(event, std::move(then));
    return event;
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
    if (events_.empty()) {
        return false;
    }
    auto next = events_.extract(events_.begin());
    now_ = next.key().when;
    next.mapped()();
    return true;
}

Instant VirtualClock::next() const {
    return events_.empty() ? Instant{} : events_.begin()->first.when;
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

HostClock::Handle HostClock::add(Instant when, Instant true_time, Callback then) {
    const auto handle = ++last_;
    const auto event = world_.at(true_time, [this, handle] { due(handle); });
    pending_.emplace_hint(pending_.end(), handle,
                          Pending{.when = when, .event = event, .then = std::move(then)});
    return handle;
}

HostClock::Handle HostClock::at(Instant when, Callback then) {
    return add(when, when <= now() ? world_.now() : true_time(when), std::move(then));
}

HostClock::Handle HostClock::arrive(Instant true_time, Callback then) {
    return add({}, true_time, std::move(then));
}

void HostClock::call_off(Handle handle) {
    if (const auto it = pending_.find(handle); it != pending_.end()) {
        world_.call_off(it->second.event);
        pending_.erase(it);
    }
}

void HostClock::due(Handle handle) {
    const auto it = pending_.find(handle);
    if (it == pending_.end()) {
        return;
    }
    if (held()) {
        held_.push_back(handle);
        return;
    }
    auto& pending = it->second;
    if (now() < pending.when) {  // a hidden pause came between
        pending.event =
            world_.at(true_time(pending.when), [this, handle] { due(handle); });
        return;
    }
    const auto then = pending_.extract(it);
    then.mapped().then();
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
