#pragma once

#include "agent/ports.h"

namespace howdah::agent {

/// A watchdog device in memory: when it would reset the host.
class ModelWatchdog final : public Watchdog {
public:
    explicit ModelWatchdog(Seconds margin = Seconds(-1)) : margin_(margin) {}

    Result<> start(const ha::LeaseTimes& times) override {
        if (!missing.empty()) {
            return fail(Errc::unsafe, missing);
        }
        times_ = times;
        timeout_ = times.watchdog_timeout(margin_);
        return {};
    }
    void pet(Instant sent, Instant now) override {
        if (timeout_ > Nanos{} && now + timeout_ <= sent + (times_.ttl - times_.fence_budget)) {
            resets_at_ = now + timeout_;
        }
    }
    void stop() override {
        timeout_ = {};
        resets_at_ = {};
    }
    std::string trouble() const override { return missing; }

    /// never(): not before it was petted once, and not after stop().
    Instant resets_at() const { return resets_at_; }

    std::string missing{};  ///< there must be one, and there is none: why

private:
    Seconds margin_;
    ha::LeaseTimes times_{};
    Nanos timeout_{};
    Instant resets_at_{};
};

}  // namespace howdah::agent
