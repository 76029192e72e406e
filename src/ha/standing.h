#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ha/local.h"
#include "ha/record.h"
#include "pg/lsn.h"

namespace howdah::ha {

/// What a member tells a candidate that is about to claim (safety-model.md, L6), and a switchover's
/// source.
struct Standing {
    Uuid uuid{};
    std::string name{};
    Epoch stored_epoch = 0;
    std::int64_t seen_revision = 0;  ///< highest revision of the record that it has seen
    /// Of the newest record that it has seen and kept on disk (N8).
    Epoch seen_epoch = 0;
    std::uint64_t seen_sync_version = 0;
    std::optional<Record> lost{};  ///< that record, where the store shows an older one or none
    bool holds = false;            ///< "I hold", inside its term
    bool may_lead = true;       ///< no nofailover tag, not quarantined, PostgreSQL runs as standby
    int failover_priority = 1;  ///< its tag
    pg::Timeline timeline = 0;
    pg::Lsn received{}, replayed{};
    /// A holder's word for members that want a new copy (Member::copy_order): no commit counts on
    /// them, and none will before they say otherwise (N7).
    std::vector<std::string> not_counted{};
    std::string streams_from{};       ///< name of the member that it receives WAL from, or empty
    std::uint64_t receiver_port = 0;  ///< its end of that connection; 0: not known
};

/// The member's own agent says that this walsender of `primary` serves its walreceiver (N17): by
/// the port of the connection or, where something between changes ports, by its slot.
bool confirms(const Standing& standing, const std::string& primary, const Walsender& walsender);

std::string render(const Standing& standing);  ///< one JSON object
/// Errors: Errc::corrupt.
Result<Standing> parse_standing(const std::string& json);

}  // namespace howdah::ha
