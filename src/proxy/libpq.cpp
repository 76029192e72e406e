#include "proxy/libpq.h"

#include "io/fd_wait.h"

namespace howdah::proxy {
namespace {

std::string words(const PGconn* connection) {
    std::string text;
    for (const char* c = PQerrorMessage(connection); *c != '\0'; ++c) {
        const bool space = *c == '\n' || *c == '\t' || *c == ' ';
        if (!space) {
            text.push_back(*c);
        } else if (!text.empty() && text.back() != ' ') {
            text.push_back(' ');
        }
    }
    while (text.ends_with(' ')) {
        text.pop_back();
    }
    return text;
}

io::Task<Result<>> send_all(PgConnection connection) {
    for (int left = PQflush(connection.get()); left != 0; left = PQflush(connection.get())) {
        if (left < 0) {
            co_return fail(Errc::unavailable, words(connection.get()));
        }
        HD_CO_TRY_VOID(co_await io::wait_for(PQsocket(connection.get()), io::Ready::writable));
    }
    co_return Result<>{};
}

}  // namespace

io::Task<Result<PgConnection>> pg_connect(ConnectionOptions options) {
    std::vector<const char*> keys;
    std::vector<const char*> values;
    for (const auto& [key, value] : options) {
        keys.push_back(key.c_str());
        values.push_back(value.c_str());
    }
    keys.push_back(nullptr);
    values.push_back(nullptr);
    const PgConnection connection(PQconnectStartParams(keys.data(), values.data(), 0), PQfinish);
    if (!connection || PQstatus(connection.get()) == CONNECTION_BAD) {
        co_return fail(Errc::unavailable, words(connection.get()));
    }
    auto state = PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK) {
        if (state == PGRES_POLLING_FAILED) {
            co_return fail(Errc::unavailable, words(connection.get()));
        }
        const auto what =
            state == PGRES_POLLING_READING ? io::Ready::readable : io::Ready::writable;
        HD_CO_TRY_VOID(co_await io::wait_for(PQsocket(connection.get()), what));
        state = PQconnectPoll(connection.get());
    }
    PQsetnonblocking(connection.get(), 1);
    co_return connection;
}

io::Task<Result<std::vector<std::string>>> pg_query_row(PgConnection connection, std::string sql) {
    auto* pg = connection.get();
    if (PQsendQuery(pg, sql.c_str()) == 0) {
        co_return fail(Errc::unavailable, words(pg));
    }
    HD_CO_TRY_VOID(co_await send_all(connection));
    std::vector<std::string> row;
    std::string error;
    for (;;) {
        while (PQisBusy(pg) != 0) {
            HD_CO_TRY_VOID(co_await io::wait_for(PQsocket(pg), io::Ready::readable));
            if (PQconsumeInput(pg) == 0) {
                co_return fail(Errc::unavailable, words(pg));
            }
        }
        const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQgetResult(pg), PQclear);
        if (!result) {
            break;
        }
        if (PQresultStatus(result.get()) != PGRES_TUPLES_OK || PQntuples(result.get()) == 0) {
            error = words(pg);
            continue;
        }
        for (int i = 0; i < PQnfields(result.get()); ++i) {
            row.emplace_back(PQgetvalue(result.get(), 0, i));
        }
    }
    if (PQstatus(pg) != CONNECTION_OK) {
        co_return fail(Errc::unavailable, words(pg));
    }
    if (row.empty()) {
        co_return fail(Errc::invalid, error.empty() ? "no row in the answer" : error);
    }
    co_return row;
}

}  // namespace howdah::proxy
