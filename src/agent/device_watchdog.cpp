#include "agent/device_watchdog.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/watchdog.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace howdah::agent {

using Mode = config::Watchdog::Mode;

Result<> DeviceWatchdog::start(const ha::LeaseTimes& times) {
    const std::scoped_lock lock(mutex_);
    if (settings_.mode == Mode::off) {
        return {};
    }
    auto armed = arm(times);
    if (armed) {
        trouble_.clear();
        return {};
    }
    disarm();
    if (settings_.mode == Mode::required) {
        trouble_ = armed.error().message;
        return armed;
    }
    if (trouble_ != armed.error().message) {
        trouble_ = armed.error().message;
        spdlog::info("no watchdog backs the fencer why=\"{}\"", trouble_);
    }
    return {};
}

Result<> DeviceWatchdog::arm(const ha::LeaseTimes& times) {
    const auto& name = settings_.device;
    if (!device_) {
        device_ = io::Fd(open(name.c_str(), O_WRONLY | O_CLOEXEC));
    }
    if (!device_) {
        return fail(Errc::unsafe, fmt::format("{}: {}", name, std::strerror(errno)),
                    "load a driver (modprobe softdog) and let the agent's user write to it");
    }
    times_ = times;
    timeout_ = times.watchdog_timeout(settings_.safety_margin);
    int seconds = static_cast<int>(timeout_.count());
    int granted = seconds;
    if (ioctl(device_.get(), WDIOC_SETTIMEOUT, &seconds) != 0 ||
        ioctl(device_.get(), WDIOC_GETTIMEOUT, &granted) != 0) {
        return fail(Errc::unsafe, fmt::format("{}: it takes no timeout of {} s: {}", name,
                                              timeout_.count(), std::strerror(errno)));
    }
    if (granted > timeout_.count()) {
        return fail(
            Errc::unsafe,
            fmt::format("{}: its timeout is {} s, and at most {} s is safe with a T of {} s", name,
                        granted, timeout_.count(), to_seconds(times.ttl)),
            "choose a greater ttl, or another device");
    }
    timeout_ = Seconds(granted);
    spdlog::info("watchdog armed device={} timeout={} s", name, granted);
    return {};
}

void DeviceWatchdog::pet(Instant sent, Instant now) {
    const std::scoped_lock lock(mutex_);
    // The answer may have come late: a reset after the term's end would be none in time.
    if (!device_ || now + Nanos(timeout_) > sent + (times_.ttl - times_.fence_budget)) {
        return;
    }
    if (write(device_.get(), "1", 1) != 1 && trouble_.empty()) {
        trouble_ = fmt::format("{}: {}", settings_.device, std::strerror(errno));
        spdlog::error("watchdog cannot be petted why=\"{}\"", trouble_);
    }
}

void DeviceWatchdog::stop() {
    const std::scoped_lock lock(mutex_);
    if (device_) {
        spdlog::info("watchdog disarmed device={}", settings_.device);
        disarm();
    }
}

void DeviceWatchdog::disarm() {
    if (device_) {
        (void)!write(device_.get(), "V", 1);
        device_ = {};
    }
}

std::string DeviceWatchdog::trouble() const {
    const std::scoped_lock lock(mutex_);
    if (settings_.mode != Mode::required) {
        return {};
    }
    if (!device_ && trouble_.empty() && access(settings_.device.c_str(), W_OK) != 0) {
        return fmt::format("{}: {}", settings_.device, std::strerror(errno));
    }
    return trouble_;
}

}  // namespace howdah::agent
