#include "instance/local/pg_tools.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <sstream>

namespace howdah::instance {
namespace {

constexpr Nanos control_limit = Seconds(10);
constexpr Nanos waldump_limit = Seconds(60);
constexpr std::uint64_t short_header = 24;
constexpr std::uint64_t long_header = 40;

template <class T>
T number_of(std::string_view text) {
    T value{};
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

pg::Lsn lsn_of(std::string_view text) {
    return pg::Lsn::parse(text).value_or(pg::Lsn{});
}

/// The LSN that follows the first `mark` in `text`.
pg::Lsn lsn_after(std::string_view text, std::string_view mark) {
    const auto at = text.find(mark);
    if (at == std::string_view::npos) {
        return {};
    }
    const auto rest = text.substr(at + mark.size());
    const auto end = rest.find_first_not_of("0123456789ABCDEFabcdef/");
    return lsn_of(rest.substr(0, end));
}

std::string last_lines(const std::string& text) {
    std::istringstream lines(text);
    std::vector<std::string> all;
    for (std::string line; std::getline(lines, line);) {
        if (!line.empty()) {
            all.push_back(line);
        }
    }
    std::string out;
    for (auto i = all.size() > 3 ? all.size() - 3 : 0; i < all.size(); ++i) {
        out += (out.empty() ? "" : " | ") + all[i];
    }
    return out;
}

}  // namespace

pg::Lsn end_of_record(pg::Lsn start, std::uint32_t length, const Control& control) {
    const auto page = std::uint64_t{control.wal_block_bytes};
    const auto header_at = [&](std::uint64_t at) {
        return at % control.wal_segment_bytes == 0 ? long_header : short_header;
    };
    auto at = start.bytes();
    auto left = std::uint64_t{length};
    while (true) {
        if (at % page == 0) {
            at += header_at(at);
        }
        const auto room = page - at % page;
        if (left <= room) {
            at += left;
            break;
        }
        left -= room;
        at += room;
    }
    return pg::Lsn((at + 7) / 8 * 8);
}

pg::Lsn before_page_header(pg::Lsn lsn, const Control& control) {
    const auto page = lsn.bytes() / control.wal_block_bytes * control.wal_block_bytes;
    const auto header = page % control.wal_segment_bytes == 0 ? long_header : short_header;
    return lsn.bytes() - page == header ? pg::Lsn(page) : lsn;
}

WalEnd parse_wal_end(const std::string& errors) {
    if (const auto end = lsn_after(errors, "invalid record length at "); end != pg::Lsn{}) {
        return {.kind = WalEnd::Kind::at, .lsn = end};
    }
    if (const auto last = lsn_after(errors, "error in WAL record at "); last != pg::Lsn{}) {
        return {.kind = WalEnd::Kind::after_record, .lsn = last};
    }
    if (errors.empty() || errors.find("could not find file") != std::string::npos) {
        return {.kind = WalEnd::Kind::after_last, .lsn = {}};
    }
    return {};
}

Result<pg::Lsn> parse_last_record_end(const std::string& listing, const Control& control) {
    std::istringstream lines(listing);
    std::string last;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("rmgr: ")) {
            last = line;
        }
    }
    constexpr std::string_view length_mark = "len (rec/tot):";
    const auto lengths = last.find(length_mark);
    const auto total =
        lengths == std::string::npos ? lengths : last.find('/', lengths + length_mark.size());
    const auto start = lsn_after(last, " lsn: ");
    if (last.empty() || total == std::string::npos || start == pg::Lsn{}) {
        return fail(Errc::not_found, "pg_waldump: " + last_lines(listing));
    }
    if (last.find("desc: SWITCH") != std::string::npos) {
        const auto segment = std::uint64_t{control.wal_segment_bytes};
        return pg::Lsn((start.bytes() / segment + 1) * segment);
    }
    const auto digits = last.find_first_not_of(' ', total + 1);
    return end_of_record(start, number_of<std::uint32_t>(std::string_view(last).substr(digits)),
                         control);
}

io::Task<Result<Control>> PgTools::control() const {
    HD_CO_TRY(const auto output,
              co_await io::run(clock_, {bin_dir_ + "/pg_controldata", "-D", data_dir_},
                               {.environment = {"LC_ALL=C"}}, control_limit));
    if (output.exit_code != 0) {
        co_return fail(Errc::corrupt, "pg_controldata: " + last_lines(output.text));
    }
    co_return pg::parse_control(output.text);
}

std::string wal_segment_name(pg::Timeline timeline, std::uint64_t number,
                             std::uint32_t segment_bytes) {
    const auto per_id = (std::uint64_t{1} << 32U) / segment_bytes;
    return fmt::format("{:08X}{:08X}{:08X}", timeline, number / per_id, number % per_id);
}

/// Where the row of segments on disk that begins with the one of `start` ends; `start`'s own begin:
/// no such one.
pg::Lsn PgTools::end_of_segments(const Control& control, pg::Timeline timeline,
                                 pg::Lsn start) const {
    auto number = start.bytes() / control.wal_segment_bytes;
    while (::access((data_dir_ + "/pg_wal/" +
                     wal_segment_name(timeline, number, control.wal_segment_bytes))
                        .c_str(),
                    R_OK) == 0) {
        ++number;
    }
    return pg::Lsn(number * control.wal_segment_bytes);
}

/// First and last segment are named: else pg_waldump learns the segments' size from any file of
/// pg_wal, be it one that has no header yet.
io::Task<Result<std::string>> PgTools::waldump(Control control, pg::Timeline timeline,
                                               pg::Lsn start, pg::Lsn stop, bool quiet,
                                               int count) const {
    std::vector<std::string> argv{bin_dir_ + "/pg_waldump",
                                  "-p",
                                  data_dir_ + "/pg_wal",
                                  "-t",
                                  std::to_string(timeline),
                                  "-s",
                                  start.text(),
                                  "-e",
                                  stop.text()};
    if (quiet) {
        argv.emplace_back("-q");
    }
    if (count > 0) {
        argv.insert(argv.end(), {"-n", std::to_string(count)});
    }
    const auto bytes = std::uint64_t{control.wal_segment_bytes};
    for (const auto at : {start.bytes(), stop.bytes() - 1}) {
        argv.push_back(wal_segment_name(timeline, at / bytes, control.wal_segment_bytes));
    }
    HD_CO_TRY(auto output, co_await io::run(clock_, std::move(argv), {.environment = {"LC_ALL=C"}},
                                            waldump_limit));
    co_return std::move(output.text);
}

io::Task<Result<pg::Lsn>> PgTools::end_from(Control control, pg::Timeline timeline,
                                            pg::Lsn start) const {
    // pg_waldump waits 5 s for a segment that isn't there (measured): it is told where to stop.
    const auto stop = end_of_segments(control, timeline, start);
    if (stop <= start) {
        co_return fail(Errc::not_found,
                       fmt::format("no segment of timeline {} holds {}", timeline, start.text()));
    }
    HD_CO_TRY(const auto errors, co_await waldump(control, timeline, start, stop, true, 0));
    const auto end = parse_wal_end(errors);
    if (end.kind == WalEnd::Kind::at) {
        co_return before_page_header(end.lsn, control);
    }
    if (end.kind == WalEnd::Kind::nothing_after_start) {
        co_return fail(Errc::not_found, last_lines(errors));
    }
    const bool one = end.kind == WalEnd::Kind::after_record;
    HD_CO_TRY(const auto listing,
              co_await waldump(control, timeline, one ? end.lsn : start, stop, false, one ? 1 : 0));
    co_return parse_last_record_end(listing, control);
}

io::Task<Result<pg::Lsn>> PgTools::end_of_wal(Control control, pg::Timeline timeline,
                                              std::vector<pg::Lsn> starts) const {
    Error last{Errc::not_found, "no place to begin", {}};
    for (const auto& start : starts) {
        if (start == pg::Lsn{}) {
            continue;
        }
        auto end = co_await end_from(control, timeline, start);
        if (end) {
            co_return end;
        }
        last = std::move(end).error();
    }
    co_return std::unexpected(std::move(last).within("end of WAL"));
}

io::Task<Result<>> PgTools::run(std::string program, std::vector<std::string> arguments,
                                io::RunOptions options, Nanos limit) const {
    arguments.insert(arguments.begin(), bin_dir_ + "/" + program);
    options.environment.emplace_back("LC_ALL=C");
    HD_CO_TRY(const auto output,
              co_await io::run(clock_, std::move(arguments), std::move(options), limit));
    if (output.exit_code != 0) {
        co_return fail(Errc::io,
                       program + ": " +
                           (output.text.empty() ? "exit code " + std::to_string(output.exit_code)
                                                : last_lines(output.text)));
    }
    co_return Result<>{};
}

}  // namespace howdah::instance
