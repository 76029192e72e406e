#include "pgclient/connection.h"

#include <sys/socket.h>

#include "io/fd_wait.h"
#include "io/readiness.h"
#include "io/resolve.h"

namespace howdah::pgclient {
namespace {

bool needs_name_server(const std::string& host) {
    // libpq asks the name server blockingly; addresses and /etc/hosts don't hurt.
    return !host.empty() && host[0] != '/' && host != "localhost" &&
           host.find_first_not_of("0123456789.") != std::string::npos &&
           host.find(':') == std::string::npos;
}

}  // namespace

io::Task<Result<std::unique_ptr<Connection>>> Connection::open(io::Clock& clock, Keywords keywords,
                                                               Nanos limit) {
    if (needs_name_server(keywords["host"])) {
        HD_CO_TRY(auto address, co_await io::within(clock, limit, io::resolve(keywords["host"])));
        keywords["hostaddr"] = std::move(address);
    }
    HD_CO_TRY(auto link, Link::begin(keywords));
    std::unique_ptr<Connection> self(new Connection(clock, std::move(link)));
    HD_CO_TRY_VOID(co_await io::within(clock, limit, self->finish_connecting()));
    co_return std::move(self);
}

io::Task<Result<>> Connection::wait(Step step) {
    return step == Step::wait_readable ? io::wait_readable(link_.socket())
                                       : io::wait_writable(link_.socket());
}

io::Task<Result<>> Connection::finish_connecting() {
    while (true) {
        HD_CO_TRY(const auto step, link_.connect_step());
        if (step == Step::done) {
            co_return Result<>{};
        }
        HD_CO_TRY_VOID(co_await wait(step));
    }
}

io::Task<Result<Rows>> Connection::query(std::string sql, std::vector<std::string> parameters,
                                         Nanos limit) {
    // Until the answer is complete nobody else may use this connection, cancelled or not.
    broken_ = true;
    auto rows = co_await io::within(clock_, limit, exchange(std::move(sql), std::move(parameters)));
    broken_ = !link_.connected() || (!rows && rows.error().code != Errc::invalid);
    co_return rows;
}

io::Task<Result<Rows>> Connection::exchange(std::string sql, std::vector<std::string> parameters) {
    HD_CO_TRY_VOID(link_.send(sql, parameters));
    while (true) {
        HD_CO_TRY(const auto step, link_.answer_step());
        if (step == Step::done) {
            co_return link_.take_answer().rows;
        }
        HD_CO_TRY_VOID(co_await wait(step));
    }
}

io::Task<Result<>> Connection::wait_for_news() {
    return io::wait_for(link_.socket(), io::Ready::readable);
}

void Connection::cut() {
    (void)shutdown(link_.socket(), SHUT_RDWR);
}

}  // namespace howdah::pgclient
