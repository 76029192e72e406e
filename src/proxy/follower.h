#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "dcs/kv.h"
#include "ha/cluster.h"
#include "io/task.h"

namespace howdah::proxy {

/// Keeps a copy of the scope's keys by one read and a watch. What it shows may be old; nothing
/// rests on it but where members listen, which standbys are fit, and hints.
class Follower {
public:
    Follower(io::Clock& clock, dcs::KeyValueStore& store, std::string prefix,
             std::function<void()> on_change);

    /// Nullopt before the first answer.
    const std::optional<ha::Cluster>& current() const { return current_; }
    /// Runs until cancelled.
    io::Task<> run();

private:
    io::Task<Result<>> follow_once();
    bool apply(const std::vector<dcs::Event>& events);
    void show(std::int64_t revision);

    io::Clock& clock_;
    dcs::KeyValueStore& store_;
    std::string prefix_;
    std::function<void()> on_change_;
    std::map<std::string, dcs::KeyValue> keys_{};
    std::optional<ha::Cluster> current_{};
    bool whole_ = true;  ///< only all keys together tell what current_ must say
};

/// The key that each endpoint writes with its attempts, below the scope's prefix.
inline constexpr std::string_view endpoint_folder = "howdah-endpoint/";

}  // namespace howdah::proxy
