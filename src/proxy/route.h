#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/instant.h"
#include "ha/promise.h"
#include "ha/record.h"

namespace howdah::proxy {

/// What the store showed at one of its revisions.
struct Seen {
    ha::Sighting record{};
    std::int64_t store_revision = 0;
};

/// Where the read-write port leads at one moment, and for how long.
struct Route {
    bool open = false;
    std::string why{};  ///< closed: why, in one sentence
    ha::Uuid member{};  ///< of the record that the route rests on; empty without one
    std::string member_name{};
    ha::Uuid incarnation{};
    ha::Epoch epoch = 0;
    pg::Timeline timeline = 0;
    std::string system_id{};
    Instant deadline{};    ///< the route is closed from here on, whatever else happens
    bool doubted = false;  ///< open, but nothing may move on it until it is proved anew
};

/// Decides whether the read-write route may be open (safety-model.md, X1 and X2). Pure: it is told
/// what was sent, answered and watched, and when.
///
/// The route rests on a version of the record (epoch, seq, state) that an own Raft-committed
/// attempt showed for the first time. The attempt answered before it still saw an older one, so
/// that version was committed after that attempt was sent, and no candidate can have waited out T
/// before t_send + T: that is the deadline. Watch events, and answers that come out of order, can
/// only close.
///
/// Within an epoch the deadline never goes back, but for what was proved before a doubt.
///
/// What is no `primary` version: an absent, bare or unreadable record, and a version older than one
/// already seen, extend nothing and close nothing (the deadline does). A foreign record is a
/// Patroni term: closed. Two incarnations in one epoch: closed until a newer epoch.
class RouteGate {
public:
    using Attempt = std::uint64_t;  ///< its number is also what it puts

    /// `now`: CLOCK_BOOTTIME before the first byte of the attempt is handed to the socket.
    Attempt begin_attempt(Instant now);
    /// The answer of a committed attempt. One sent before an attempt that was already answered is
    /// dropped, but for what it can close.
    void answer(Attempt attempt, const Seen& seen);
    /// A watch event, a read: anything but an own attempt.
    void hint(const Seen& seen);

    /// What members said of the record that the route rests on, asked from `sent` on (G4). Extends
    /// a route that nothing has closed; opens none.
    void vouch(Instant sent, const std::vector<ha::Vouch>& answers);
    /// The record that members could vouch for; nullopt: none, or something has superseded it.
    std::optional<ha::Record> resting_on() const;

    /// What stood for the primary of that epoch broke at `now`: its PostgreSQL may have ended, and
    /// begin again with what no standby has (F8). Nothing moves until the epoch is proved anew.
    void lost(const ha::Uuid& member, ha::Epoch epoch, Instant now);

    /// This host may have stood still until `now` (F6): what was asked before proves nothing.
    void doubt(Instant now);

    Route route(Instant now) const;
    /// How often to attempt: T/6 of the newest record (of the default profile before there is one).
    Millis attempt_every() const;
    Millis hedge_after() const;
    /// The newest version seen by any means, whatever its state.
    const std::optional<ha::Record>& newest() const { return newest_; }

private:
    struct Sent {
        Attempt number = 0;
        Instant at{};
    };
    struct Vouched {
        ha::Record record{};
        Instant deadline{};
        bool doubted = false;
    };

    struct Lost {
        ha::Epoch epoch = 0;
        Instant at{};
    };

    std::optional<Instant> take(Attempt attempt);
    void use(Instant sent, const Seen& seen);
    Instant renewed_until(const ha::Record& record) const;
    void notice(const ha::Record& record);
    void close_foreign(const ha::Sighting& record);
    std::string why_not_vouched() const;

    Attempt next_ = 1;
    std::deque<Sent> in_flight_{};          ///< by number; an answer drops it and all before it
    std::int64_t last_revision_ = 0;        ///< of the store, at the last answer used
    std::optional<Instant> last_sent_{};    ///< t_send of the last answer used
    std::optional<ha::Record> newest_{};    ///< by any means
    std::optional<ha::Record> attested_{};  ///< newest that an attempt showed
    std::optional<Vouched> vouched_{};
    Instant doubted_at_{};
    Lost lost_{};
    std::string foreign_leader_{};
    ha::Epoch disputed_epoch_ = 0;  ///< two incarnations were seen in it
};

}  // namespace howdah::proxy
