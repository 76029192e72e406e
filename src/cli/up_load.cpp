#include "cli/up_load.h"

#include <chrono>
#include <optional>

#include "pgclient/blocking.h"

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

/// Inserts into the table of the load. Why it could not is told as one line.
class Writer {
public:
    Writer(std::string dsn, pgclient::Stop stop) : dsn_(std::move(dsn)), stop_(std::move(stop)) {}

    std::string insert(Millis limit) {
        auto done = connection_ ? Result<>{} : connect(limit);
        if (done) {
            done = execute(insert_row, limit);
        }
        if (!done) {
            connection_.reset();
        }
        return done ? "" : done.error().message;
    }

private:
    Result<> connect(Millis limit) {
        HD_TRY(auto keywords, pgclient::parse_conninfo(dsn_));
        keywords["application_name"] = "howdah_load";
        HD_TRY(auto opened, pgclient::BlockingConnection::open(keywords, limit, stop_));
        connection_.emplace(std::move(opened));
        return execute(make_table, limit);
    }
    Result<> execute(const char* sql, Millis limit) {
        HD_TRY_VOID(connection_->query(sql, {}, limit));
        return {};
    }

    std::string dsn_;
    pgclient::Stop stop_;
    std::optional<pgclient::BlockingConnection> connection_{};
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
    Writer writer(dsn_, [this] { return stopping_.load(); });
    while (!stopping_) {
        auto why = writer.insert(hold);
        if (why.empty()) {
            succeeded();
        } else if (!stopping_) {
            failed(std::move(why));
        }
        std::this_thread::sleep_for(pace);
    }
}

std::string why_not_writable(const std::string& dsn, Millis limit) {
    return Writer(dsn, {}).insert(limit);
}

}  // namespace howdah::cli
