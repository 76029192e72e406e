#include "cli/up_load.h"

#include <libpq-fe.h>
#include <poll.h>

#include <chrono>
#include <functional>
#include <memory>

namespace howdah::cli {

namespace {

/// A gap that people would notice; shorter ones are the pace itself.
constexpr Millis usual_gap{200};
constexpr Millis pace{20};
/// The endpoint holds a client for 30 s before it refuses it.
constexpr Millis hold{35000};

constexpr const char* make_table =
    "create table if not exists howdah_load (id bigserial primary key, at timestamptz not null "
    "default clock_timestamp())";
constexpr const char* insert_row = "insert into howdah_load default values";

std::int64_t now_ms() {
    return std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

std::string first_line(const char* text) {
    const std::string all = text != nullptr ? text : "";
    return all.substr(0, all.find('\n'));
}

/// A connection whose waits end when `stop` says so or the limit passes.
class Session {
public:
    using Stop = std::function<bool()>;
    explicit Session(Stop stop) : stop_(std::move(stop)) {}

    std::string connect(const std::string& dsn, Millis limit) {
        connection_.reset(PQconnectStart((dsn + " application_name=howdah_load").c_str()));
        PQsetNoticeProcessor(get(), [](void*, const char*) {}, nullptr);
        const auto end = now_ms() + limit.count();
        for (auto want = PGRES_POLLING_WRITING; PQstatus(get()) != CONNECTION_BAD;) {
            if (want == PGRES_POLLING_OK) {
                return PQsetnonblocking(get(), 1) == 0 ? "" : first_line(PQerrorMessage(get()));
            }
            if (want == PGRES_POLLING_FAILED ||
                !wait(want == PGRES_POLLING_READING ? POLLIN : POLLOUT, end)) {
                break;
            }
            want = PQconnectPoll(get());
        }
        const auto why = first_line(PQerrorMessage(get()));
        return why.empty() ? "no connection in time" : why;
    }

    std::string execute(const char* sql, Millis limit) {
        const auto end = now_ms() + limit.count();
        if (PQsendQuery(get(), sql) == 0) {
            return first_line(PQerrorMessage(get()));
        }
        while (PQflush(get()) == 1) {
            if (!wait(POLLOUT, end)) {
                return "no answer in time";
            }
        }
        std::string why;
        while (true) {
            while (PQisBusy(get()) == 1) {
                if (!wait(POLLIN, end)) {
                    return "no answer in time";
                }
                if (PQconsumeInput(get()) == 0) {
                    return first_line(PQerrorMessage(get()));
                }
            }
            const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQgetResult(get()), PQclear);
            if (!result) {
                return why;
            }
            if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) {
                why = first_line(PQresultErrorMessage(result.get()));
            }
        }
    }

    bool open() const { return connection_ && PQstatus(connection_.get()) == CONNECTION_OK; }
    void close() { connection_.reset(); }

private:
    PGconn* get() const { return connection_.get(); }
    bool wait(short events, std::int64_t end) const {
        while (!stop_() && now_ms() < end) {
            pollfd fd{PQsocket(get()), events, 0};
            if (::poll(&fd, 1, 50) > 0) {
                return true;
            }
        }
        return false;
    }

    Stop stop_;
    std::unique_ptr<PGconn, decltype(&PQfinish)> connection_{nullptr, PQfinish};
};

}  // namespace

Load::Load(std::string dsn) : dsn_(std::move(dsn)), thread_([this] { work(); }) {}

Load::~Load() {
    stopping_ = true;
    thread_.join();
}

LoadCounts Load::counts() const {
    const std::lock_guard lock(mutex_);
    auto out = counts_;
    out.silent_for = Millis(last_ok_ms_ == 0 ? 0 : now_ms() - last_ok_ms_);
    return out;
}

void Load::succeeded() {
    const std::lock_guard lock(mutex_);
    const auto now = now_ms();
    if (const Millis gap(now - last_ok_ms_); last_ok_ms_ != 0 && gap > usual_gap) {
        counts_.last_outage = gap;
    }
    last_ok_ms_ = now;
    ++counts_.ok;
}

void Load::failed(std::string why) {
    const std::lock_guard lock(mutex_);
    ++counts_.errors;
    counts_.last_error = std::move(why);
}

void Load::work() {
    Session session([this] { return stopping_.load(); });
    while (!stopping_) {
        std::string why;
        if (!session.open()) {
            why = session.connect(dsn_, hold);
            why = why.empty() ? session.execute(make_table, hold) : why;
        }
        why = why.empty() ? session.execute(insert_row, hold) : why;
        if (why.empty()) {
            succeeded();
        } else if (!stopping_) {
            session.close();
            failed(std::move(why));
        }
        std::this_thread::sleep_for(pace);
    }
}

std::string why_not_writable(const std::string& dsn, Millis limit) {
    Session session([] { return false; });
    auto why = session.connect(dsn, limit);
    why = why.empty() ? session.execute(make_table, limit) : why;
    return why.empty() ? session.execute(insert_row, limit) : why;
}

}  // namespace howdah::cli
