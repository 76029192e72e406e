#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "io/child.h"
#include "io/task.h"
#include "pg/control_data.h"

namespace howdah::instance {

using Control = pg::ControlFile;

/// Where a record that begins at `start` and is `length` bytes long ends: page headers are skipped,
/// and the next record begins on a multiple of 8. Source: PostgreSQL's access/xlog_internal.h (24
/// bytes a page, 40 on the first one of a segment; the same in 13 to 18).
pg::Lsn end_of_record(pg::Lsn start, std::uint32_t length, const Control& control);

/// pg_waldump names the place after a page's header where the server's flush position is the page's
/// start.
pg::Lsn before_page_header(pg::Lsn lsn, const Control& control);

/// Name of segment `number` (its start divided by the size) in pg_wal.
std::string wal_segment_name(pg::Timeline timeline, std::uint64_t number,
                             std::uint32_t segment_bytes);

/// What pg_waldump says at the end of valid WAL (15; the same words but for the part after the
/// second colon in 13 to 18):
///
///     error in WAL record at R: invalid record length at E: wanted 24, got 0     zeros after the
///     end: E error in WAL record at R: unexpected pageaddr A in log segment S, offset O a recycled
///     page: end of R error in WAL record at R: invalid magic number 0000 in log segment S ...
///     zeros from a page on: end of R could not find file "S": No such file or directory no next
///     segment: R unknown could not find a valid record after M nothing after the start M nothing
///     at all                                                             valid up to the end given
///     (-e)
struct WalEnd {
    enum class Kind { at, after_record, after_last, nothing_after_start };
    Kind kind = Kind::nothing_after_start;
    pg::Lsn lsn{};  ///< the end itself, or the last record's start
};
WalEnd parse_wal_end(const std::string& waldump_errors);
/// Start and length of the last record in pg_waldump's listing; the segment's end for a SWITCH.
/// Errors: Errc::not_found: there is none.
Result<pg::Lsn> parse_last_record_end(const std::string& listing, const Control& control);

/// PostgreSQL's programs on one data directory.
class PgTools {
public:
    PgTools(io::Clock& clock, std::string bin_dir, std::string data_dir)
        : clock_(clock), bin_dir_(std::move(bin_dir)), data_dir_(std::move(data_dir)) {}

    io::Task<Result<Control>> control() const;

    /// The end of valid WAL on `timeline`, looked for from each of `starts` until one has a record
    /// after it. Errors: Errc::not_found.
    io::Task<Result<pg::Lsn>> end_of_wal(Control control, pg::Timeline timeline,
                                         std::vector<pg::Lsn> starts) const;

    /// Runs `program` of bin_dir to its end. Errors: Errc::io with the last lines of its output.
    io::Task<Result<>> run(std::string program, std::vector<std::string> arguments,
                           io::RunOptions options, Nanos limit) const;

    const std::string& bin_dir() const { return bin_dir_; }

private:
    io::Task<Result<std::string>> waldump(Control control, pg::Timeline timeline, pg::Lsn start,
                                          pg::Lsn stop, bool quiet, int count) const;
    pg::Lsn end_of_segments(const Control& control, pg::Timeline timeline, pg::Lsn start) const;
    io::Task<Result<pg::Lsn>> end_from(Control control, pg::Timeline timeline, pg::Lsn start) const;

    io::Clock& clock_;
    std::string bin_dir_, data_dir_;
};

}  // namespace howdah::instance
