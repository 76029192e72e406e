#include "dcs/scope.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace howdah::dcs {
namespace {

constexpr Nanos refresh_period = Seconds(2);
constexpr Nanos first_pause = Millis(200);
constexpr Nanos longest_pause = Seconds(5);
constexpr Patience patience{.total = Seconds(4), .hedge = Millis(700)};

ha::Cluster cluster_of(const std::vector<KeyValue>& keys, std::string_view prefix,
                       Revision revision) {
    std::vector<ha::ScopeKey> below;
    for (const auto& kv : keys) {
        if (auto key = scope_key(kv, prefix)) {
            below.push_back(*std::move(key));
        }
    }
    return ha::parse_cluster(below, revision);
}

}  // namespace

std::optional<ha::ScopeKey> scope_key(const KeyValue& kv, std::string_view prefix) {
    if (!kv.key.starts_with(prefix)) {
        return std::nullopt;
    }
    return ha::ScopeKey{.name = kv.key.substr(prefix.size()),
                        .value = kv.value,
                        .mod_revision = kv.mod_revision,
                        .lease = kv.lease};
}

io::Task<Result<ha::Cluster>> load(KeyValueStore& store, std::string prefix, Patience limit) {
    HD_CO_TRY(const auto snapshot, co_await store.get(prefix, false, limit));
    co_return cluster_of(snapshot.keys, prefix, snapshot.revision);
}

ClusterFeed::ClusterFeed(io::Clock& clock, KeyValueStore& store, std::string prefix)
    : clock_(clock), store_(store), prefix_(std::move(prefix)) {}

io::Task<> ClusterFeed::run() {
    io::Scope scope(co_await io::asio::this_coro::executor);
    scope.spawn(refresh_for_ever());
    scope.spawn(watch_for_ever());
    co_await io::until_cancelled();
    co_await scope.close();
}

io::Task<> ClusterFeed::refresh_for_ever() {
    auto pause = first_pause;
    bool reachable = true;
    while (true) {
        const auto answer = co_await refresh();
        if (answer) {
            if (!reachable) {
                spdlog::info("the store answers again");
            }
        } else if (reachable) {
            spdlog::warn("the store does not answer: {}", answer.error().message);
        }
        reachable = answer.has_value();
        if (!co_await clock_.until(clock_.now() + (reachable ? refresh_period : pause))) {
            co_return;
        }
        pause = reachable ? first_pause : std::min(pause * 2, longest_pause);
    }
}

io::Task<> ClusterFeed::watch_for_ever() {
    std::unique_ptr<Watch> watch;
    std::uint64_t watched_cluster = 0;
    auto pause = first_pause;
    while (true) {
        if (begun_ && (!watch || watched_cluster != cluster_id_)) {
            watched_cluster = cluster_id_;
            watch = store_.watch(prefix_, revision_ + 1);
        }
        if (watch) {
            const auto events = co_await watch->next();
            if (events) {
                pause = first_pause;
                take(*events);
                continue;
            }
            watch.reset();
            if (events.error().code == Errc::conflict && co_await refresh()) {
                continue;
            }
        }
        if (!co_await clock_.until(clock_.now() + pause)) {
            co_return;
        }
        pause = std::min(pause * 2, begun_ ? longest_pause : first_pause);
    }
}

io::Task<Result<>> ClusterFeed::refresh() {
    const auto sent = clock_.now();
    HD_CO_TRY(auto snapshot, co_await store_.get(prefix_, false, patience));
    last_answer_ = std::max(last_answer_, sent);
    take(std::move(snapshot), sent);
    co_return Result<>{};
}

void ClusterFeed::take(Snapshot snapshot, Instant sent) {
    const bool same_store = begun_ && snapshot.cluster_id == cluster_id_;
    if (same_store && snapshot.revision < revision_ && last_event_ >= sent) {
        return;  // the watch was quicker; a store restored from a backup is behind for longer
    }
    std::erase_if(snapshot.keys, [this](const KeyValue& kv) { return !shows(kv.key); });
    cluster_id_ = snapshot.cluster_id;
    snapshot_revision_ = revision_ = snapshot.revision;
    const auto same = [](const auto& known, const KeyValue& kv) { return known.second == kv; };
    if (begun_ &&
        std::equal(keys_.begin(), keys_.end(), snapshot.keys.begin(), snapshot.keys.end(), same)) {
        current_->revision = revision_;
        return;
    }
    begun_ = true;
    keys_.clear();
    for (auto& kv : snapshot.keys) {
        auto name = kv.key;
        keys_.emplace(std::move(name), std::move(kv));
    }
    show(nullptr);
}

void ClusterFeed::take(const std::vector<Event>& events) {
    last_event_ = clock_.now();
    bool deleted = false;
    std::vector<KeyValue> written;
    for (const auto& event : events) {
        const auto& kv = event.kv;
        const auto known = keys_.find(kv.key);
        if (kv.mod_revision <= snapshot_revision_ ||
            (known != keys_.end() && known->second.mod_revision >= kv.mod_revision)) {
            continue;
        }
        revision_ = std::max(revision_, kv.mod_revision);
        if (!shows(kv.key)) {
            continue;
        }
        if (event.deleted) {
            keys_.erase(kv.key);
            deleted = true;
        } else {
            keys_[kv.key] = kv;
            written.push_back(kv);
        }
    }
    if (deleted || !written.empty()) {
        show(deleted ? nullptr : &written);
    }
}

bool ClusterFeed::shows(std::string_view key) const {
    return key.starts_with(prefix_) && ha::is_shown(key.substr(prefix_.size()));
}

void ClusterFeed::show(const std::vector<KeyValue>* written) {
    const auto before = current_ ? current_->record : ha::Sighting{};
    bool whole = written == nullptr || !current_;
    bool quiet = !whole;
    if (!whole) {
        for (const auto& kv : *written) {
            const auto key = scope_key(kv, prefix_);
            whole = whole || !key || !ha::update(*current_, *key);
            quiet = quiet && key &&
                    (key->name == "howdah" || key->name == "leader" || key->name == "status");
        }
    }
    if (whole) {
        std::vector<KeyValue> keys;
        for (const auto& [name, kv] : keys_) {
            keys.push_back(kv);
        }
        current_ = cluster_of(keys, prefix_, revision_);
    }
    const auto& cluster = std::as_const(*current_);
    current_->revision = revision_;
    if (!before.same_version(cluster.record) || record_seen_.never()) {
        record_seen_ = clock_.now();
    }
    quiet = quiet && (before == cluster.record || ha::is_renewal(before, cluster.record));
    if (on_change_ && !quiet) {
        on_change_();
    }
}

}  // namespace howdah::dcs
