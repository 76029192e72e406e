#include "pg/control_data.h"

#include <charconv>
#include <sstream>
#include <string_view>

namespace howdah::pg {
namespace {

template <class T>
T number_of(std::string_view text) {
    T value{};
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

Lsn lsn_of(std::string_view text) {
    return Lsn::parse(text).value_or(Lsn{});
}

std::string last_line(const std::string& text) {
    std::istringstream lines(text);
    std::string last;
    for (std::string line; std::getline(lines, line);) {
        last = line.empty() ? last : line;
    }
    return last;
}

std::map<std::string, std::string> control_lines(const std::string& text) {
    std::map<std::string, std::string> values;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const auto colon = line.find(':');
        const auto begin = line.find_first_not_of(' ', colon + 1);
        if (colon != std::string::npos && begin != std::string::npos) {
            values[line.substr(0, colon)] = line.substr(begin);
        }
    }
    return values;
}

}  // namespace

Result<ControlFile> parse_control(const std::string& text) {
    auto lines = control_lines(text);
    ControlFile control;
    auto& data = control.data;
    data.state = lines["Database cluster state"];
    data.system_id = lines["Database system identifier"];
    data.timeline = number_of<Timeline>(lines["Latest checkpoint's TimeLineID"]);
    data.checkpoint = lsn_of(lines["Latest checkpoint location"]);
    data.redo = lsn_of(lines["Latest checkpoint's REDO location"]);
    data.min_recovery = lsn_of(lines["Minimum recovery ending location"]);
    data.min_recovery_timeline = number_of<Timeline>(lines["Min recovery ending loc's timeline"]);
    data.data_checksums = number_of<int>(lines["Data page checksum version"]) != 0;
    data.wal_log_hints = lines["wal_log_hints setting"] == "on";
    for (const auto* name : {"max_connections", "max_worker_processes", "max_wal_senders",
                             "max_prepared_xacts", "max_locks_per_xact"}) {
        if (const auto& value = lines[std::string(name) + " setting"]; !value.empty()) {
            const std::string_view key(name);
            control.settings[key == "max_prepared_xacts"   ? "max_prepared_transactions"
                             : key == "max_locks_per_xact" ? "max_locks_per_transaction"
                                                           : name] = value;
        }
    }
    if (data.system_id.empty() || data.state.empty()) {
        return fail(Errc::corrupt, "pg_controldata: " + last_line(text));
    }
    if (const auto bytes = number_of<std::uint32_t>(lines["Bytes per WAL segment"]); bytes > 0) {
        control.wal_segment_bytes = bytes;
    }
    if (const auto bytes = number_of<std::uint32_t>(lines["WAL block size"]); bytes > 0) {
        control.wal_block_bytes = bytes;
    }
    return control;
}

}  // namespace howdah::pg
