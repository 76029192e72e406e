#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/instant.h"
#include "base/result.h"
#include "io/task.h"

namespace howdah::dcs {

/// The store's count of committed changes; a key's `mod_revision` is the one that wrote it last.
using Revision = std::int64_t;
using LeaseId = std::int64_t;  ///< 0: none

struct KeyValue {
    std::string key{};
    std::string value{};
    Revision create_revision = 0;
    Revision mod_revision = 0;
    LeaseId lease = 0;
    bool operator==(const KeyValue&) const = default;
};

/// All keys under a prefix at one revision.
struct Snapshot {
    Revision revision = 0;
    std::uint64_t cluster_id = 0;
    std::vector<KeyValue> keys{};  ///< sorted by key
};

struct Compare {
    enum class Field : std::uint8_t { mod_revision, create_revision, value };
    std::string key{};
    Field field{};
    Revision revision = 0;  ///< for the two revisions; create_revision 0 says "absent"
    std::string value{};    ///< for Field::value

    static Compare unchanged(const KeyValue& seen) {
        return {.key = seen.key, .field = Field::mod_revision, .revision = seen.mod_revision};
    }
    static Compare absent(std::string key) {
        return {.key = std::move(key), .field = Field::create_revision};
    }
    static Compare equals(std::string key, std::string value) {
        return {.key = std::move(key), .field = Field::value, .value = std::move(value)};
    }
};

struct Put {
    std::string key{};
    std::string value{};
    LeaseId lease = 0;
};
struct Delete {
    std::string key{};
};
struct Get {
    std::string key{};
};
using Operation = std::variant<Put, Delete, Get>;

/// Every compare holds: `then`, else `otherwise`; in one step.
struct Txn {
    std::vector<Compare> when{};
    std::vector<Operation> then{};
    std::vector<Operation> otherwise{};
};

struct TxnAnswer {
    bool succeeded = false;
    Revision revision = 0;
    std::uint64_t cluster_id = 0;
    std::vector<KeyValue> found{};  ///< what the Gets of the branch that ran found, in order
};

struct Event {
    bool deleted = false;
    KeyValue kv{};  ///< of a deletion: the key and mod_revision only
};

struct Lease {
    LeaseId id = 0;
    Seconds ttl{};  ///< as granted, which may be more than asked for
};

/// A stream of changes under a prefix.
class Watch {
public:
    virtual ~Watch() = default;
    /// The next changes in order of revision, one or more. A lost connection is mended unseen while
    /// the store still has what was missed. Errors: Errc::conflict when it doesn't (compaction):
    /// read again and watch anew; Errc::unavailable when no endpoint answers; Errc::cancelled.
    virtual io::Task<Result<std::vector<Event>>> next() = 0;
};

struct Space {
    std::int64_t used = 0;
    std::int64_t limit = 0;
};

/// How long to try. `hedge` after the first sending without an answer, the same request goes to
/// another endpoint as well (only one transaction can commit, since its compares fail for the
/// second); at `total` the call gives up. Zero hedge: one endpoint after the other, sharing the
/// time.
struct Patience {
    Nanos total = Seconds(2);
    Nanos hedge{};
};

/// The key-value interface behind which stores live (etcd now). Its model is dcs/fake; one contract
/// test, dcs/kv_contract.h, runs on both. Not thread-safe: one instance a thread.
///
/// Errors of all calls: Errc::unavailable (no endpoint gave an answer; of a write: unknown whether
/// it happened), Errc::timeout (same, at the end of the patience), Errc::not_found (the lease named
/// is gone; nothing was written), Errc::invalid (refused for good: authentication, too large),
/// Errc::cancelled.
class KeyValueStore {
public:
    virtual ~KeyValueStore() = default;

    /// All keys that begin with `prefix`. Linearizable unless `stale_is_fine`.
    virtual io::Task<Result<Snapshot>> get(std::string prefix, bool stale_is_fine, Patience) = 0;
    virtual io::Task<Result<TxnAnswer>> commit(Txn, Patience) = 0;
    virtual io::Task<Result<Lease>> grant(Seconds ttl, Patience) = 0;
    virtual io::Task<Result<>> keep_alive(LeaseId, Patience) = 0;
    virtual io::Task<Result<>> revoke(LeaseId, Patience) = 0;
    /// Forgets what keys were before `revision`. Already forgotten is no error. Errors:
    /// Errc::conflict for a revision that has not been reached.
    virtual io::Task<Result<>> compact(Revision revision, Patience) = 0;
    /// Bytes that the store's data take on disk, and where it stops taking writes (as far as that
    /// can be known).
    virtual io::Task<Result<Space>> space(Patience) = 0;
    /// Changes with a revision of `from` or later.
    virtual std::unique_ptr<Watch> watch(std::string prefix, Revision from) = 0;
};

}  // namespace howdah::dcs
