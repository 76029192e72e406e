#pragma once

#include <string>

#include "pg/lsn.h"

namespace howdah::pg {

/// What pg_control says (pg_controldata).
struct ControlData {
    std::string state{};  ///< PostgreSQL's words: "in production", "shut down", ...
    std::string system_id{};
    Timeline timeline = 0;  ///< of the latest checkpoint
    Lsn checkpoint{};       ///< latest checkpoint location (its start)
    Lsn redo{};
    Lsn min_recovery{};
    Timeline min_recovery_timeline = 0;
    bool data_checksums = false;
    bool wal_log_hints = false;
};

}  // namespace howdah::pg
