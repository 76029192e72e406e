#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dcs/fake/fake_store.h"
#include "ha/wake_watch.h"
#include "instance/fake/fake_instance.h"
#include "io/virtual_clock.h"
#include "proxy/follower.h"
#include "proxy/route_loop.h"

namespace howdah::sim {

class World;
class Host;
class Client;

/// The product's own loop and follower over models of the store, of the members' answers and of the
/// endpoint's connections.
class Endpoint {
public:
    Endpoint(World& world, int node, Nanos offset, std::int64_t ppm);
    ~Endpoint();
    void begin();
    io::Task<> close();

    proxy::Route route() const { return loop_.route(); }
    ha::Epoch newest_epoch() const { return loop_.newest() ? loop_.newest()->epoch : 0; }

    World& world;
    const int node;
    io::HostClock clock;

    /// What the sentinel's connection says: false when this server was not reached, or is another
    /// life of the one that was verified for this epoch.
    bool stands_for(const Host& host, ha::Epoch epoch, bool fits, std::uint64_t life);

private:
    struct Verified {
        const Host* host = nullptr;
        ha::Epoch epoch = 0;
        std::uint64_t life = 0;
    };

    io::Task<std::vector<ha::Vouch>> ask_members(Nanos limit);

    std::optional<Verified> verified_{};

    dcs::fake::FakeStore store_;
    dcs::fake::FakeStore watch_store_;
    ha::WakeWatch wake_{};
    proxy::RouteLoop loop_;
    proxy::Follower follower_;
    io::Scope scope_;
    std::vector<std::unique_ptr<Client>> clients_{};
};

/// An application with one connection to the read-write port: it writes, now and then it reads.
class Client {
public:
    Client(Endpoint& endpoint, std::uint64_t seed) : endpoint_(endpoint), random_(seed) {}
    void next();

private:
    /// The endpoint's connection to a server, bound to (member, epoch) (X2).
    struct Connection {
        Host* host = nullptr;
        ha::Epoch epoch = 0;
        std::uint64_t life = 0;
    };

    void begin();
    void open(const proxy::Route& route);
    void send_statement();
    void serve(Host& host, std::uint64_t number, bool reads);
    void answered(instance::Committed how, bool reads, ha::Epoch epoch);
    void fail();
    /// From here to there and on that host's clock; nothing when the packet is lost.
    void carry(Host& host, std::function<void()> then);
    void carry_back(Host& host, std::uint64_t number, std::function<void()> then);

    Endpoint& endpoint_;
    Random random_;
    std::optional<Connection> connection_{};
    std::uint64_t number_ = 0;  ///< of the step that is waited for
    io::HostClock::Handle timeout_ = 0;
};

}  // namespace howdah::sim
