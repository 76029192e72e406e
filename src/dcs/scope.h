#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/shared.h"
#include "dcs/kv.h"
#include "ha/cluster.h"

namespace howdah::dcs {

/// `kv` relative to `prefix` ("/service/batman/"); nullopt when it is not below that.
std::optional<ha::ScopeKey> scope_key(const KeyValue& kv, std::string_view prefix);

/// One linearizable read of the scope. Errors: those of KeyValueStore::get.
io::Task<Result<ha::Cluster>> load(KeyValueStore& store, std::string prefix, Patience patience);

/// A copy of the scope that follows the store: a watch for speed, and every two seconds a
/// linearizable read of the whole, so that a quiet store and a lost one differ.
class ClusterFeed {
public:
    ClusterFeed(io::Clock& clock, KeyValueStore& store, std::string prefix);

    /// Follows until cancelled. Call it once.
    io::Task<> run();

    /// None before the first answer. Changed between two co_awaits of the reader: copy it to keep
    /// it.
    const Shared<ha::Cluster>& current() const { return current_; }
    /// When the version of the record in current() came here first.
    Instant record_seen() const { return record_seen_; }
    /// When the last linearizable read that succeeded was *sent*: current() is no older than that.
    /// never() before the first.
    Instant last_answer() const { return last_answer_; }
    /// Called after each change of current() but those of a quiet cluster: its revision, a renewal
    /// by the same holder, the leader's position.
    void on_change(std::function<void()> heed) { on_change_ = std::move(heed); }

private:
    io::Task<> refresh_for_ever();
    io::Task<> watch_for_ever();
    io::Task<Result<>> refresh();
    bool shows(std::string_view key) const;
    void take(Snapshot snapshot, Instant sent);
    void take(const std::vector<Event>& events);
    /// Shows keys_ anew, of which those in `written` have been put; nullptr: anything may differ.
    void show(const std::vector<KeyValue>* written);

    io::Clock& clock_;
    KeyValueStore& store_;
    std::string prefix_;
    std::map<std::string, KeyValue> keys_{};
    std::uint64_t cluster_id_ = 0;
    Revision snapshot_revision_ = 0;
    Revision revision_ = 0;  ///< the newest that keys_ shows
    Shared<ha::Cluster> current_{};
    Instant record_seen_{};
    Instant last_answer_{};
    Instant last_event_{};
    std::function<void()> on_change_{};
    bool begun_ = false;
};

}  // namespace howdah::dcs
