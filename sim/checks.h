#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ha/decide.h"
#include "ha/record.h"
#include "instance/fake/fake_instance.h"

namespace howdah::sim {

class World;
class Host;

/// What must never be (safety-model.md, section 3). Each function checks one invariant at the
/// moments at which it can break, and names it in what it reports.
class Checks {
public:
    explicit Checks(World& world) : world_(world) {}

    // ---- moments
    void writable_changed(const Host& host);
    void deadline_passed(const Host& host);
    void record_committed(const ha::Record& record);
    void record_deleted() { deleted_ = true; }
    void store_went_back();
    void epoch_stored(const Host& host);
    void decided(const Host& host, const ha::View& view, const ha::Plan& plan);
    void statement_sent(ha::Epoch connection, ha::Epoch newest_seen, Instant now, Instant deadline);
    void acknowledged(const instance::WalMark& mark);
    void warned_commit_told_as(bool success);
    void destructive_step(const Host& host);
    void loop_turned(std::size_t pending, std::uint64_t events_at_this_instant);

    std::uint64_t terms() const { return holder_of_.size(); }
    const std::optional<ha::Record>& record() const { return record_; }

private:
    void one_writable();                        // I1
    void writable_as_holder(const Host& host);  // I2
    void acts_as_holder(const Host& host, const ha::View& view, const ha::Plan& plan);
    void term_is_not_over(const ha::Record& record);
    void acts_for_newest(const Host& host, const ha::View& view, const ha::Plan& plan);  // I5
    void route_had_closed(const ha::Record& record);                                     // I11
    void last_primary_is_kept(const ha::Record& record);
    void epochs_increase(const ha::Record& record);  // I4
    void epoch_has_one_holder(const ha::Record& record);
    void epoch_has_one_beginning(const ha::Record& record);
    void new_primary_has_all(const Host& host);     // I6
    void enough_voters_have_all(const char* when);  // I7
    void violation(std::string_view invariant, const std::string& what);

    World& world_;
    std::optional<ha::Record> record_{};
    bool deleted_ = false;  ///< by an operator, and not written since
    ha::Epoch last_epoch_ = 0;
    std::map<ha::Epoch, std::string> holder_of_{};
    std::map<ha::Epoch, std::pair<pg::Timeline, pg::Lsn>> beginning_of_{};
    /// The last commit of each branch that a client was told of, and that must not be lost.
    std::map<std::uint64_t, pg::Lsn> kept_{};
    /// The same, whatever the mode: what a published set vouches for.
    std::map<std::uint64_t, pg::Lsn> told_{};
};

}  // namespace howdah::sim
