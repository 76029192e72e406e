#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <thread>

#include "base/instant.h"

namespace howdah::cli {

/// What the load has seen so far.
struct LoadCounts {
    std::uint64_t ok = 0;
    std::uint64_t errors = 0;
    Millis last_outage{};  ///< between two acknowledged inserts, when that took longer than usual
    std::string last_error{};  ///< one line
    Millis silent_for{};       ///< since the last acknowledged insert
};

/// Inserts one row every 20 ms through the endpoint, on a thread of its own, until it is destroyed.
class Load {
public:
    explicit Load(std::string dsn);
    ~Load();
    LoadCounts counts() const;

private:
    void work();
    void succeeded();
    void failed(std::string why);

    std::string dsn_;
    mutable std::mutex mutex_;
    LoadCounts counts_{};
    std::int64_t last_ok_ms_ = 0;
    std::atomic<bool> stopping_ = false;
    std::thread thread_;
};

/// "", or why no row can be written through `dsn` within `limit`.
std::string why_not_writable(const std::string& dsn, Millis limit);

}  // namespace howdah::cli
