#pragma once

#include <mutex>

#include "agent/ports.h"
#include "config/agent_config.h"
#include "io/fd.h"

namespace howdah::agent {

/// Linux's watchdog device: linux/Documentation/watchdog/watchdog-api.rst. Open it counts down; any
/// write sets it back; 'V' before close disarms it.
class DeviceWatchdog final : public Watchdog {
public:
    explicit DeviceWatchdog(config::Watchdog settings) : settings_(std::move(settings)) {}
    ~DeviceWatchdog() override { stop(); }

    /// Mode `automatic`: without a device that will do there is none, and the log says so once.
    Result<> start(const ha::LeaseTimes& times) override;
    void pet(Instant sent, Instant now) override;
    void stop() override;
    std::string trouble() const override;

private:
    Result<> arm(const ha::LeaseTimes& times);
    void disarm();

    config::Watchdog settings_;
    mutable std::mutex mutex_{};
    io::Fd device_{};
    ha::LeaseTimes times_{};
    Seconds timeout_{};
    std::string trouble_{};
};

}  // namespace howdah::agent
