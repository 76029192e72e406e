#include "proxy/sentinel.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "pgclient/connection.h"
#include "proxy/cancelled.h"

namespace howdah::proxy {
namespace {

constexpr Millis connect_limit{2000};
constexpr Millis check_limit{1000};
constexpr Millis first_back_off{5};
constexpr Millis last_back_off{50};
constexpr Seconds until_rung{3600};

// In recovery pg_current_wal_lsn() is an error, hence CASE. The timeline is read from the name of
// the WAL segment: pg_control shows the old one until the next checkpoint (safety-model.md, section
// 5, step 6).
constexpr auto question =
    "SELECT pg_catalog.pg_is_in_recovery(),"
    " (SELECT system_identifier FROM pg_catalog.pg_control_system()),"
    " CASE WHEN pg_catalog.pg_is_in_recovery() THEN ''"
    " ELSE pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()) END";

pgclient::Keywords options_for(const Target& target, const config::Credentials& login) {
    pgclient::Keywords options{
        {"application_name", "howdah endpoint"},
        {"dbname", "postgres"},
        {"gssencmode", "disable"},
        {"options", "-c statement_timeout=0"},  // whatever ALTER ROLE says
        {"keepalives_idle", "2"},
        {"keepalives_interval", "1"},
        {"keepalives_count", "3"},
        {"tcp_user_timeout", "5000"},
    };
    for (const auto& [key, value] : login.options) {
        options[key] = value;
    }
    options["hostaddr"] = target.address.host();
    options["port"] = std::to_string(target.address.port());
    options["user"] = login.username;
    options["password"] = login.password;
    return options;
}

Result<> compare(const pgclient::Rows& rows, const Target& target) {
    if (rows.size() != 1 || rows[0].size() != 3) {
        return fail(Errc::corrupt, "an answer of another shape");
    }
    const std::array row{rows[0][0].value_or(""), rows[0][1].value_or(""), rows[0][2].value_or("")};
    if (row[0] != "f") {
        return fail(Errc::conflict, fmt::format("{} is still in recovery", target.name));
    }
    if (!target.system_id.empty() && row[1] != target.system_id) {
        return fail(
            Errc::conflict,
            fmt::format(
                "the server at {} port {} belongs to another cluster: system identifier {}, "
                "the record says {}",
                target.address.host(), target.address.port(), row[1], target.system_id));
    }
    pg::Timeline timeline = 0;
    const auto hex = row[2].substr(0, 8);
    std::from_chars(hex.data(), hex.data() + hex.size(), timeline, 16);
    if (target.timeline != 0 && timeline != target.timeline) {
        return fail(Errc::conflict, fmt::format("{} is on timeline {}, the record says {}",
                                                target.name, timeline, target.timeline));
    }
    return {};
}

}  // namespace

struct Sentinel::Link {
    std::unique_ptr<pgclient::Connection> connection{};
    ha::Uuid member{};
    Address address{};
    bool watched = false;
    bool leads_to(const Target& t) const { return member == t.member && address == t.address; }
};

Sentinel::Sentinel(io::Scope& scope, io::Clock& clock, std::vector<config::Credentials> logins,
                   std::function<void()> on_change)
    : scope_(scope),
      clock_(clock),
      logins_(std::move(logins)),
      on_change_(std::move(on_change)),
      bell_(scope.executor(), clock) {
    std::erase_if(logins_, [](const auto& login) { return login.username.empty(); });
}

Sentinel::~Sentinel() = default;

void Sentinel::aim(std::optional<Target> target) {
    if (target == target_) {
        return;
    }
    target_ = std::move(target);
    back_off_ = {};
    if (verified_ != target_) {
        verified_.reset();
    }
    bell_.ring();
}

bool Sentinel::verified(const ha::Uuid& member, ha::Epoch epoch) const {
    return verified_ && verified_->member == member && verified_->epoch == epoch;
}

io::Task<> Sentinel::run() {
    co_await io::asio::this_coro::throw_if_cancelled(false);
    Nanos pause{};
    while (!co_await cancelled()) {
        // Even without a pause: what rang before this step must not end its questions.
        (void)co_await bell_.wait_until(clock_.now() + pause);
        pause = co_await cancelled() ? Nanos{} : co_await step();
    }
    drop_link();
}

io::Task<Nanos> Sentinel::step() {
    if (!target_ || logins_.empty()) {
        drop_link();
        settle(target_ ? "no credentials to ask the primary with" : "idle", std::nullopt);
        co_return until_rung;
    }
    const Target aimed = *target_;
    if (link_ && (!link_->leads_to(aimed) || !link_lives())) {
        breaks_ += link_->leads_to(aimed) ? 1 : 0;
        drop_link();
        settle("connecting to " + aimed.name, std::nullopt);
    }
    if (!link_) {
        auto options = options_for(aimed, logins_[login_ % logins_.size()]);
        auto made = co_await unless_rung(
            pgclient::Connection::open(clock_, std::move(options), connect_limit), connect_limit);
        if (target_ != aimed) {
            co_return Nanos{};  // it moved on meanwhile
        }
        if (!made) {
            ++login_;
            ++breaks_;
            on_change_();
            co_return failed(std::move(made).error().message);
        }
        link_ = std::make_shared<Link>(
            Link{.connection = *std::move(made), .member = aimed.member, .address = aimed.address});
    }
    if (aimed.is_primary && verified_ != aimed) {
        auto fits = co_await unless_rung(check(link_, aimed), check_limit);
        if (target_ != aimed) {
            if (!fits) {
                drop_link();  // the question may still be under way on it
            }
            co_return Nanos{};
        }
        if (!fits) {
            // A server that answered may answer better soon; of any other failure this connection
            // is the cause.
            if (fits.error().code != Errc::conflict) {
                ++breaks_;
                drop_link();
                on_change_();
            }
            co_return failed(std::move(fits).error().message);
        }
    }
    if (!link_->watched) {
        link_->watched = true;
        scope_.spawn([this, link = link_] { return watch(link); });
    }
    back_off_ = {};
    if (aimed.is_primary) {
        settle("verified " + aimed.name, aimed);
    } else {
        settle("connected to " + aimed.name + ", which is not primary yet", std::nullopt);
    }
    co_return until_rung;
}

template <class T>
io::Task<Result<T>> Sentinel::unless_rung(io::Task<Result<T>> task, Nanos limit) {
    std::optional<Result<T>> result;
    if (!co_await io::ends_before(io::keep_result(std::move(task), result), rung_within(limit))) {
        co_return io::out_of_time(limit);
    }
    co_return *std::move(result);
}

io::Task<> Sentinel::rung_within(Nanos limit) {
    (void)co_await bell_.wait_until(clock_.now() + limit);
}

io::Task<Result<>> Sentinel::check(std::shared_ptr<Link> link, Target target) {
    HD_CO_TRY(const auto rows, co_await link->connection->query(question, {}, check_limit));
    co_return compare(rows, target);
}

io::Task<> Sentinel::watch(std::shared_ptr<Link> link) {
    (void)co_await link->connection->wait_for_news();
    link->watched = false;
    bell_.ring();
}

bool Sentinel::link_lives() {
    return link_->connection->alive();
}

void Sentinel::drop_link() {
    if (link_) {
        // Ends a watch() that still keeps the connection.
        link_->connection->cut();
        link_.reset();
    }
}

Nanos Sentinel::failed(std::string why) {
    settle(std::move(why), std::nullopt);
    back_off_ = std::clamp(back_off_ * 2, first_back_off, last_back_off);
    return back_off_;
}

void Sentinel::settle(std::string state, std::optional<Target> verified) {
    if (state == state_ && verified == verified_) {
        return;
    }
    spdlog::debug("sentinel {}", state);
    state_ = std::move(state);
    verified_ = std::move(verified);
    on_change_();
}

}  // namespace howdah::proxy
