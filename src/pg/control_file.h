#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "pg/lsn.h"

namespace howdah::pg {

/// What global/pg_control says at places that are the same in PostgreSQL 11 to 18.
/// Source: PostgreSQL's catalog/pg_control.h.
struct ControlFile {
    std::uint64_t system_id = 0;
    std::uint32_t control_version = 0;  ///< 1300 for PostgreSQL 13 to 16
    std::uint32_t catalog_version = 0;
    Lsn checkpoint{};  ///< start of the latest checkpoint
    Lsn redo{};        ///< where recovery from it would begin
    Timeline timeline = 0;

    /// Errors: Errc::corrupt if no checksum fits, as when PostgreSQL was just writing it: read
    /// again.
    static Result<ControlFile> parse(std::span<const std::byte> file);
};

/// Makes a restored control file useless for a start without backup_label, as pgBackRest does
/// since 2.51: its checkpoint becomes 0/DEAD, with a checksum that fits. Errors: those of parse().
Result<> invalidate_checkpoint(std::span<std::byte> file);

}  // namespace howdah::pg
