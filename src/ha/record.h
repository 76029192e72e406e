#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/instant.h"
#include "base/result.h"
#include "ha/sync.h"
#include "pg/lsn.h"

namespace howdah::ha {

/// Fencing number of one leadership term; never reused (safety-model.md, section 1).
using Epoch = std::uint64_t;
/// Random identity of a member (its state directory) or of an agent's run: 32 hexadecimal digits.
using Uuid = std::string;

enum class RecordState : std::uint8_t { claimed, primary, handover, released };

/// Where the WAL of one epoch begins, as its primary told: what orders two histories when their
/// LSNs alone can't (safety-model.md, section 5, step 4).
struct EpochStart {
    Epoch epoch = 0;
    pg::Timeline timeline = 0;
    pg::Lsn begin{};  ///< where the timeline branched off; 0 for the first
    bool operator==(const EpochStart&) const = default;
};

/// Who reached `primary` last. Every write of another copies it.
struct Promoted {
    Uuid uuid{};
    Epoch epoch = 0;
    pg::Timeline timeline = 0;
    bool operator==(const Promoted&) const = default;
};

/// The greatest timeline number that a claimer has taken for its promotion, and in which epoch.
/// PostgreSQL numbers timelines on each server alone; a number that is written here first is opened
/// once (N1). Every write of another copies it.
struct Reserved {
    Epoch epoch = 0;
    pg::Timeline timeline = 0;
    bool operator==(const Reserved&) const = default;
};

/// Value of the key `<namespace>/<scope>/howdah` (safety-model.md, section 1).
struct Record {
    Epoch epoch = 0;
    Uuid holder{};
    std::string holder_name{};  ///< the label that the `leader` key shows
    Uuid incarnation{};
    std::uint64_t seq = 0;  ///< grows by one with every renewal
    Millis ttl{};           ///< T
    RecordState state = RecordState::claimed;
    Uuid handover_to{};              ///< only with RecordState::handover
    std::vector<Uuid> claimers{};    ///< who may claim; sorted
    std::uint64_t set_version = 0;   ///< version of `claimers`
    std::uint64_t sync_version = 0;  ///< version of `sync` and of the `/sync` key
    SyncSet sync{};                  ///< the published sync set
    Promoted promoted{};
    EpochStart last_start{};  ///< of the last epoch that showed its timeline, copied by every claim
    Reserved reserved{};
    std::string system_id{};
    /// Of this epoch's primary. Set while still `claimed`: it has promoted and standbys may follow,
    /// but the sync barrier is not passed yet.
    pg::Timeline timeline = 0;
    pg::Lsn lsn{};  ///< with a timeline: where that began; released, handover: WAL end
    /// The cluster is paused: the holder's PostgreSQL runs without a deadline, so that its silence
    /// proves nothing (N13).
    bool paused = false;
    std::int64_t lease = 0;  ///< the lease that this write attached to `leader`
    bool operator==(const Record&) const = default;
};

/// A primary that others may stream from: `primary`, or `claimed` with a timeline.
bool may_be_followed(const Record& record);

/// `record` shows what was committed after `seen`: within a term every set only grows in version.
bool is_later(const Record& record, const Record& seen);
/// The store has lost `seen`, or what it said of the sync set, when it shows `record` after it
/// (L12).
bool is_older(const Record& record, const Record& seen);

/// Errors: Errc::corrupt with the field's name; Errc::unsafe when a newer Howdah wrote it in a
/// format that this one must not act on.
Result<Record> parse_record(const std::string& json);
std::string render(const Record& record);
std::string_view name_of(RecordState state);

/// They differ in `seq` and `lease` alone.
bool is_renewal(const Record& before, const Record& now);

struct Sighting;
/// As render(). `before` is a version that was rendered here: a renewal of it has its text but for
/// two numbers.
std::string render_after(const Sighting& before, const Record& record);

/// What the store held under the two keys of the record at one moment.
struct Sighting {
    std::int64_t revision = 0;         ///< mod_revision of `howdah`; 0: that key is absent
    std::string value{};               ///< exact text of `howdah`
    std::int64_t leader_revision = 0;  ///< mod_revision of `leader`; 0: absent
    std::string leader{};              ///< value of `leader`
    std::int64_t leader_lease = 0;
    std::optional<Record> record{};  ///< `value` parsed; nullopt when absent or not understood

    /// `howdah` holds `text` as of the version `at`. When that is a renewal of what is known, two
    /// numbers are read and nothing else, for all members read every renewal.
    void read(std::int64_t at, const std::string& text);

    bool absent() const { return revision == 0; }
    /// `leader` was written together with `howdah`.
    bool intact() const { return revision != 0 && leader_revision == revision; }
    bool bare() const { return leader_revision == 0; }
    /// Somebody else wrote `leader`: a Patroni term, or an operator's hand.
    bool foreign() const { return leader_revision != 0 && leader_revision != revision; }
    bool same_version(const Sighting& other) const {
        return revision == other.revision && value == other.value;
    }
    bool operator==(const Sighting&) const = default;
};

/// Why nobody can go on from what stands under the two keys, not even by waiting: a record that
/// can't be read, or a leader key that never expires. Empty: they are in order, absent or a Patroni
/// leader's.
std::string damage_of(const Sighting& seen);

}  // namespace howdah::ha
