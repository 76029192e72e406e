#include "pgclient/link.h"

#include <libpq-fe.h>

#include <algorithm>
#include <utility>

#include "pgclient/connect_failure.h"

namespace howdah::pgclient {
namespace {

using ResultPtr = std::unique_ptr<PGresult, decltype(&PQclear)>;

std::string one_line(const char* text) {
    std::string line(text == nullptr ? "" : text);
    line.erase(0, line.find_first_not_of("\n\t "));
    while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) {
        line.pop_back();
    }
    for (auto& c : line) {
        c = c == '\n' || c == '\t' ? ' ' : c;
    }
    return line;
}

Answer answer_of(const PGresult* result) {
    Answer answer;
    const auto columns = PQnfields(result);
    for (int c = 0; c < columns; ++c) {
        answer.columns.push_back({.name = PQfname(result, c), .type = PQftype(result, c)});
    }
    for (int r = 0; r < PQntuples(result); ++r) {
        auto& row = answer.rows.emplace_back();
        for (int c = 0; c < columns; ++c) {
            if (PQgetisnull(result, r, c) != 0) {
                row.emplace_back();
            } else {
                row.emplace_back(PQgetvalue(result, r, c));
            }
        }
    }
    return answer;
}

}  // namespace

Result<Keywords> parse_conninfo(const std::string& text) {
    char* why = nullptr;
    const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
        PQconninfoParse(text.c_str(), &why), PQconninfoFree);
    const std::unique_ptr<char, decltype(&PQfreemem)> words(why, PQfreemem);
    if (!options) {
        return fail(Errc::invalid, one_line(words.get()));
    }
    Keywords keywords;
    for (const auto* each = options.get(); each->keyword != nullptr; ++each) {
        if (each->val != nullptr) {
            keywords[each->keyword] = each->val;
        }
    }
    return keywords;
}

void Link::Finish::operator()(pg_conn* connection) const {
    PQfinish(connection);
}

Link::Link(pg_conn* connection) : connection_(connection), hear_(std::make_unique<Hear>()) {}

Result<Link> Link::begin(const Keywords& keywords) {
    std::vector<const char*> names, values;
    for (const auto& [name, value] : keywords) {
        if (!value.empty()) {
            names.push_back(name.c_str());
            values.push_back(value.c_str());
        }
    }
    names.push_back(nullptr);
    values.push_back(nullptr);
    Link link(PQconnectStartParams(names.data(), values.data(), 0));
    auto* const connection = link.connection_.get();
    if (connection == nullptr || PQstatus(connection) == CONNECTION_BAD) {
        return std::unexpected(link.failure(Errc::unavailable));
    }
    PQsetNoticeProcessor(
        connection,
        [](void* hear, const char* text) {
            if (const auto& tell = *static_cast<Hear*>(hear)) {
                tell(one_line(text));
            }
        },
        link.hear_.get());
    // The only way to learn a refusal's code from libpq.
    PQsetErrorVerbosity(connection, PQERRORS_VERBOSE);
    return link;
}

Result<Step> Link::connect_step() {
    auto* const connection = connection_.get();
    // libpq wants its socket to be writable before it is asked for the first time.
    const auto state =
        std::exchange(connecting_, true) ? PQconnectPoll(connection) : PGRES_POLLING_WRITING;
    switch (state) {
        case PGRES_POLLING_READING:
            return Step::wait_readable;
        case PGRES_POLLING_WRITING:
            return Step::wait_writable;
        case PGRES_POLLING_OK:
            PQsetErrorVerbosity(connection, PQERRORS_DEFAULT);
            PQsetnonblocking(connection, 1);
            return Step::done;
        default:
            return std::unexpected(refusal_to_connect());
    }
}

Result<> Link::send(const std::string& sql, const std::vector<std::string>& parameters) {
    std::vector<const char*> values;
    for (const auto& parameter : parameters) {
        values.push_back(parameter.c_str());
    }
    const int sent = values.empty() ? PQsendQuery(connection_.get(), sql.c_str())
                                    : PQsendQueryParams(connection_.get(), sql.c_str(),
                                                        static_cast<int>(values.size()), nullptr,
                                                        values.data(), nullptr, nullptr, 0);
    answer_ = {};
    refused_.reset();
    return sent == 0 ? std::unexpected(failure(Errc::unavailable)) : Result<>{};
}

Result<Step> Link::answer_step() {
    auto* const connection = connection_.get();
    if (std::exchange(input_waited_, false) && PQconsumeInput(connection) == 0) {
        return std::unexpected(failure(Errc::unavailable));
    }
    const auto left = PQflush(connection);
    if (left != 0) {
        return left < 0 ? std::unexpected(failure(Errc::unavailable))
                        : Result<Step>(Step::wait_writable);
    }
    while (PQisBusy(connection) == 0) {
        const ResultPtr result(PQgetResult(connection), PQclear);
        if (result) {
            HD_TRY_VOID(keep(result.get()));
            continue;
        }
        if (!connected()) {
            return std::unexpected(failure(Errc::unavailable));
        }
        return refused_ ? std::unexpected(*std::move(refused_)) : Result<Step>(Step::done);
    }
    input_waited_ = true;
    return Step::wait_readable;
}

Result<> Link::keep(const pg_result* result) {
    switch (PQresultStatus(result)) {
        case PGRES_TUPLES_OK:
            answer_ = answer_of(result);
            return {};
        case PGRES_COMMAND_OK:
        case PGRES_EMPTY_QUERY:
            return {};
        case PGRES_COPY_IN:
        case PGRES_COPY_OUT:
        case PGRES_COPY_BOTH:
            return fail(Errc::unavailable, "the statement begins a COPY, which is not spoken here");
        default:
            break;
    }
    if (!refused_) {
        refused_ = Error{Errc::invalid, one_line(PQresultErrorMessage(result)), {}};
        const char* code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        refused_->sqlstate = code == nullptr ? "" : code;
    }
    return {};
}

bool Link::look() {
    return PQconsumeInput(connection_.get()) != 0 && connected();
}

bool Link::connected() const {
    return PQstatus(connection_.get()) == CONNECTION_OK;
}

int Link::socket() const {
    return PQsocket(connection_.get());
}

bool Link::over_unix_socket() const {
    const char* host = PQhost(connection_.get());
    return host != nullptr && (*host == '/' || *host == '@');
}

int Link::server_version() const {
    return PQserverVersion(connection_.get());
}

void Link::cancel() const {
    const std::unique_ptr<PGcancel, decltype(&PQfreeCancel)> request(PQgetCancel(connection_.get()),
                                                                     PQfreeCancel);
    if (request) {
        std::string why(256, '\0');
        (void)PQcancel(request.get(), why.data(), static_cast<int>(why.size()));
    }
}

void Link::on_notice(std::function<void(std::string_view)> hear) {
    *hear_ = std::move(hear);
}

Result<std::string> Link::password_verifier(const std::string& password,
                                            const std::string& user) const {
    const std::unique_ptr<char, decltype(&PQfreemem)> text(
        PQencryptPasswordConn(connection_.get(), password.c_str(), user.c_str(), "scram-sha-256"),
        PQfreemem);
    if (!text) {
        return std::unexpected(failure(Errc::invalid));
    }
    return std::string(text.get());
}

Error Link::failure(Errc code) const {
    // "server closed the connection unexpectedly", and what that probably means.
    const std::string words = PQerrorMessage(connection_.get());
    const auto end = std::min(words.find('\n'), words.size());
    return {code, one_line(words.substr(0, end).c_str()), one_line(words.substr(end).c_str())};
}

Error Link::refusal_to_connect() const {
    auto* const connection = connection_.get();
    const auto failure = parse_connect_failure(PQerrorMessage(connection));
    Error error{Errc::unavailable, one_line(failure.words.c_str()), {}};
    error.sqlstate = failure.sqlstate;
    if (error.sqlstate.empty() && PQconnectionNeedsPassword(connection) != 0) {
        error.sqlstate = sqlstate::invalid_password;
    }
    return error;
}

}  // namespace howdah::pgclient
