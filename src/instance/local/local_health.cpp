#include <spdlog/spdlog.h>

#include <filesystem>

#include "instance/local/local_instance.h"

// Sick but not dead: a postmaster that hangs, a disk that takes no writes.

namespace howdah::instance {
namespace {

constexpr Nanos probe_every = Seconds(2);
/// A connection to a server that hangs waits in its queue until it is taken; giving up and trying
/// again would only fill the queue.
constexpr Nanos probe_limit = Seconds(120);
/// While a probe waits for longer than this, nobody else tries.
constexpr Nanos probe_patience = Seconds(1);
constexpr Nanos disk_every = Seconds(3);
constexpr Nanos disk_limit = Seconds(4);  // as long as any trouble must last (ha: must_last)

}  // namespace

void LocalInstance::begin_probing() {
    local_.answered = clock_.now();
    probing_since_ = {};
    const auto life = ++life_;
    scope_.spawn([this, life] { return probe(life); });
}

io::Task<> LocalInstance::probe(int life) {
    while (life == life_ && local_.postmaster) {
        probing_since_ = clock_.now();
        const auto opened = co_await Connection::open(clock_, local_keywords(""), probe_limit);
        if (life != life_ || !local_.postmaster) {
            co_return;
        }
        probing_since_ = {};
        // A refusal ("starting up", "too many clients") is an answer, too.
        if (opened || !opened.error().sqlstate.empty()) {
            const bool was_hung = clock_.now() - local_.answered > 2 * probe_every;
            local_.answered = clock_.now();
            if (was_hung) {
                changed();
            }
        }
        if (!co_await clock_.until(clock_.now() + probe_every)) {
            co_return;
        }
    }
}

/// No connection of ours may join a queue that nobody serves.
Result<> LocalInstance::may_connect() const {
    const auto silent = probing_since_.never() ? Nanos{} : clock_.now() - probing_since_;
    if (silent > probe_patience) {
        return fail(Errc::unavailable, "the postmaster answers no new connection");
    }
    return {};
}

io::Task<> LocalInstance::watch_disk() {
    while (true) {
        if (files_.classify() == DataDir::initialized) {
            auto trouble = co_await disk_probe_.ask(
                clock_, {files_.data_dir(), files_.data_dir() + "/pg_wal"}, disk_limit);
            local_.disk_waits_since = disk_probe_.waits_since();
            if (trouble != local_.disk_trouble) {
                if (local_.disk_trouble.empty()) {
                    spdlog::error("disk trouble why=\"{}\"", trouble);
                }
                local_.disk_trouble = std::move(trouble);
                changed();
            }
        }
        if (!co_await clock_.until(clock_.now() + disk_every)) {
            co_return;
        }
    }
}

}  // namespace howdah::instance
