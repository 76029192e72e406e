#include "proxy/follower.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "dcs/scope.h"
#include "proxy/cancelled.h"

namespace howdah::proxy {
namespace {

constexpr Seconds read_limit{3};
constexpr Millis first_pause{100};
constexpr Millis last_pause{2000};

}  // namespace

Follower::Follower(io::Clock& clock, dcs::KeyValueStore& store, std::string prefix,
                   std::function<void()> on_change)
    : clock_(clock), store_(store), prefix_(std::move(prefix)), on_change_(std::move(on_change)) {}

io::Task<> Follower::run() {
    co_await io::asio::this_coro::throw_if_cancelled(false);
    auto pause = first_pause;
    std::string said;
    while (!co_await cancelled()) {
        const auto began = clock_.now();
        auto ended = co_await follow_once();
        if (co_await cancelled()) {
            co_return;
        }
        if (!ended && ended.error().message != said) {
            said = ended.error().message;
            spdlog::warn("endpoint cannot follow the store error=\"{}\"", said);
        }
        pause = clock_.now() - began > read_limit ? first_pause : std::min(pause * 2, last_pause);
        (void)co_await clock_.until(clock_.now() + pause);
    }
}

io::Task<Result<>> Follower::follow_once() {
    dcs::Patience patience{.total = read_limit};
    HD_CO_TRY(auto snapshot, co_await io::within(clock_, read_limit + Seconds(1),
                                                 store_.get(prefix_, true, patience)));
    keys_.clear();
    for (auto& kv : snapshot.keys) {
        auto name = kv.key;
        keys_.emplace(std::move(name), std::move(kv));
    }
    whole_ = true;
    show(snapshot.revision);
    const auto watch = store_.watch(prefix_, snapshot.revision + 1);
    for (;;) {
        // No limit: silence is a cluster at rest. A dead connection is the watch's to notice.
        HD_CO_TRY(const auto events, co_await watch->next());
        if (apply(events)) {
            show(events.back().kv.mod_revision);
        }
    }
}

bool Follower::apply(const std::vector<dcs::Event>& events) {
    bool matters = false;
    for (const auto& event : events) {
        if (event.deleted) {
            keys_.erase(event.kv.key);
        } else {
            keys_[event.kv.key] = event.kv;
        }
        if (event.kv.key.substr(prefix_.size()).starts_with(endpoint_folder)) {
            continue;
        }
        matters = true;
        // Most events write one key anew: the others need not be read again.
        whole_ = whole_ || event.deleted || !current_ ||
                 !ha::update(*current_, *dcs::scope_key(event.kv, prefix_));
    }
    return matters;
}

void Follower::show(std::int64_t revision) {
    if (std::exchange(whole_, false)) {
        std::vector<ha::ScopeKey> keys;
        for (const auto& [key, kv] : keys_) {
            keys.push_back(*dcs::scope_key(kv, prefix_));
        }
        current_ = ha::parse_cluster(keys, revision);
    }
    current_->revision = revision;
    on_change_();
}

}  // namespace howdah::proxy
