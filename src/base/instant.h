#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace howdah {

using Millis = std::chrono::milliseconds;
using Nanos = std::chrono::nanoseconds;
using Seconds = std::chrono::seconds;

/// A moment on this host's CLOCK_BOOTTIME: it counts while the host sleeps and nobody can set it.
/// Instants of different hosts, or of different boots, never compare. Zero means "never".
struct Instant {
    Nanos since_boot{};

    constexpr auto operator<=>(const Instant&) const = default;
    constexpr bool never() const { return since_boot == Nanos{}; }
    friend constexpr Instant operator+(Instant a, Nanos b) { return {a.since_boot + b}; }
    friend constexpr Instant operator-(Instant a, Nanos b) { return {a.since_boot - b}; }
    friend constexpr Nanos operator-(Instant a, Instant b) { return a.since_boot - b.since_boot; }
};

constexpr Millis to_millis(Nanos t) {
    return std::chrono::duration_cast<Millis>(t);
}
constexpr double to_seconds(Nanos t) {
    return std::chrono::duration<double>(t).count();
}

}  // namespace howdah
