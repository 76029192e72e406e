#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "base/instant.h"
#include "base/result.h"
#include "ha/cluster.h"
#include "ha/member_names.h"
#include "ha/promise.h"
#include "ha/record.h"
#include "ha/settings.h"
#include "ha/standing.h"
#include "ha/vote.h"
#include "io/task.h"

namespace howdah::agent {

/// Who this process is. The uuid comes from the state directory, the incarnation is drawn at each
/// start.
struct Identity {
    ha::Uuid uuid{};
    std::string name{};
    ha::Uuid incarnation{};
};

/// What survives a restart of the agent and of the host (safety-model.md, I5, L8, L12).
struct Stored {
    ha::Epoch epoch = 0;
    ha::Uuid incarnation{};
    std::int64_t revision = 0;  ///< highest revision of the record that was seen
};

/// The state directory's durable part. Called from the keeper's and the agent's threads.
class Durable {
public:
    virtual ~Durable() = default;
    virtual Stored load() const = 0;
    /// On disk (fsync) when it returns. Never lowers the epoch. Errors: Errc::io.
    virtual Result<> store(const Stored& stored) = 0;

    /// Where epochs began, as far as this member has seen them; the newest ones.
    virtual std::vector<ha::EpochStart> epochs() const = 0;
    /// On disk (fsync) when it returns. Known already: nothing happens. Errors: Errc::io.
    virtual Result<> remember(ha::EpochStart start) = 0;

    /// The last record that was kept: who may claim and whose word counts, for when the store has
    /// lost it.
    virtual std::optional<ha::Record> last_record() const = 0;
    /// On disk (fsync) when it returns. Errors: Errc::io.
    virtual Result<> keep(const ha::Record& record) = 0;

    /// What members were last called.
    virtual ha::MemberNames names() const = 0;
    /// On disk (fsync) when it returns. The same again: nothing happens. Errors: Errc::io.
    virtual Result<> keep_names(const ha::MemberNames& names) = 0;

    /// The greatest number of a timeline that this member has known of, however long ago.
    virtual pg::Timeline greatest_timeline() const = 0;
    /// On disk (fsync) when it returns. No greater one: nothing happens. Errors: Errc::io.
    virtual Result<> keep_timeline(pg::Timeline timeline) = 0;

    /// The last promise that was given (safety-model.md, G2).
    virtual std::optional<ha::StoredPromise> promise() const = 0;
    /// On disk (fsync) when it returns. The same again: nothing happens. Errors: Errc::io.
    virtual Result<> store_promise(const ha::StoredPromise& promise) = 0;

    /// The most WAL that this member has held.
    virtual ha::HeldWal held_wal() const = 0;
    /// Not synced, for it comes all the time: after a loss of power an earlier one may be
    /// back. Errors: Errc::io.
    virtual Result<> keep_held_wal(const ha::HeldWal& held) = 0;

    /// The cluster was paused when this member last read `/config`.
    virtual bool paused() const = 0;
    /// On disk (fsync) when it returns. The same again: nothing happens. Errors: Errc::io.
    virtual Result<> keep_paused(bool paused) = 0;
};

/// The fencer's page: the moment at which it kills PostgreSQL. It shows the term's deadline while
/// PostgreSQL is writable or about to be; a standby that merely claims has nothing to be killed for
/// (safety-model.md, N10). From any thread.
class Deadlines {
public:
    virtual ~Deadlines() = default;
    /// The term's end for the fencer. A page that is armed already, be it by an earlier run, moves
    /// with it.
    void arm(Instant kill_at) {
        const std::lock_guard lock(mutex_);
        term_ = kill_at;
        if (guards_ || !read().never()) {
            write(kill_at);
        }
    }
    /// Before PostgreSQL may become writable: from now on the page shows the term.
    void guard() {
        const std::lock_guard lock(mutex_);
        if (!guards_ && !term_.never()) {
            write(term_);
        }
        guards_ = true;
    }
    /// PostgreSQL is proven not to be writable: there is nothing to kill.
    void release() {
        const std::lock_guard lock(mutex_);
        guards_ = false;
        term_ = {};
        if (!read().never()) {
            write({});
        }
    }
    /// What the page shows; never(): disarmed.
    Instant armed() const { return read(); }

protected:
    virtual void write(Instant kill_at) = 0;
    virtual Instant read() const = 0;

private:
    std::mutex mutex_{};
    bool guards_ = false;
    Instant term_{};
};

/// A device that resets the host unless it is petted in time; it backs the fencer (safety-model.md,
/// F5). From any thread.
class Watchdog {
public:
    virtual ~Watchdog() = default;
    /// Before a claim. Errors: Errc::unsafe when there must be one and it can't be had.
    virtual Result<> start(const ha::LeaseTimes& times) = 0;
    /// What was sent at `sent` has been confirmed by `now`. Not petted when the host would then be
    /// reset later than at sent + T - F.
    virtual void pet(Instant sent, Instant now) = 0;
    /// PostgreSQL is proven not to write here: nothing needs to be reset any more.
    virtual void stop() = 0;
    /// Why it can't back the fencer although it must; empty: it can, or need not.
    virtual std::string trouble() const = 0;
};

class NoWatchdog final : public Watchdog {
public:
    Result<> start(const ha::LeaseTimes&) override { return {}; }
    void pet(Instant, Instant) override {}
    void stop() override {}
    std::string trouble() const override { return {}; }
};

/// Asks other members how they stand (L6), in parallel; silence means nothing.
class PeerQuestions {
public:
    virtual ~PeerQuestions() = default;
    virtual io::Task<std::vector<ha::Standing>> ask(std::vector<ha::Member> members,
                                                    Nanos limit) = 0;
    /// Seals members, in parallel (safety-model.md, section 5). Who is silent is not in the answer.
    virtual io::Task<std::vector<ha::Vote>> seal(std::vector<ha::Member> members,
                                                 ha::SealRequest request, Nanos limit) = 0;
};

/// Asks members for promises, in parallel. Who is silent is not in the answer. Called on the
/// keeper's executor.
class PromisePeers {
public:
    virtual ~PromisePeers() = default;
    virtual io::Task<std::vector<ha::PromiseAnswer>> promise(std::vector<ha::Member> members,
                                                             ha::PromiseRequest request,
                                                             Nanos limit) = 0;
};

}  // namespace howdah::agent
