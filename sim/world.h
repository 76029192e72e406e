#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "checks.h"
#include "endpoint.h"
#include "host.h"
#include "network.h"
#include "profile.h"

namespace howdah::sim {

struct Violation {
    std::string invariant{};  ///< I1 ... I12, P5
    std::string what{};       ///< with the moment
    Nanos at{};               ///< since the run began
};

/// What a run showed. No violation: the invariants held after every event, and the cluster came
/// back.
struct Report {
    std::vector<Violation> violations{};
    std::set<std::string, std::less<>> rules{};  ///< that fired
    std::uint64_t writes = 0, reads = 0;         ///< that a client was told of
    std::uint64_t unknown = 0, held = 0;         ///< connection broke; no route
    std::uint64_t terms = 0;
    std::uint64_t events = 0;
    Nanos simulated{};
    std::uint64_t fingerprint = 0;  ///< of everything that was committed: equal for equal seeds
    std::vector<Fault> schedule{};
    std::string transcript{};
};

/// A cluster of agents on models of etcd, PostgreSQL, network and clients, on virtual time, with
/// faults drawn from one seed.
class World {
public:
    explicit World(Options options);
    ~World();
    Report run();

    Options options;
    Random random;
    Profile profile;
    io::asio::io_context context{1};
    io::VirtualClock clock{};
    dcs::fake::FakeEtcd etcd;
    instance::FakeServers servers{};
    std::unique_ptr<Network> network{};
    Checks checks;
    std::vector<std::unique_ptr<Host>> hosts{};
    std::unique_ptr<Endpoint> endpoint{};
    const std::string record_key = prefix() + "howdah", leader_key = prefix() + "leader";

    /// The timing model holds: I1 to I3 are checked (safety-model.md, section 2; N13).
    bool timing_holds() const { return !options.pauses && !was_paused; }
    bool was_paused = false;  ///< by an operator

    std::string prefix() const { return "/service/sim/"; }
    Host* host_of(const std::string& uuid);
    /// Lets a client's packets take the network's ways.
    void connect(dcs::fake::FakeStore& store, int node);
    Report& report() { return report_; }

    // ---- what is told from below
    void on_plan(const Host& host, const ha::View& view, const ha::Plan& plan);
    void note_writable(const Host& host);
    /// A client was served by a primary.
    void note_served();
    void violation(std::string_view invariant, const std::string& what);
    void say(const std::string& who, const std::string& what);

private:
    io::Task<> live();
    io::Task<> heal();
    std::vector<Host*> draw_away();
    bool can_do_without(const Host& away) const;
    io::Task<> take_away(Host* host);
    io::Task<> wait_until(Instant when);
    io::Task<> begin_fault(Fault fault);
    /// What needs no waiting, as a coroutine.
    static std::function<io::Task<>()> at_once(std::function<void()> what);
    void later(Nanos after, std::function<io::Task<>()> then);
    io::Task<> begin_at_host(Fault fault, Host* host);
    void begin_at_store(const Fault& fault, std::size_t member);
    void operate(const Fault& fault);
    void set_pause(bool paused);
    void store_weather(FaultKind kind, bool on);
    void cut(int from, int to, Nanos lasts);
    void cut_store(int node, bool to, bool from, Nanos lasts);
    void draw_times(Host& host);
    void tell_state();
    void heed(const dcs::Event& event);
    void cut_if_changed(const ha::Record& record);
    Host* writable_host();

    Report report_{};
    /// Faults and their ends.
    std::multimap<Instant, std::function<io::Task<>()>> agenda_{};
    io::Bell bell_;
    Instant begun_{};
    std::optional<Fault> cut_at_change_{};
    bool healing_ = false;
    ha::Sighting committed_{};  ///< the record as last committed
    bool served_ = false;
    Host* last_holder_ = nullptr;
    std::map<std::string, std::string> last_rule_{};
};

}  // namespace howdah::sim
