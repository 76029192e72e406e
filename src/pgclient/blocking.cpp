#include "pgclient/blocking.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "io/task.h"

namespace howdah::pgclient {
namespace {

constexpr Millis between_looks{50};
constexpr Seconds longest_turn{60};

}  // namespace

Result<BlockingConnection> BlockingConnection::open(const Keywords& keywords, Nanos limit,
                                                    Stop stop) {
    HD_TRY(auto link, Link::begin(keywords));
    BlockingConnection self(std::move(link), std::move(stop));
    HD_TRY_VOID(self.finish(&Link::connect_step, limit));
    return self;
}

Result<Answer> BlockingConnection::ask(const std::string& sql,
                                       const std::vector<std::string>& parameters, Nanos limit) {
    broken_ = true;
    HD_TRY_VOID(link_.send(sql, parameters));
    const auto done = finish(&Link::answer_step, limit);
    broken_ = !link_.connected() || (!done && done.error().code != Errc::invalid);
    if (done) {
        return link_.take_answer();
    }
    const auto given_up =
        done.error().code == Errc::timeout || done.error().code == Errc::cancelled;
    if (given_up && link_.over_unix_socket()) {
        link_.cancel();
    }
    return std::unexpected(done.error());
}

Result<Rows> BlockingConnection::query(const std::string& sql,
                                       const std::vector<std::string>& parameters, Nanos limit) {
    HD_TRY(auto answer, ask(sql, parameters, limit));
    return std::move(answer.rows);
}

Result<> BlockingConnection::finish(Result<Step> (Link::*next)(), Nanos limit) {
    const auto end = io::SystemClock().now() + limit;
    while (true) {
        HD_TRY(const auto step, (link_.*next)());
        if (step == Step::done) {
            return {};
        }
        HD_TRY_VOID(wait(step, end, limit));
    }
}

Result<> BlockingConnection::wait(Step step, Instant end, Nanos limit) const {
    const short events = step == Step::wait_readable ? POLLIN : POLLOUT;
    while (true) {
        if (stop_ && stop_()) {
            return fail(Errc::cancelled, "stopped while waiting for the server");
        }
        const auto left = end - io::SystemClock().now();
        if (left <= Nanos{}) {
            return io::out_of_time(limit);
        }
        const auto turn = std::min<Nanos>(left, stop_ ? Nanos(between_looks) : longest_turn);
        pollfd fd{.fd = link_.socket(), .events = events, .revents = 0};
        const auto ready = poll(&fd, 1, static_cast<int>(to_millis(turn).count()) + 1);
        if (ready > 0) {
            return {};
        }
        if (ready < 0 && errno != EINTR) {
            return fail(Errc::io, std::string("wait for the server: ") + std::strerror(errno));
        }
    }
}

}  // namespace howdah::pgclient
