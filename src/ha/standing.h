#pragma once

#include <string>

#include "base/result.h"
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
    bool holds = false;              ///< "I hold", inside its term
    bool may_lead = true;  ///< no nofailover tag, not quarantined, PostgreSQL runs as standby
    pg::Timeline timeline = 0;
    pg::Lsn received{}, replayed{};
};

std::string render(const Standing& standing);  ///< one JSON object
/// Errors: Errc::corrupt.
Result<Standing> parse_standing(const std::string& json);

}  // namespace howdah::ha
