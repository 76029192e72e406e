#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dcs/kv.h"

// What etcd's JSON gateway (3.4 and later: /v3) takes and gives. Source: etcd docs, "gRPC gateway";
// recorded answers of 3.4.23 in etcd_json_test.cpp. Keys and values are base64, 64-bit numbers are
// strings.

namespace howdah::dcs::etcd {

std::string render_range(const std::string& prefix, bool stale_is_fine);
std::string render_txn(const Txn& txn);
std::string render_grant(Seconds ttl);
std::string render_lease(LeaseId id);
std::string render_compaction(Revision revision);
std::string render_watch(const std::string& prefix, Revision from);
/// A linearizable read of next to nothing: it proves that the endpoint reaches a quorum.
std::string render_probe();

/// Errors of all: Errc::unavailable when the answer is not what etcd would say.
Result<Snapshot> parse_range(std::string_view body);
Result<TxnAnswer> parse_txn(std::string_view body);
Result<Lease> parse_grant(std::string_view body);
/// Errors: Errc::not_found when the lease is gone.
Result<> parse_keep_alive(std::string_view body);

/// Of the answer to /maintenance/status.
Result<std::int64_t> parse_db_size(std::string_view body);
/// --quota-backend-bytes where nobody sets it; no answer tells it. Source: etcd docs, "System
/// limits".
inline constexpr std::int64_t default_quota = 2LL << 30;

struct WatchMessage {
    Revision revision = 0;  ///< of the store, when it says; 0 otherwise
    bool cancelled = false;
    bool compacted = false;
    std::string reason{};
    std::vector<Event> events{};
};
Result<WatchMessage> parse_watch(std::string_view object);

/// Cuts the first whole JSON object off `text`, or nothing while it is incomplete.
std::optional<std::string> cut_object(std::string& text);

/// What a status other than 200 means. "needs a token" is told by needs_login.
Error parse_error(int status, std::string_view body);
bool needs_login(std::string_view body);
/// "required revision has been compacted": somebody was there before.
bool says_compacted(const Error& error);

}  // namespace howdah::dcs::etcd
