#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/result.h"
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

/// All of it that anybody needs: the typed part, and the settings a standby must not fall below.
struct ControlFile {
    ControlData data{};
    std::map<std::string, std::string> settings{};  ///< max_connections -> 100, ...
    std::uint32_t wal_segment_bytes = 16U << 20U;
    std::uint32_t wal_block_bytes = 8192;
};

/// Output of pg_controldata (13 to 18) with LC_ALL=C. Errors: Errc::corrupt with its last line.
Result<ControlFile> parse_control(const std::string& text);

}  // namespace howdah::pg
