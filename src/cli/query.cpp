#include "cli/query.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <termios.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
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

namespace howdah::cli {

namespace {

using Json = nlohmann::ordered_json;
using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
using Answer = std::unique_ptr<PGresult, decltype(&PQclear)>;

struct Rows {
    std::vector<std::string> headers{};  ///< none: one row that tells what went wrong
    std::vector<std::vector<Json>> rows{};
};

Connection connect(const ha::Member::Address& to, const QueryCommand& command,
                   const std::string& password) {
    std::map<std::string, std::string> words{{"host", to.host},
                                             {"port", std::to_string(to.port)},
                                             {"connect_timeout", "5"},
                                             {"application_name", "howdah query"}};
    const auto put = [&words](const char* key, const std::string& value) {
        if (!value.empty()) {
            words[key] = value;
        }
    };
    put("dbname", command.database);
    put("user", command.user);
    put("password", password);
    std::vector<const char*> keys, values;
    for (const auto& [key, value] : words) {
        keys.push_back(key.c_str());
        values.push_back(value.c_str());
    }
    keys.push_back(nullptr);
    values.push_back(nullptr);
    return {PQconnectdbParams(keys.data(), values.data(), 0), &PQfinish};
}

/// As psycopg2 gives it to Python: numbers and booleans by type, all else as text.
Json value_of(const PGresult* result, int row, int column) {
    constexpr Oid bool_type = 16, int8 = 20, int2 = 21, int4 = 23, float4 = 700, float8 = 701;
    if (PQgetisnull(result, row, column) != 0) {
        return {};
    }
    const std::string text = PQgetvalue(result, row, column);
    switch (PQftype(result, column)) {
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

Rows rows_of(const PGresult* result) {
    Rows out;
    for (int column = 0; column < PQnfields(result); ++column) {
        out.headers.emplace_back(PQfname(result, column));
    }
    for (int row = 0; row < PQntuples(result); ++row) {
        auto& line = out.rows.emplace_back();
        for (int column = 0; column < PQnfields(result); ++column) {
            line.push_back(value_of(result, row, column));
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
    const auto connection = connect(*address, command, password);
    if (PQstatus(connection.get()) != CONNECTION_OK) {
        fmt::print(stderr, "warning: {}", PQerrorMessage(connection.get()));
        return told({local_time(0), nobody});
    }
    const Answer answer(PQexec(connection.get(), sql.c_str()), &PQclear);
    const auto status = PQresultStatus(answer.get());
    if (status == PGRES_TUPLES_OK) {
        return rows_of(answer.get());
    }
    if (status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY) {
        return Rows{};
    }
    const auto* state = PQresultErrorField(answer.get(), PG_DIAG_SQLSTATE);
    fmt::print(stderr, "warning: {}", PQerrorMessage(connection.get()));
    return told(
        {local_time(0), fmt::format("ERROR, SQLSTATE: {}", state == nullptr ? "?" : state)});
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
