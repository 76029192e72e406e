#include "cli/table.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "api/overview.h"
#include "api/python_json.h"
#include "cli/pyyaml.h"
#include "config/dynamic_check.h"

namespace howdah::cli {

namespace {

using Json = nlohmann::ordered_json;

/// One row by column name; null: empty.
using Row = std::map<std::string, Json>;

struct ColumnKind {
    std::string name{};
    std::string pretty_header{};  ///< differs for the two lags
    bool right = false;
    bool optional = false;  ///< only where some row has it, or with -e
};

std::vector<ColumnKind> columns_of(bool classic) {
    std::vector<ColumnKind> out{{"Cluster"}, {"Member"}, {"Host"},
                                {"Role"},    {"State"},  {.name = "TL", .right = true}};
    if (classic) {
        out.push_back({.name = "Lag in MB", .right = true});
    } else {
        out.push_back({.name = "Receive LSN", .right = true});
        out.push_back({.name = "Receive Lag", .pretty_header = "Lag", .right = true});
        out.push_back({.name = "Replay LSN", .right = true});
        out.push_back({.name = "Replay Lag", .pretty_header = "Lag", .right = true});
    }
    out.push_back({.name = "Pending restart", .optional = true});
    if (!classic) {
        out.push_back({.name = "Pending restart reason", .optional = true});
    }
    out.push_back({.name = "Scheduled restart", .optional = true});
    out.push_back({.name = "Tags", .optional = true});
    return out;
}

/// "sync_standby" -> "Sync Standby".
std::string titled(std::string role) {
    bool start = true;
    for (char& c : role) {
        c = c == '_' ? ' ' : char(start ? std::toupper(c) : c);
        start = c == ' ';
    }
    return role;
}

Json megabytes(const api::Position& position) {
    // Python rounds halves to even, as nearbyint does by default.
    return position.lsn ? Json(std::llrint(std::nearbyint(double(position.lag_bytes) / 1048576)))
                        : Json();
}

Json lsn_text(const api::Position& position) {
    return position.lsn ? pg::Lsn(*position.lsn).text() : "unknown";
}

std::string restart_reason(const std::string& json) {
    const auto text = [](const Json& v) { return v.is_string() ? v.get<std::string>() : v.dump(); };
    std::string out;
    for (const auto& [parameter, change] : api::object_of(json).items()) {
        out += (out.empty() ? "" : "\n") + parameter + ": " +
               text(change.value("old_value", Json("?"))) + "->" +
               text(change.value("new_value", Json("?")));
    }
    return out;
}

std::string scheduled_restart(const std::string& json) {
    const auto plan = api::object_of(json);
    if (plan.empty()) {
        return {};
    }
    const auto version = plan.value("postgres_version", "");
    return plan.value("schedule", "") + (version.empty() ? "" : " if version < " + version);
}

bool hosts_need_ports(const std::vector<api::MemberView>& members) {
    std::set<std::string> hosts;
    return std::ranges::any_of(members, [&hosts](const api::MemberView& m) {
        return (m.port != 0 && m.port != 5432) || !hosts.insert(m.host).second;
    });
}

void put_positions(Row& row, const api::MemberView& m, bool classic) {
    if (m.leads) {
        return;
    }
    if (classic) {
        row["Lag in MB"] = m.reached.lsn ? megabytes(m.reached) : Json("unknown");
        return;
    }
    // Agents before 4.1 publish only xlog_location (17.8).
    const auto& replayed = m.replayed.lsn ? m.replayed : m.reached;
    row["Receive LSN"] = lsn_text(m.received);
    row["Receive Lag"] = megabytes(m.received);
    row["Replay LSN"] = lsn_text(replayed);
    row["Replay Lag"] = megabytes(replayed);
}

/// Members in the order of a tree, with the depth in it: the leader 0, who follows it 1.
class Tree {
public:
    explicit Tree(const std::vector<api::MemberView>& members) : members_(members) {
        for (const auto& m : members) {
            leader_ = m.leads ? m.name : leader_;
        }
        for (const auto& m : members) {
            if (m.leads) {
                add(m, 0);
            }
        }
        add_followers("", 1);
        for (const auto& m : members) {  // those that follow each other in a ring
            add(m, 1);
        }
    }
    std::vector<std::pair<api::MemberView, std::size_t>> order{};

private:
    /// Whom it follows; empty: nobody that is known, which is shown at the top.
    std::string upstream_of(const api::MemberView& m) const {
        const auto wanted = api::object_of(m.tags_json).value("replicatefrom", Json(""));
        const auto name = wanted.is_string() ? wanted.get<std::string>() : "";
        const bool known =
            name != m.name &&
            std::ranges::find(members_, name, &api::MemberView::name) != members_.end();
        return known ? name : leader_;
    }
    void add(const api::MemberView& m, std::size_t depth) {
        if (seen_.insert(m.name).second) {
            order.emplace_back(m, depth);
            add_followers(m.name, depth + 1);
        }
    }
    void add_followers(const std::string& upstream, std::size_t depth) {
        for (const auto& m : members_) {
            if (!m.leads && upstream_of(m) == upstream) {
                add(m, depth);
            }
        }
    }

    const std::vector<api::MemberView>& members_;
    std::string leader_{};
    std::set<std::string> seen_{};
};

Row row_of(const api::MemberView& m, const std::string& cluster, bool with_port, bool classic) {
    Row row{{"Cluster", cluster}, {"Member", m.name}, {"Role", titled(m.role)}};
    row["Host"] = with_port && m.port != 0 ? m.host + ":" + std::to_string(m.port) : m.host;
    row["State"] = classic ? m.raw_state : m.state;
    row["TL"] = m.timeline != 0 ? Json(m.timeline) : Json();
    put_positions(row, m, classic);
    row["Pending restart"] = m.pending_restart ? "*" : "";
    row["Pending restart reason"] = restart_reason(m.pending_restart_reason_json);
    row["Scheduled restart"] = scheduled_restart(m.scheduled_restart_json);
    if (auto tags = api::object_of(m.tags_json); !tags.empty()) {
        row["Tags"] = std::move(tags);
    }
    return row;
}

const Json& value_at(const Row& row, const std::string& column) {
    static const Json none;
    const auto it = row.find(column);
    return it == row.end() || it->second == "" ? none : it->second;
}

std::string plain(const Json& value) {
    return value.is_null() ? "" : value.is_string() ? value.get<std::string>() : value.dump();
}

/// Lines too long for a table cell are hidden, as patronictl does.
std::string shortened(const std::string& reasons) {
    std::string out;
    for (std::size_t start = 0; start < reasons.size();) {
        const auto end = std::min(reasons.find('\n', start), reasons.size());
        const auto line = reasons.substr(start, end - start);
        out += out.empty() ? "" : "\n";
        out += line.size() <= 50 ? line : line.substr(0, line.find(':')) + ": [hidden - too long]";
        start = end + 1;
    }
    return out;
}

std::string pretty_cell(const Row& row, const ColumnKind& column, bool flow) {
    const auto& value = value_at(row, column.name);
    if (value.is_object() && flow) {
        return yaml_flow(value);
    }
    if (value.is_object()) {
        auto text = yaml_block(value);
        text.pop_back();
        return text;
    }
    return column.name == "Pending restart reason" ? shortened(plain(value)) : plain(value);
}

std::string pretty(const std::vector<ColumnKind>& kinds, const std::vector<Row>& rows,
                   const std::string& title, bool flow = false) {
    std::vector<Column> columns;
    for (const auto& kind : kinds) {
        columns.push_back(
            {kind.pretty_header.empty() ? kind.name : kind.pretty_header, kind.right});
    }
    std::vector<std::vector<std::string>> cells;
    for (const auto& row : rows) {
        auto& line = cells.emplace_back();
        for (const auto& kind : kinds) {
            line.push_back(pretty_cell(row, kind, flow));
        }
    }
    return draw_table(title, columns, cells);
}

std::string tsv(const std::vector<ColumnKind>& kinds, const std::vector<Row>& rows) {
    std::string out;
    for (const auto& kind : kinds) {
        out += (&kind == &kinds.front() ? "" : "\t") + kind.name;
    }
    for (const auto& row : rows) {
        out += '\n';
        for (const auto& kind : kinds) {
            const auto& value = value_at(row, kind.name);
            out += (&kind == &kinds.front() ? "" : "\t") +
                   (value.is_object() ? yaml_flow(value) : plain(value));
        }
    }
    return out + "\n";
}

Json documents(const std::vector<ColumnKind>& kinds, const std::vector<Row>& rows) {
    Json out = Json::array();
    for (const auto& row : rows) {
        Json item = Json::object();
        for (const auto& kind : kinds) {
            if (const auto& value = value_at(row, kind.name); !value.is_null()) {
                item[kind.name] = value;
            }
        }
        out.push_back(std::move(item));
    }
    return out;
}

std::string machine_readable(const std::vector<ColumnKind>& kinds, const std::vector<Row>& rows,
                             Format format) {
    if (format == Format::tsv) {
        return tsv(kinds, rows);
    }
    const auto items = documents(kinds, rows);
    return format == Format::json ? api::python_json(items) + "\n" : yaml_block(items) + "\n";
}

std::string title_of(const ha::Cluster& cluster, const std::string& name, bool classic) {
    if (classic) {
        return " Cluster: " + name + " ";
    }
    const auto id = !cluster.initialize           ? "uninitialized"
                    : cluster.initialize->empty() ? "initializing"
                                                  : *cluster.initialize;
    return " Cluster: " + name + " (" + id + ") ";
}

/// `label: value`, the label right-aligned to 24 columns.
std::string note(const std::string& label, const std::string& value) {
    return std::string(label.size() < 24 ? 24 - label.size() : 0, ' ') + label + ": " + value +
           "\n";
}

std::string footer(const ha::Cluster& cluster) {
    std::string out = api::mode_of(cluster).pause ? " Maintenance mode: on\n" : "";
    // Of a standby it matters when it leads.
    if (const auto* leader = cluster.member(cluster.leader_name());
        leader != nullptr && !leader->archiving_off.empty()) {
        out += " Archiving: off: " + leader->archiving_off + "\n";
    }
    std::set<std::string> refused;
    for (const auto& member : cluster.members) {
        // The same everywhere, as a rule.
        if (!member.settings_refused.empty() && refused.insert(member.settings_refused).second) {
            out +=
                fmt::format(" Settings left out on {}: {}\n", member.name, member.settings_refused);
        }
        if (!member.file_errors.empty()) {
            out += fmt::format(" Wrong in configuration files of {}: {}\n", member.name,
                               member.file_errors);
        }
    }
    const auto& planned = cluster.failover;
    if (!planned.scheduled_at.empty()) {
        out += note("Switchover scheduled at", planned.scheduled_at);
        out += planned.leader.empty() ? "" : note("from", planned.leader);
        out += planned.candidate.empty() ? "" : note("to", planned.candidate);
    }
    return out;
}

/// How much a restore would bring back.
std::string recoverable_note(const ha::Cluster& cluster) {
    const auto* leader = cluster.member(cluster.leader_name());
    return leader == nullptr || leader->recoverable_until == 0
               ? ""
               : fmt::format(
                     " Recoverable until: {:%Y-%m-%d %H:%M:%S} UTC (what was committed "
                     "before is in the archive)\n",
                     fmt::gmtime(std::time_t(leader->recoverable_until)));
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> out;
    std::size_t start = 0;
    for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n', start)) {
        out.push_back(text.substr(start, end - start));
        start = end + 1;
    }
    out.push_back(text.substr(start));
    return out;
}

std::size_t width_of(const std::string& line) {
    return std::size_t(std::ranges::count_if(line, [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string draw_row(const std::vector<std::string>& cells, const std::vector<Column>& columns,
                     const std::vector<std::size_t>& widths) {
    std::vector<std::vector<std::string>> split;
    std::size_t height = 1;
    for (const auto& cell : cells) {
        height = std::max(height, split.emplace_back(lines_of(cell)).size());
    }
    std::string out;
    for (std::size_t line = 0; line < height; ++line) {
        for (std::size_t i = 0; i < cells.size(); ++i) {
            const auto text = line < split[i].size() ? split[i][line] : "";
            const std::string gap(widths[i] - width_of(text), ' ');
            out += "| " + (columns[i].right ? gap + text : text + gap) + " ";
        }
        out += "|\n";
    }
    return out;
}

}  // namespace

Result<Format> parse_format(const std::string& text) {
    static const std::map<std::string, Format> formats{{"pretty", Format::pretty},
                                                       {"tsv", Format::tsv},
                                                       {"json", Format::json},
                                                       {"yaml", Format::yaml},
                                                       {"yml", Format::yaml}};
    const auto it = formats.find(text);
    return it != formats.end() ? Result<Format>(it->second)
                               : fail(Errc::invalid, "format '" + text + "' is unknown",
                                      "one of pretty, tsv, json, yaml");
}

std::string draw_table(const std::string& title, const std::vector<Column>& columns,
                       const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    std::vector<std::string> headers;
    for (const auto& column : columns) {
        widths.push_back(width_of(column.header));
        headers.push_back(column.header);
    }
    bool rules = false;
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            for (const auto& line : lines_of(row[i])) {
                widths[i] = std::max(widths[i], width_of(line));
            }
            rules = rules || row[i].contains('\n');
        }
    }
    std::string rule = "+";
    for (const auto width : widths) {
        rule += std::string(width + 2, '-') + "+";
    }
    auto top = rule;
    const auto shown = title.substr(0, rule.size() - 2);
    top.replace(1, std::min(width_of(shown), rule.size() - 2), shown);
    auto out = top + "\n" + draw_row(headers, columns, widths) + rule + "\n";
    for (const auto& row : rows) {
        out += draw_row(row, columns, widths) + (rules ? rule + "\n" : "");
    }
    return rules ? out : out + rule + "\n";
}

std::string render_list(const ha::Cluster& cluster, const std::string& name, const ListLook& look) {
    const auto members = api::overview(cluster);
    const bool with_port = hosts_need_ports(members);
    std::vector<Row> rows;
    const Tree tree(members);
    for (std::size_t i = 0; i < members.size(); ++i) {
        const auto& [member, depth] =
            look.topology ? tree.order[i] : std::pair{members[i], std::size_t{0}};
        auto& row = rows.emplace_back(row_of(member, name, with_port, look.classic));
        if (depth > 0) {
            row["Member"] = std::string(2 * (depth - 1), ' ') + "+ " + member.name;
        }
    }
    auto kinds = columns_of(look.classic);
    std::erase_if(kinds, [&](const ColumnKind& kind) {
        return kind.optional && !look.extended &&
               std::ranges::all_of(
                   rows, [&kind](const Row& row) { return value_at(row, kind.name).is_null(); });
    });
    if (look.format != Format::pretty) {
        return machine_readable(kinds, rows, look.format);
    }
    kinds.erase(kinds.begin());
    return pretty(kinds, rows, title_of(cluster, name, look.classic), look.topology) +
           footer(cluster) + (look.extended && !look.classic ? recoverable_note(cluster) : "");
}

std::string mixed_note(const ha::Cluster& cluster) {
    const auto& members = cluster.members;
    const bool mixed = std::ranges::any_of(members, &ha::Member::is_patroni) &&
                       !std::ranges::all_of(members, &ha::Member::is_patroni);
    return mixed ? " Mixed with Patroni: only its promises count (one primary as far as its lease "
                   "goes, acknowledged commits as far as its sync mode goes)\n"
                 : "";
}

std::string idle_keys_note(const ha::Cluster& cluster) {
    std::string keys;
    for (const auto& finding : config::check_dynamic_config(api::object_of(cluster.config_json))) {
        keys += (keys.empty() ? "" : ", ") + finding.key;
    }
    return keys.empty()
               ? ""
               : fmt::format(" Not in effect of /config: {} (why: howdah config explain)\n", keys);
}

std::string render_history_table(const ha::Cluster& cluster, Format format) {
    const std::vector<ColumnKind> kinds{{.name = "TL", .right = true},
                                        {.name = "LSN", .right = true},
                                        {"Reason"},
                                        {"Timestamp"},
                                        {"New Leader"}};
    std::vector<Row> rows;
    for (const auto& row : cluster.history) {
        rows.push_back({{"TL", row.parent},
                        {"LSN", row.switch_lsn.bytes()},
                        {"Reason", row.reason},
                        {"Timestamp", row.timestamp},
                        {"New Leader", row.new_leader}});
    }
    return format == Format::pretty ? pretty(kinds, rows, "")
                                    : machine_readable(kinds, rows, format);
}

}  // namespace howdah::cli
