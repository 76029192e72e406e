#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "clients.h"
#include "host.h"

namespace howdah::sim {

struct Options {
    std::uint64_t seed = 1;
    int hosts = 3;
    Nanos lasts =
        Seconds(600);  ///< with faults; then they stop and the cluster must become writable
    bool verbose = false;
};

/// What a run showed. No violation: the invariants held after every step, and the cluster came
/// back.
struct Report {
    std::vector<std::string> violations{};
    std::set<std::string, std::less<>> rules{};  ///< that fired
    std::uint64_t writes = 0;
    std::uint64_t terms = 0;
    std::uint64_t fingerprint = 0;  ///< of everything that was committed: equal for equal seeds
};

/// A cluster of agents on models of etcd and PostgreSQL, on virtual time, with faults drawn from
/// one seed.
class World {
public:
    explicit World(Options options);
    ~World();
    Report run();

    io::asio::io_context context{1};
    io::VirtualClock clock{};
    dcs::fake::FakeEtcd etcd;
    instance::FakeServers servers{};
    Random random;
    Options options;
    std::vector<std::unique_ptr<Host>> hosts{};
    bool store_lost = false;  ///< it answers nobody; the hosts still reach each other

    /// From the agents: which rule decided.
    void on_plan(const Host& host, const ha::View& view, const ha::Plan& plan);
    std::string prefix() const { return "/service/sim/"; }
    /// A `/config` with some synchronous mode.
    std::string draw_configuration();

private:
    io::Task<> live();
    io::Task<> one_fault();
    io::Task<> heal();
    void step();
    void check();
    void heed(const dcs::Event& event);
    void violation(std::string what);
    void say(const std::string& what) const;
    Host& pick() {
        return *hosts[static_cast<std::size_t>(random.between(0, std::ssize(hosts) - 1))];
    }
    Host* writable_host();

    void operate();
    void lose_store(bool lost);
    void check_new_primary(const Host& host);

    Report report_{};
    Clients clients_;
    ha::Record record_{};          ///< as committed last
    std::string last_writable_{};  ///< name and branch of the last server that took writes
    ha::Epoch last_epoch_ = 0;
    std::map<ha::Epoch, std::string> holder_of_{};
    std::map<ha::Epoch, std::pair<pg::Timeline, pg::Lsn>> promoted_{};
    std::vector<std::pair<Instant, std::function<io::Task<>()>>> repairs_{};
    std::map<std::string, std::string> last_rule_{};
};

}  // namespace howdah::sim
