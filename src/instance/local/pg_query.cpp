#include "instance/local/pg_query.h"

#include <libpq-fe.h>

#include "io/readiness.h"
#include "io/resolve.h"

namespace howdah::instance {
namespace {

struct ResultDeleter {
    void operator()(PGresult* result) const { PQclear(result); }
};
using ResultPtr = std::unique_ptr<PGresult, ResultDeleter>;

std::string one_line(const char* text) {
    std::string line(text == nullptr ? "" : text);
    while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) {
        line.pop_back();
    }
    for (auto& c : line) {
        c = c == '\n' || c == '\t' ? ' ' : c;
    }
    return line;
}

Rows rows_of(const PGresult* result) {
    Rows rows;
    for (int r = 0; r < PQntuples(result); ++r) {
        Row row;
        for (int c = 0; c < PQnfields(result); ++c) {
            if (PQgetisnull(result, r, c) != 0) {
                row.emplace_back();
            } else {
                row.emplace_back(std::string(PQgetvalue(result, r, c)));
            }
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

bool needs_name_server(const std::string& host) {
    // libpq asks the name server blockingly; addresses and /etc/hosts don't hurt.
    return !host.empty() && host[0] != '/' && host != "localhost" &&
           host.find_first_not_of("0123456789.") != std::string::npos &&
           host.find(':') == std::string::npos;
}

std::string doubled(const std::string& text, char quote) {
    std::string out(1, quote);
    for (const char c : text) {
        out.append(c == quote ? 2 : 1, c);
    }
    return out + quote;
}

}  // namespace

std::string quote_literal(const std::string& text) {
    // With a backslash only the E form reads the same whatever standard_conforming_strings says.
    if (text.find('\\') == std::string::npos) {
        return doubled(text, '\'');
    }
    std::string escaped;
    for (const char c : text) {
        escaped.append(c == '\\' ? 2 : 1, c);
    }
    return " E" + doubled(escaped, '\'');
}

std::string quote_identifier(const std::string& text) {
    return doubled(text, '"');
}

Connection::~Connection() {
    PQfinish(conn_);
}

int Connection::server_version() const {
    return PQserverVersion(conn_);
}

Error Connection::failure(Errc code) const {
    return {code, one_line(PQerrorMessage(conn_)), {}};
}

io::Task<Result<std::unique_ptr<Connection>>> Connection::open(io::Clock& clock,
                                                               ConnectionKeywords keywords,
                                                               Nanos limit) {
    if (needs_name_server(keywords["host"])) {
        HD_CO_TRY(auto address, co_await io::within(clock, limit, io::resolve(keywords["host"])));
        keywords["hostaddr"] = std::move(address);
    }
    std::vector<const char*> names, values;
    for (const auto& [name, value] : keywords) {
        if (!value.empty()) {
            names.push_back(name.c_str());
            values.push_back(value.c_str());
        }
    }
    names.push_back(nullptr);
    values.push_back(nullptr);
    std::unique_ptr<Connection> self(new Connection(clock));
    self->conn_ = PQconnectStartParams(names.data(), values.data(), 0);
    if (self->conn_ == nullptr || PQstatus(self->conn_) == CONNECTION_BAD) {
        co_return std::unexpected(self->failure(Errc::unavailable));
    }
    HD_CO_TRY_VOID(co_await io::within(clock, limit, self->finish_connecting()));
    co_return std::move(self);
}

io::Task<Result<>> Connection::finish_connecting() {
    auto state = PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK) {
        if (state == PGRES_POLLING_FAILED) {
            co_return std::unexpected(failure(Errc::unavailable));
        }
        const int fd = PQsocket(conn_);
        if (state == PGRES_POLLING_READING) {
            HD_CO_TRY_VOID(co_await io::wait_readable(fd));
        } else {
            HD_CO_TRY_VOID(co_await io::wait_writable(fd));
        }
        state = PQconnectPoll(conn_);
    }
    PQsetnonblocking(conn_, 1);
    co_return Result<>{};
}

io::Task<Result<Rows>> Connection::query(std::string sql, std::vector<std::string> parameters,
                                         Nanos limit) {
    // Until the answer is complete nobody else may use this connection, cancelled or not.
    broken_ = true;
    auto rows = co_await io::within(clock_, limit, exchange(std::move(sql), std::move(parameters)));
    broken_ = PQstatus(conn_) != CONNECTION_OK || (!rows && rows.error().code != Errc::invalid);
    co_return rows;
}

io::Task<Result<Rows>> Connection::exchange(std::string sql, std::vector<std::string> parameters) {
    std::vector<const char*> values;
    for (const auto& parameter : parameters) {
        values.push_back(parameter.c_str());
    }
    const int sent = values.empty()
                         ? PQsendQuery(conn_, sql.c_str())
                         : PQsendQueryParams(conn_, sql.c_str(), static_cast<int>(values.size()),
                                             nullptr, values.data(), nullptr, nullptr, 0);
    if (sent == 0) {
        co_return std::unexpected(failure(Errc::unavailable));
    }
    HD_CO_TRY_VOID(co_await flush());
    co_return co_await collect();
}

io::Task<Result<>> Connection::flush() {
    while (true) {
        const int left = PQflush(conn_);
        if (left < 0) {
            co_return std::unexpected(failure(Errc::unavailable));
        }
        if (left == 0) {
            co_return Result<>{};
        }
        HD_CO_TRY_VOID(co_await io::wait_writable(PQsocket(conn_)));
    }
}

io::Task<Result<Rows>> Connection::collect() {
    Rows rows;
    std::optional<Error> refused;
    while (true) {
        while (PQisBusy(conn_) != 0) {
            HD_CO_TRY_VOID(co_await io::wait_readable(PQsocket(conn_)));
            if (PQconsumeInput(conn_) == 0) {
                co_return std::unexpected(failure(Errc::unavailable));
            }
        }
        const ResultPtr result(PQgetResult(conn_));
        if (!result) {
            break;
        }
        const auto status = PQresultStatus(result.get());
        if (status == PGRES_TUPLES_OK) {
            rows = rows_of(result.get());
        } else if (status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY && !refused) {
            refused = Error{Errc::invalid, one_line(PQresultErrorMessage(result.get())), {}};
        }
    }
    if (PQstatus(conn_) != CONNECTION_OK) {
        co_return std::unexpected(failure(Errc::unavailable));
    }
    if (refused) {
        co_return std::unexpected(*std::move(refused));
    }
    co_return rows;
}

Result<std::string> Connection::password_verifier(const std::string& password,
                                                  const std::string& user) const {
    char* text = PQencryptPasswordConn(conn_, password.c_str(), user.c_str(), "scram-sha-256");
    if (text == nullptr) {
        return std::unexpected(failure(Errc::invalid));
    }
    std::string verifier(text);
    PQfreemem(text);
    return verifier;
}

}  // namespace howdah::instance
