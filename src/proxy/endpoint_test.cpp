#include "proxy/endpoint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>

#include "proxy/fake_postgres_for_test.h"
#include "proxy/sockets.h"

namespace howdah::proxy {
namespace {

using ha::RecordState;

/// Just enough of a store: one writer's transactions, gets, and watches that can be held back.
class SmallStore final : public dcs::KeyValueStore {
public:
    explicit SmallStore(io::Clock& clock) : clock_(clock) {}

    /// One revision, as the keeper writes the record's two keys.
    void put(const std::vector<std::pair<std::string, std::string>>& pairs) {
        ++revision_;
        for (const auto& [key, value] : pairs) {
            auto& kv = keys_[key];
            kv = {.key = key,
                  .value = value,
                  .create_revision = kv.create_revision ? kv.create_revision : revision_,
                  .mod_revision = revision_};
            log_.push_back({.kv = kv});
        }
    }
    bool silent = false;

    io::Task<Result<dcs::Snapshot>> get(std::string, bool, dcs::Patience patience) override {
        HD_CO_TRY_VOID(co_await answer(patience));
        dcs::Snapshot snapshot{.revision = revision_};
        for (const auto& [key, kv] : keys_) {
            snapshot.keys.push_back(kv);
        }
        co_return snapshot;
    }
    io::Task<Result<dcs::TxnAnswer>> commit(dcs::Txn txn, dcs::Patience patience) override {
        HD_CO_TRY_VOID(co_await answer(patience));
        dcs::TxnAnswer answer{.succeeded = true};
        for (const auto& operation : txn.then) {
            if (const auto* write = std::get_if<dcs::Put>(&operation)) {
                put({{write->key, write->value}});
            } else if (const auto* read = std::get_if<dcs::Get>(&operation)) {
                if (keys_.contains(read->key)) {
                    answer.found.push_back(keys_[read->key]);
                }
            } else {
                keys_.erase(std::get<dcs::Delete>(operation).key);
            }
        }
        answer.revision = revision_;
        co_return answer;
    }
    io::Task<Result<dcs::Lease>> grant(Seconds ttl, dcs::Patience) override {
        co_return dcs::Lease{.id = 1, .ttl = ttl};
    }
    io::Task<Result<>> keep_alive(dcs::LeaseId, dcs::Patience) override { co_return Result<>{}; }
    io::Task<Result<>> revoke(dcs::LeaseId, dcs::Patience) override { co_return Result<>{}; }
    io::Task<Result<>> compact(dcs::Revision, dcs::Patience) override { co_return Result<>{}; }
    io::Task<Result<dcs::Space>> space(dcs::Patience) override { co_return dcs::Space{}; }
    std::unique_ptr<dcs::Watch> watch(std::string, dcs::Revision from) override {
        return std::make_unique<SmallWatch>(*this, from);
    }
    const std::map<std::string, dcs::KeyValue>& keys() const { return keys_; }

private:
    struct SmallWatch final : dcs::Watch {
        SmallWatch(SmallStore& of, dcs::Revision first) : store(of), from(first) {}
        io::Task<Result<std::vector<dcs::Event>>> next() override {
            for (;;) {
                std::vector<dcs::Event> events;
                std::ranges::copy_if(store.log_, std::back_inserter(events),
                                     [this](const auto& e) { return e.kv.mod_revision >= from; });
                if (!events.empty() && !store.silent) {
                    from = store.revision_ + 1;
                    co_return events;
                }
                HD_CO_TRY_VOID(co_await store.clock_.until(store.clock_.now() + Millis(1)));
            }
        }
        SmallStore& store;
        dcs::Revision from;
    };
    io::Task<Result<>> answer(dcs::Patience patience) {
        if (silent) {
            HD_CO_TRY_VOID(co_await clock_.until(clock_.now() + patience.total));
            co_return fail(Errc::timeout, "no answer");
        }
        co_return Result<>{};
    }

    io::Clock& clock_;
    std::int64_t revision_ = 1;
    std::map<std::string, dcs::KeyValue> keys_{};
    std::vector<dcs::Event> log_{};
};

class EndpointTest : public testing::Test {
protected:
    EndpointTest() {
        config::Proxy ports{.read_write = config::HostPort{.host = "127.0.62.3", .port = 0},
                            .read_only = config::HostPort{.host = "127.0.62.3", .port = 0}};
        endpoint_ =
            std::make_unique<Endpoint>(context_.get_executor(), clock_, store_, store_,
                                       EndpointOptions{.prefix = "/service/demo/",
                                                       .id = "e1",
                                                       .ports = ports,
                                                       .logins = {{.username = "postgres"}}});
        EXPECT_TRUE(endpoint_->open());
        scope_.spawn([this] { return endpoint_->run(); });
    }
    ~EndpointTest() override {
        io::asio::co_spawn(context_, scope_.close(), [](std::exception_ptr) {});
        context_.restart();
        context_.run();
        EXPECT_FALSE(store_.keys().contains("/service/demo/howdah-endpoint/e1"));
    }

    void add_member(const std::string& name, const FakePostgres& server, const std::string& role) {
        const ha::Member member{.name = name,
                                .conn_url = "postgres://" + server.address().host() + ":" +
                                            std::to_string(server.address().port()) + "/postgres",
                                .api_url = "http://127.0.62.3:1/patroni",
                                .state = "running",
                                .role = role,
                                .version = "4.1.4",
                                .uuid = "uuid-" + name};
        store_.put({{"/service/demo/members/" + name, ha::render(member)}});
    }
    void write_record(RecordState state) {
        record_.state = state;
        ++record_.seq;
        store_.put({{"/service/demo/howdah", ha::render(record_)},
                    {"/service/demo/leader", record_.holder_name}});
    }
    void new_term(const std::string& name, RecordState state) {
        record_ = {.epoch = record_.epoch + 1,
                   .holder = "uuid-" + name,
                   .holder_name = name,
                   .incarnation = "run-" + name,
                   .ttl = Millis(1200),
                   .claimers = {"uuid-pgvm1", "uuid-pgvm2"},
                   .system_id = "7",
                   .timeline = 3};
        write_record(state);
    }
    /// Runs the endpoint, and the holder's renewals, until `holds`.
    bool eventually(const std::function<bool()>& holds, Nanos limit = Seconds(5)) {
        const auto end = boot_time() + limit;
        while (!holds() && boot_time() < end) {
            if (renewing_ && boot_time() > renewed_ + Millis(100)) {
                renewed_ = boot_time();
                write_record(RecordState::primary);
            }
            context_.restart();
            context_.run_for(Millis(1));
        }
        return holds();
    }
    bool open_to(const std::string& name) {
        return eventually([&] {
            const auto status = endpoint_->status();
            return status.verified && status.route.member_name == name;
        });
    }
    Fd connect(Port port = Port::read_write) {
        const auto to = endpoint_->listening(port);
        Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        EXPECT_EQ(::connect(fd.get(), to.get(), to.length), 0);
        return fd;
    }
    std::string hear(const Fd& fd) {
        std::optional<std::string> heard;
        eventually([&] {
            char bytes[100];
            const auto n = heard ? 0 : recv(fd.get(), bytes, sizeof bytes, MSG_DONTWAIT);
            if (n > 0 || (n == 0 && !heard)) {
                heard = std::string(bytes, static_cast<std::size_t>(n));
            } else if (n < 0 && errno == ECONNRESET) {
                heard = "reset";
            }
            return heard.has_value();
        });
        return heard.value_or("nothing");
    }
    void say(const Fd& fd, const std::string& text) {
        EXPECT_EQ(send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(text.size()));
    }

    FakePostgres pgvm1_{"pgvm1"}, pgvm2_{"pgvm2"};
    io::SystemClock clock_{};
    SmallStore store_{clock_};
    io::asio::io_context context_{1};
    io::Scope scope_{context_.get_executor()};
    std::unique_ptr<Endpoint> endpoint_{};
    ha::Record record_{};
    bool renewing_ = true;
    Instant renewed_{};
};

TEST_F(EndpointTest, LeadsToThePrimaryOnceItRenewsAndAnswers) {
    const auto client = connect();
    say(client, "hello");
    add_member("pgvm1", pgvm1_, "primary");
    new_term("pgvm1", RecordState::primary);
    ASSERT_TRUE(open_to("pgvm1"));
    EXPECT_EQ(hear(client), "pgvm1");
    say(client, "echo");
    EXPECT_EQ(hear(client), "echo");
    EXPECT_TRUE(store_.keys().contains("/service/demo/howdah-endpoint/e1"));
    EXPECT_NE(line(endpoint_->status()).find("open to pgvm1 epoch=1 timeline=3"),
              std::string::npos);
    EXPECT_NE(render(endpoint_->status()).find(R"("member":"pgvm1")"), std::string::npos);
}

TEST_F(EndpointTest, ANewEpochCutsOldSessionsAndLetsHeldOnesThrough) {
    add_member("pgvm1", pgvm1_, "primary");
    add_member("pgvm2", pgvm2_, "replica");
    new_term("pgvm1", RecordState::primary);
    ASSERT_TRUE(open_to("pgvm1"));
    const auto old = connect();
    say(old, "hello");
    ASSERT_EQ(hear(old), "pgvm1");
    renewing_ = false;
    write_record(RecordState::released);
    EXPECT_EQ(hear(old), "reset");
    const auto held = connect();
    say(held, "hello");
    new_term("pgvm2", RecordState::claimed);
    ASSERT_TRUE(eventually([&] { return pgvm2_.logins() == 1; }))
        << "the sentinel connects in advance";
    write_record(RecordState::primary);
    const auto began = boot_time();
    EXPECT_EQ(hear(held), "pgvm2");
    const auto took = boot_time() - began;
    RecordProperty("primary_to_first_answer_us", static_cast<int>(to_seconds(took) * 1e6));
    EXPECT_LT(took, Millis(200));
}

TEST_F(EndpointTest, AStoreThatIsSilentClosesItAtTheDeadline) {
    add_member("pgvm1", pgvm1_, "primary");
    new_term("pgvm1", RecordState::primary);
    ASSERT_TRUE(open_to("pgvm1"));
    const auto client = connect();
    say(client, "hello");
    ASSERT_EQ(hear(client), "pgvm1");
    const auto began = boot_time();
    store_.silent = true;
    EXPECT_EQ(hear(client), "reset");
    EXPECT_LT(boot_time() - began, Millis(1500));
    EXPECT_GT(boot_time() - began, Millis(500));
    store_.silent = false;
    EXPECT_TRUE(open_to("pgvm1"));
}

TEST_F(EndpointTest, LetsNobodyInUntilThePrimaryHasAnswered) {
    pgvm1_.answer({"t", "7", ""});
    add_member("pgvm1", pgvm1_, "primary");
    new_term("pgvm1", RecordState::primary);
    ASSERT_TRUE(eventually([&] { return endpoint_->status().route.open; }));
    const auto client = connect();
    say(client, "hello");
    ASSERT_TRUE(eventually([&] { return endpoint_->status().counts.held == 1; }));
    EXPECT_NE(line(endpoint_->status()).find("not yet verified: pgvm1"), std::string::npos);
    pgvm1_.answer({"f", "7", "000000030000000000000005"});
    EXPECT_EQ(hear(client), "pgvm1");
}

TEST_F(EndpointTest, LeadsReadersToAStandbyElseToThePrimary) {
    add_member("pgvm1", pgvm1_, "primary");
    add_member("pgvm2", pgvm2_, "replica");
    new_term("pgvm1", RecordState::primary);
    ASSERT_TRUE(open_to("pgvm1"));
    const auto reader = connect(Port::read_only);
    say(reader, "hello");
    EXPECT_EQ(hear(reader), "pgvm2");
    add_member("pgvm2", pgvm2_, "demoted");
    EXPECT_EQ(hear(reader), "reset");
    const auto again = connect(Port::read_only);
    say(again, "hello");
    EXPECT_EQ(hear(again), "pgvm1");
}

TEST(EndpointId, IsStableAndOfThePorts) {
    const config::Proxy one{.read_write = config::HostPort{.host = "a", .port = 1}};
    const config::Proxy two{.read_write = config::HostPort{.host = "a", .port = 2}};
    EXPECT_EQ(endpoint_id("h", one), endpoint_id("h", one));
    EXPECT_NE(endpoint_id("h", one), endpoint_id("h", two));
    EXPECT_EQ(endpoint_id("h", one).size(), 32U);
}

}  // namespace
}  // namespace howdah::proxy
