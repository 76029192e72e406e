#include "proxy/data_path.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <functional>
#include <mutex>
#include <thread>

#include "io/files.h"
#include "proxy/fd.h"
#include "proxy/sockets.h"

namespace howdah::proxy {
namespace {

using namespace std::string_literals;

const auto startup = "\0\0\0\x11\0\3\0\0user\0bob\0"s;
const auto ssl_request = "\0\0\0\x08\x04\xd2\x16\x2f"s;
const auto cancel_request = "\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\1\0\0\0\2"s;

Address loopback(std::uint16_t port = 0) {
    return Address::numeric("127.0.62.1", port).value();
}

Address bound(int fd) {
    Address address;
    address.length = sizeof address.storage;
    getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.length);
    return address;
}

bool eventually(const std::function<bool()>& holds, Nanos limit = Seconds(10)) {
    const auto end = boot_time() + limit;
    while (!holds()) {
        if (boot_time() > end) {
            return false;
        }
        poll(nullptr, 0, 2);
    }
    return true;
}

/// A blocking connection whose calls end within ten seconds.
class Peer {
public:
    Peer() = default;
    explicit Peer(Fd fd) : fd_(std::move(fd)) { limit(); }
    explicit Peer(const Address& to) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        limit();
        EXPECT_EQ(connect(fd_.get(), to.get(), to.length), 0) << std::strerror(errno);
    }

    void say(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto n = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            ASSERT_GT(n, 0) << std::strerror(errno);
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
    }
    std::string hear(std::size_t size) {
        std::string all;
        while (all.size() < size) {
            const auto piece = hear_some(size - all.size());
            if (piece.empty()) {
                break;
            }
            all += piece;
        }
        return all;
    }
    std::string hear_all() { return hear(std::size_t(1) << 40U); }
    std::string hear_some(std::size_t at_most) {
        char bytes[65536];
        last_ = recv(fd_.get(), bytes, std::min(at_most, sizeof bytes), 0);
        error_ = last_ < 0 ? errno : 0;
        return {bytes, static_cast<std::size_t>(std::max<ssize_t>(last_, 0))};
    }
    /// Waits for the end; true when it was a reset.
    bool was_reset() {
        while (!hear_some(65536).empty()) {
        }
        return error_ == ECONNRESET;
    }
    bool silent_for(int ms) {
        pollfd p{.fd = fd_.get(), .events = POLLIN, .revents = 0};
        return poll(&p, 1, ms) == 0;
    }
    void end_writing() { shutdown(fd_.get(), SHUT_WR); }
    void close() { fd_ = {}; }
    int fd() const { return fd_.get(); }

private:
    void limit() const {
        const timeval ten{.tv_sec = 10, .tv_usec = 0};
        setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &ten, sizeof ten);
        setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &ten, sizeof ten);
    }
    Fd fd_{};
    ssize_t last_ = 0;
    int error_ = 0;
};

/// A server whose every connection runs `serve` on a thread of its own (none: it is only kept).
class FakeServer {
public:
    using Serve = std::function<void(Peer&)>;
    explicit FakeServer(Serve serve = {}, Address address = loopback())
        : serve_(std::move(serve)), listener_(open_listener(address).value()) {
        address_ = bound(listener_.get());
        thread_ = std::thread([this] { accept_all(); });
    }
    ~FakeServer() {
        stop_ = true;
        thread_.join();
        for (auto& peer : peers_) {
            shutdown(peer->fd(), SHUT_RDWR);
        }
        for (auto& thread : threads_) {
            thread.join();
        }
    }
    Address address() const { return address_; }
    std::size_t connections() {
        const std::scoped_lock lock(mutex_);
        return peers_.size();
    }
    Peer& peer(std::size_t i) {
        const std::scoped_lock lock(mutex_);
        return *peers_.at(i);
    }

private:
    void accept_all() {
        while (!stop_) {
            pollfd p{.fd = listener_.get(), .events = POLLIN, .revents = 0};
            if (poll(&p, 1, 20) <= 0) {
                continue;
            }
            auto peer = std::make_shared<Peer>(
                Fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
            const std::scoped_lock lock(mutex_);
            peers_.push_back(peer);
            if (serve_) {
                threads_.emplace_back([this, peer] { serve_(*peer); });
            }
        }
    }

    Serve serve_;
    Fd listener_;
    Address address_{};
    std::atomic<bool> stop_ = false;
    std::mutex mutex_{};
    std::vector<std::shared_ptr<Peer>> peers_{};
    std::vector<std::thread> threads_{};
    std::thread thread_{};
};

void echo(Peer& peer) {
    for (auto piece = peer.hear_some(65536); !piece.empty(); piece = peer.hear_some(65536)) {
        peer.say(piece);
    }
    peer.end_writing();
}

std::shared_ptr<const Backend> a_backend(const std::string& name, const Address& address) {
    return std::make_shared<const Backend>(
        Backend{.member = "uuid-" + name, .name = name, .address = address});
}

class DataPathTest : public testing::Test {
protected:
    void start(DataPathOptions options = {}) {
        options.threads = options.threads ? options.threads : 2;
        path_ = std::make_unique<DataPath>(options);
        ASSERT_TRUE(path_->listen(Port::read_write, loopback()));
        ASSERT_TRUE(path_->listen(Port::read_only, loopback()));
        ASSERT_TRUE(path_->start());
    }
    Peer connect(Port port = Port::read_write) { return Peer(path_->listening(port)); }

    void open_to(std::shared_ptr<const Backend> backend, ha::Epoch epoch = 1,
                 Nanos for_long = Seconds(60), bool takes_new = true) {
        routing_.primary = Routing::Primary{.backend = std::move(backend),
                                            .epoch = epoch,
                                            .deadline = boot_time() + for_long,
                                            .takes_new = takes_new};
        publish();
    }
    void close_route(std::string why = "test") {
        routing_.primary.reset();
        routing_.why_closed = std::move(why);
        publish();
    }
    void publish() { path_->publish(std::make_shared<const Routing>(routing_)); }
    bool held(std::uint64_t n) {
        return eventually([&] { return path_->counts().held == n; });
    }

    Routing routing_{};
    ha::WakeWatch wake_{};  ///< read by the path's threads until it has ended
    std::unique_ptr<DataPath> path_{};
};

TEST_F(DataPathTest, PassesBytesBothWays) {
    FakeServer server(echo);
    start();
    open_to(a_backend("a", server.address()));
    auto client = connect();
    for (const auto* text : {"one", "two", "three"}) {
        client.say(text);
        EXPECT_EQ(client.hear(std::strlen(text)), text);
    }
    EXPECT_EQ(path_->counts().bytes_to_servers_total, 11U);
    client.close();
    EXPECT_TRUE(eventually([&] { return path_->counts().sessions == 0; }));
}

TEST_F(DataPathTest, PassesAHalfCloseAndTheAnswerAfterIt) {
    FakeServer server([](Peer& peer) {
        const auto all = peer.hear_all();
        peer.say("heard " + std::to_string(all.size()));
        peer.end_writing();
    });
    start();
    open_to(a_backend("a", server.address()));
    auto client = connect();
    client.say(std::string(100000, 'x'));
    client.end_writing();
    EXPECT_EQ(client.hear_all(), "heard 100000");
    EXPECT_TRUE(eventually([&] { return path_->counts().sessions == 0; }));
}

TEST_F(DataPathTest, DeliversTheCancelRequestOfAClientThatHasLeft) {
    FakeServer server;
    start();
    open_to(a_backend("a", server.address()));
    {
        auto client = connect();
        client.say(cancel_request);
    }
    ASSERT_TRUE(eventually([&] { return server.connections() == 1; }));
    EXPECT_EQ(server.peer(0).hear_all(), cancel_request);
}

TEST_F(DataPathTest, DeliversTheServersLastWords) {
    FakeServer server([](Peer& peer) {
        peer.hear_some(1);
        peer.say("FATAL: shutting down");
        reset_on_close(peer.fd());
        peer.end_writing();
        peer.close();
    });
    start();
    open_to(a_backend("a", server.address()));
    auto client = connect();
    client.say("x");
    EXPECT_EQ(client.hear_all(), "FATAL: shutting down");
}

TEST_F(DataPathTest, MovesABulkLoadBothWays) {
    FakeServer server(echo);
    start();
    open_to(a_backend("a", server.address()));
    auto client = connect();
    constexpr std::size_t size = 100U << 20U;
    const std::string piece(1U << 20U, 'b');
    const auto began = boot_time();
    std::thread writer([&] {
        for (std::size_t i = 0; i < size; i += piece.size()) {
            client.say(piece);
        }
    });
    std::size_t heard = 0;
    for (std::string got; heard < size; heard += got.size()) {
        got = client.hear_some(65536);
        ASSERT_FALSE(got.empty());
    }
    writer.join();
    const auto took = to_seconds(boot_time() - began);
    RecordProperty("echo_mib_per_second", static_cast<int>(100 / took));
    EXPECT_LT(took, 20);
}

TEST_F(DataPathTest, HoldsBackAWriterWhoseServerDoesNotRead) {
    FakeServer server;
    start();
    open_to(a_backend("a", server.address()));
    auto client = connect();
    const std::string piece(1U << 16U, 'x');
    std::size_t sent = 0;
    for (pollfd p{.fd = client.fd(), .events = POLLOUT, .revents = 0}; poll(&p, 1, 300) == 1;) {
        const auto n = send(client.fd(), piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += static_cast<std::size_t>(std::max<ssize_t>(n, 0));
        ASSERT_LT(sent, 100U << 20U) << "somebody buffers without bound";
    }
    client.end_writing();
    EXPECT_EQ(server.peer(0).hear_all().size(), sent);
}

TEST_F(DataPathTest, ABulkLoadDoesNotStarveItsNeighbour) {
    FakeServer server(echo);
    start({.threads = 1});
    open_to(a_backend("a", server.address()));
    auto bulk = connect();
    std::atomic<bool> stop = false;
    std::thread writer([&] {
        const std::string piece(1U << 16U, 'b');
        while (!stop) {
            (void)send(bulk.fd(), piece.data(), piece.size(), MSG_NOSIGNAL);
        }
        bulk.end_writing();
    });
    std::thread reader([&] { bulk.hear_all(); });
    auto client = connect();
    Nanos worst{};
    for (int i = 0; i < 50; ++i) {
        const auto began = boot_time();
        client.say("ping");
        EXPECT_EQ(client.hear(4), "ping");
        worst = std::max(worst, boot_time() - began);
    }
    stop = true;
    writer.join();
    reader.join();
    EXPECT_LT(worst, Seconds(1));
}

TEST_F(DataPathTest, HoldsUntilTheRouteOpens) {
    FakeServer server(echo);
    start();
    close_route();
    auto client = connect();
    client.say("early");
    ASSERT_TRUE(held(1));
    EXPECT_EQ(server.connections(), 0U);
    const auto began = boot_time();
    open_to(a_backend("a", server.address()));
    EXPECT_EQ(client.hear(5), "early");
    RecordProperty("held_to_first_answer_us",
                   static_cast<int>(to_seconds(boot_time() - began) * 1e6));
    EXPECT_TRUE(held(0));
}

TEST_F(DataPathTest, RefusesWith57P03AfterTheHoldLimit) {
    start({.hold_limit = Millis(100)});
    close_route("epoch 3 of pgvm1 is released");
    auto client = connect();
    client.say(startup);
    const auto answer = client.hear_all();
    EXPECT_EQ(answer.substr(0, 1), "E");
    EXPECT_NE(answer.find("C57P03"), std::string::npos);
    EXPECT_NE(answer.find("epoch 3 of pgvm1 is released"), std::string::npos);
    EXPECT_EQ(path_->counts().refused_total, 1U);
    EXPECT_EQ(path_->counts().held, 0U);
    client.close();
    EXPECT_TRUE(eventually([&] { return path_->counts().sessions == 0; }));
}

TEST_F(DataPathTest, RefusesAClientThatAskedForTlsFirst) {
    start({.hold_limit = Millis(50)});
    close_route();
    auto client = connect();
    client.say(ssl_request);
    EXPECT_EQ(client.hear(1), "N");
    client.say(startup);
    EXPECT_NE(client.hear_all().find("C57P03"), std::string::npos);
}

TEST_F(DataPathTest, EndsARefusedClientThatSaysNothing) {
    start({.hold_limit = Millis(20), .refusal_limit = Millis(50)});
    close_route();
    auto client = connect();
    EXPECT_EQ(client.hear_all(), "");
    EXPECT_TRUE(eventually([&] { return path_->counts().sessions == 0; }));
}

TEST_F(DataPathTest, ClosesACancelRequestWhileThereIsNoRoute) {
    start();
    close_route();
    auto client = connect();
    client.say(cancel_request);
    EXPECT_EQ(client.hear_all(), "");
    EXPECT_TRUE(eventually([&] { return path_->counts().sessions == 0; }));
}

TEST_F(DataPathTest, ForgetsAHeldClientThatLeaves) {
    start();
    close_route();
    auto client = connect();
    ASSERT_TRUE(held(1));
    client.close();
    EXPECT_TRUE(held(0));
    EXPECT_EQ(path_->counts().sessions, 0U);
}

TEST_F(DataPathTest, BoundsHowManyAreHeld) {
    start({.max_held = 2});
    close_route();
    auto first = connect();
    auto second = connect();
    ASSERT_TRUE(held(2));
    auto third = connect();
    third.say(startup);
    EXPECT_NE(third.hear_all().find("C57P03"), std::string::npos);
    EXPECT_TRUE(first.silent_for(0));
    EXPECT_TRUE(second.silent_for(0));
}

TEST_F(DataPathTest, ClosesWhatExceedsTheSessionLimit) {
    start({.max_sessions = 1});
    close_route();
    auto first = connect();
    ASSERT_TRUE(held(1));
    auto second = connect();
    EXPECT_EQ(second.hear_all(), "");
}

TEST_F(DataPathTest, TriesABackendThatRefusesAgain) {
    Address address;
    {
        const auto reserved = open_listener(loopback()).value();
        address = bound(reserved.get());
    }
    start();
    open_to(a_backend("a", address));
    auto client = connect();
    client.say("patience");
    ASSERT_TRUE(eventually([&] { return path_->counts().connect_failures_total >= 3; }));
    FakeServer server(echo, address);
    EXPECT_EQ(client.hear(8), "patience");
}

TEST_F(DataPathTest, RefusesWhenTheBackendRefusesUntilTheHoldLimit) {
    Address address;
    {
        const auto reserved = open_listener(loopback()).value();
        address = bound(reserved.get());
    }
    start({.hold_limit = Millis(200)});
    open_to(a_backend("a", address));
    auto client = connect();
    client.say(startup);
    EXPECT_NE(client.hear_all().find("C57P03"), std::string::npos);
}

TEST_F(DataPathTest, CutsSessionsOfAnOlderEpochAtOnce) {
    FakeServer old_primary(echo);
    FakeServer new_primary(echo);
    start();
    open_to(a_backend("a", old_primary.address()), 1);
    auto client = connect();
    client.say("x");
    ASSERT_EQ(client.hear(1), "x");
    const auto began = boot_time();
    open_to(a_backend("b", new_primary.address()), 2);
    EXPECT_TRUE(client.was_reset());
    EXPECT_LT(boot_time() - began, Seconds(1));
    EXPECT_EQ(path_->counts().cut_total, 1U);
    auto again = connect();
    again.say("y");
    EXPECT_EQ(again.hear(1), "y");
    EXPECT_EQ(new_primary.connections(), 1U);
}

TEST_F(DataPathTest, CutsASessionOfTheSameMemberInANewEpoch) {
    FakeServer server;
    start();
    const auto backend = a_backend("a", server.address());
    open_to(backend, 1);
    auto client = connect();
    ASSERT_TRUE(eventually([&] { return server.connections() == 1; }));
    open_to(backend, 2);
    EXPECT_TRUE(client.was_reset());
    EXPECT_TRUE(server.peer(0).was_reset());
}

TEST_F(DataPathTest, KeepsSessionsWhenOnlyTheDeadlineMoves) {
    FakeServer server(echo);
    start();
    auto client = connect();
    for (int i = 0; i < 20; ++i) {
        open_to(a_backend("a", server.address()), 1, Millis(500 + i));
        client.say("x");
        EXPECT_EQ(client.hear(1), "x");
    }
    EXPECT_EQ(path_->counts().cut_total, 0U);
}

TEST_F(DataPathTest, CutsAtTheDeadlineThoughNobodyPublishes) {
    FakeServer server(echo);
    start();
    open_to(a_backend("a", server.address()), 1, Millis(300));
    const auto deadline = routing_.primary->deadline;
    auto idle = connect();
    auto busy = connect();
    busy.say("x");
    ASSERT_EQ(busy.hear(1), "x");
    // From here on this thread, which publishes, does nothing but wait: as if it were stuck.
    EXPECT_TRUE(idle.was_reset());
    const auto late = boot_time() - deadline;
    EXPECT_GE(late, Nanos{});
    EXPECT_LT(late, Millis(250));
    EXPECT_TRUE(busy.was_reset());
    EXPECT_EQ(path_->counts().cut_total, 2U);
    auto held_one = connect();
    held_one.say("y");
    ASSERT_TRUE(held(1));
    open_to(a_backend("a", server.address()), 1);
    EXPECT_EQ(held_one.hear(1), "y");
}

TEST_F(DataPathTest, KeepsOldSessionsAndHoldsNewOnesWhileUnverified) {
    FakeServer server(echo);
    start();
    const auto backend = a_backend("a", server.address());
    open_to(backend);
    auto old = connect();
    old.say("x");
    ASSERT_EQ(old.hear(1), "x");
    open_to(backend, 1, Seconds(60), false);
    auto fresh = connect();
    fresh.say("z");
    ASSERT_TRUE(held(1));
    old.say("y");
    EXPECT_EQ(old.hear(1), "y");
    open_to(backend);
    EXPECT_EQ(fresh.hear(1), "z");
}

TEST_F(DataPathTest, HoldsSessionsStillAfterAPauseUntilTheRouteIsFoundAnew) {
    FakeServer server(echo);
    start({.wake = &wake_});
    open_to(a_backend("a", server.address()));
    auto client = connect();
    client.say("one");
    EXPECT_EQ(client.hear(3), "one");
    wake_.overslept(Instant{Seconds(1)}, Instant{Seconds(100)}, Seconds(5));
    client.say("two");
    EXPECT_TRUE(client.silent_for(100));
    open_to(a_backend("a", server.address()));
    EXPECT_TRUE(client.silent_for(100)) << "found before the pause";
    routing_.pauses = wake_.pauses();
    open_to(a_backend("a", server.address()));
    EXPECT_EQ(client.hear(3), "two");
    routing_.primary->still = true;
    publish();
    client.say("three");
    EXPECT_TRUE(client.silent_for(100));
    routing_.primary->still = false;
    publish();
    EXPECT_EQ(client.hear(5), "three");
}

TEST_F(DataPathTest, SpreadsReadOnlySessionsOverStandbys) {
    FakeServer one;
    FakeServer two;
    FakeServer lagging;
    start({.threads = 1});
    routing_.standbys = {{.backend = a_backend("one", one.address())},
                         {.backend = a_backend("lagging", lagging.address()), .takes_new = false},
                         {.backend = a_backend("two", two.address())}};
    publish();
    std::vector<Peer> clients;
    for (int i = 0; i < 10; ++i) {
        clients.push_back(connect(Port::read_only));
    }
    EXPECT_TRUE(eventually([&] { return one.connections() + two.connections() == 10; }));
    EXPECT_EQ(one.connections(), 5U);
    EXPECT_EQ(lagging.connections(), 0U);
}

TEST_F(DataPathTest, CutsReadOnlySessionsOfAStandbyThatIsGone) {
    FakeServer one;
    start();
    routing_.standbys = {{.backend = a_backend("one", one.address())}};
    publish();
    auto client = connect(Port::read_only);
    ASSERT_TRUE(eventually([&] { return one.connections() == 1; }));
    routing_.standbys.clear();
    publish();
    EXPECT_TRUE(client.was_reset());
}

TEST_F(DataPathTest, ReadsFromThePrimaryWhenNoStandbyAnswers) {
    FakeServer primary(echo);
    Address nobody;
    {
        const auto reserved = open_listener(loopback()).value();
        nobody = bound(reserved.get());
    }
    start();
    routing_.standbys = {{.backend = a_backend("gone", nobody)}};
    open_to(a_backend("a", primary.address()));
    auto client = connect(Port::read_only);
    client.say("x");
    EXPECT_EQ(client.hear(1), "x");
    open_to(a_backend("a", primary.address()), 2);
    EXPECT_TRUE(client.was_reset()) << "a session on the primary is bound to its epoch";
}

TEST_F(DataPathTest, HoldsReadersWhenThePrimaryIsNotForThem) {
    FakeServer primary(echo);
    FakeServer standby(echo);
    start();
    routing_.read_only_fallback = false;
    open_to(a_backend("a", primary.address()));
    auto client = connect(Port::read_only);
    client.say("x");
    ASSERT_TRUE(held(1));
    routing_.standbys = {{.backend = a_backend("b", standby.address())}};
    publish();
    EXPECT_EQ(client.hear(1), "x");
    EXPECT_EQ(primary.connections(), 0U);
}

std::size_t resident_kib() {
    std::ifstream file("/proc/self/statm");
    std::size_t size = 0;
    std::size_t resident = 0;
    file >> size >> resident;
    return resident * 4;
}

TEST_F(DataPathTest, IdleSessionsCostLittleMemory) {
    io::raise_open_files_limit();
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    const std::size_t sessions = std::min<std::size_t>(3000, (limit.rlim_cur - 200) / 4);
    FakeServer server;
    start();
    open_to(a_backend("a", server.address()));
    const auto before = resident_kib();
    std::vector<Peer> clients;
    for (std::size_t i = 0; i < sessions; ++i) {
        clients.push_back(connect());
        clients.back().say("hello");
    }
    ASSERT_TRUE(eventually([&] { return path_->counts().bytes_to_servers_total == 5 * sessions; }));
    const auto grown = resident_kib() - before;
    RecordProperty("bytes_per_idle_session", static_cast<int>(grown * 1024 / sessions));
    // Client, fake server and endpoint share this process; 16 KiB buffers would make 48 MiB.
    EXPECT_LT(grown * 1024 / sessions, 4096U);
    close_route();
    EXPECT_TRUE(clients.front().was_reset());
    EXPECT_TRUE(eventually([&] { return path_->counts().sessions == 0; }));
}

TEST_F(DataPathTest, SaysWhichPortIsInUse) {
    const auto taken = open_listener(loopback()).value();
    const auto address = bound(taken.get());
    DataPath path({});
    const auto result = path.listen(Port::read_write, address);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message,
              "endpoint: port " + std::to_string(address.port()) + " of 127.0.62.1 is in use");
    EXPECT_FALSE(result.error().hint.empty());
}

}  // namespace
}  // namespace howdah::proxy
