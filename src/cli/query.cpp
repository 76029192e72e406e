#include "cli/query.h"

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "api/python_json.h"
#include "cli/ask.h"
#include "cli/local_time.h"
#include "cli/pick_members.h"
#include "cli/pyyaml.h"
#include "cli/read_cluster.h"
#include "cli/table.h"
#include "pgclient/blocking.h"

namespace howdah::cli {

namespace {

using Json = nlohmann::ordered_json;

constexpr Seconds connect_limit{5};
constexpr std::chrono::hours query_limit{24 * 365};

struct Rows {
    std::vector<std::string> headers{};  ///< none: one row that tells what went wrong
    std::vector<std::vector<Json>> rows{};
};

pgclient::Keywords keywords_for(const ha::Member::Address& to, const QueryCommand& command,
                                const std::string& password) {
    return {{"host", to.host},
            {"port", std::to_string(to.port)},
            {"application_name", "howdah query"},
            {"dbname", command.database},
            {"user", command.user},
            {"password", password}};
}

/// As psycopg2 gives it to Python: numbers and booleans by type, all else as text.
Json value_of(const std::optional<std::string>& value, std::uint32_t type) {
    constexpr std::uint32_t bool_type = 16, int8 = 20, int2 = 21, int4 = 23, float4 = 700,
                            float8 = 701;
    if (!value) {
        return {};
    }
    const auto& text = *value;
    switch (type) {
        case bool_type:
            return text == "t";
        case int8:
        case int2:
        case int4:
        case float4:
        case float8: {
            auto number = Json::parse(text, nullptr, false);
            return number.is_number() ? number : Json(text);
        }
        default:
            return text;
    }
}

/// One row in place of an answer.
Rows told(std::vector<Json> row) {
    return {.headers = {}, .rows = {std::move(row)}};
}

Rows rows_of(const pgclient::Answer& answer) {
    Rows out;
    for (const auto& column : answer.columns) {
        out.headers.push_back(column.name);
    }
    for (const auto& row : answer.rows) {
        auto& line = out.rows.emplace_back();
        for (std::size_t i = 0; i < row.size(); ++i) {
            line.push_back(value_of(row[i], answer.columns[i].type));
        }
    }
    return out;
}

Result<Rows> ask_once(const QueryCommand& command, const config::AgentConfig& config,
                      const std::string& sql, const std::string& password) {
    HD_TRY(const auto name, cluster_name(command.cluster, config));
    HD_TRY(const auto cluster, read_cluster(config, name));
    const auto nobody = fmt::format("No connection to {} is available",
                                    command.member.empty()
                                        ? "role " + (command.role.empty() ? "leader" : command.role)
                                        : "member " + command.member);
    const auto member = one_member(cluster, command.role, command.member);
    if (!member && member.error().code != Errc::not_found) {
        return std::unexpected(member.error());
    }
    const auto address = member ? member->postgres_address() : fail(Errc::not_found, "");
    if (!address) {
        return told({local_time(0), nobody});
    }
    auto connection = pgclient::BlockingConnection::open(keywords_for(*address, command, password),
                                                         connect_limit);
    if (!connection) {
        fmt::print(stderr, "warning: {}\n", connection.error().message);
        return told({local_time(0), nobody});
    }
    const auto answer = connection->ask(sql, {}, query_limit);
    if (answer) {
        return rows_of(*answer);
    }
    const auto& error = answer.error();
    fmt::print(stderr, "warning: {}\n", error.message);
    return told({local_time(0), fmt::format("ERROR, SQLSTATE: {}",
                                            error.sqlstate.empty() ? "?" : error.sqlstate)});
}

/// Python's str() of a value.
std::string cell(const Json& value) {
    return value.is_null()      ? "None"
           : value.is_boolean() ? (value.get<bool>() ? "True" : "False")
           : value.is_string()  ? value.get<std::string>()
                                : value.dump();
}

std::string separated(const Rows& answer, const std::string& delimiter) {
    std::string out;
    const auto add = [&](const auto& cells, const auto& text_of) {
        const char* gap = "";
        for (const auto& value : cells) {
            out += gap + text_of(value);
            gap = delimiter.c_str();
        }
        out += '\n';
    };
    if (!answer.headers.empty()) {
        add(answer.headers, [](const std::string& text) { return text; });
    }
    for (const auto& row : answer.rows) {
        add(row, cell);
    }
    return out;
}

Json documents(const Rows& answer) {
    Json out = Json::array();
    for (const auto& row : answer.rows) {
        Json item = Json::object();
        for (std::size_t i = 0; i < row.size(); ++i) {
            item[i < answer.headers.size() ? answer.headers[i] : std::to_string(i)] = row[i];
        }
        out.push_back(std::move(item));
    }
    return out;
}

std::string rendered(const Rows& answer, Format format, const std::string& delimiter) {
    if (format == Format::tsv) {
        return separated(answer, delimiter);
    }
    if (format == Format::json) {
        return api::python_json(documents(answer)) + "\n";
    }
    if (format == Format::yaml) {
        return yaml_block(documents(answer)) + "\n";
    }
    std::vector<Column> columns;
    for (const auto& header : answer.headers) {
        columns.push_back({.header = header});
    }
    std::vector<std::vector<std::string>> rows;
    for (const auto& row : answer.rows) {
        columns.resize(std::max(columns.size(), row.size()));
        auto& line = rows.emplace_back();
        for (const auto& value : row) {
            line.push_back(cell(value));
        }
    }
    return draw_table("", columns, rows);
}

/// Without echo where the input is a terminal.
Result<std::string> ask_password() {
    termios before{};
    const bool terminal = ::tcgetattr(STDIN_FILENO, &before) == 0;
    if (terminal) {
        auto silent = before;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        (void)::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }
    auto password = ask("Password", std::cin, std::cout);
    if (terminal) {
        (void)::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        std::cout << "\n";
    }
    return password;
}

Result<std::string> statement_of(const QueryCommand& command) {
    if (command.sql.empty() == command.file.empty()) {
        return fail(Errc::invalid, command.sql.empty()
                                       ? "You need to specify either --command or --file"
                                       : "--file and --command are mutually exclusive options");
    }
    if (!command.sql.empty()) {
        return command.sql;
    }
    std::ifstream in(command.file);
    std::ostringstream text;
    if (!in || !(text << in.rdbuf())) {
        return fail(Errc::not_found, command.file + ": can't be read", "-f names a file with SQL");
    }
    return text.str();
}

}  // namespace

Result<> run(const QueryCommand& command, const config::AgentConfig& config) {
    HD_TRY(const auto format, parse_format(command.format));
    HD_TRY(const auto sql, statement_of(command));
    std::string password;
    if (command.password) {
        HD_TRY(password, ask_password());
    }
    for (bool first = true;; first = false) {
        HD_TRY(const auto answer, ask_once(command, config, sql, password));
        if (!first && ::isatty(STDOUT_FILENO) == 1) {
            std::cout << "\x1b[H\x1b[2J";
        }
        std::cout << rendered(answer, format, command.delimiter) << std::flush;
        if (!command.watch_seconds) {
            return {};
        }
        std::this_thread::sleep_for(std::chrono::duration<double>(*command.watch_seconds));
    }
}

}  // namespace howdah::cli
