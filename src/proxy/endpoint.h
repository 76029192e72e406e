#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/agent_config.h"
#include "dcs/kv.h"
#include "ha/wake_watch.h"
#include "io/task.h"
#include "proxy/data_path.h"
#include "proxy/follower.h"
#include "proxy/route_loop.h"
#include "proxy/sentinel.h"
#include "proxy/status.h"

namespace howdah::proxy {

struct EndpointOptions {
    std::string prefix{};  ///< "/service/demo/"
    std::string
        id{};  ///< of its key; the same at each start, so that no keys pile up: endpoint_id()
    config::Proxy ports{};
    /// To ask the primary who it is: superuser, then replication.
    std::vector<config::Credentials> logins{};
    std::shared_ptr<const io::TlsFiles> tls{};     ///< to ask members that speak HTTPS
    std::uint64_t read_only_max_lag = 16U << 20U;  ///< bytes
    bool read_only_fallback = true;
    DataPathOptions data_path{};  ///< hold_limit is taken from `ports`
};

/// The address of the cluster: a read-write port that leads to the primary, a read-only port that
/// leads to standbys (proxy-design.md, sections 1 to 3; safety-model.md, X1 and X2).
///
/// It runs on one executor, with two connections to the store (one for its attempts, which nothing
/// may delay, and one for the watch), and hands what it decides to the threads of its DataPath.
class Endpoint {
public:
    Endpoint(io::Executor executor, io::Clock& clock, dcs::KeyValueStore& attempts,
             dcs::KeyValueStore& watched, EndpointOptions options);
    ~Endpoint();

    /// Binds the ports; connections are held from here on. Errors: Errc::invalid, Errc::io with the
    /// address.
    Result<> open();
    /// Runs until cancelled; then resets all sessions and takes its key away.
    io::Task<> run();

    Status status() const;
    /// Called on the executor when the route opened, closed or moved.
    void on_change(std::function<void()> call) { on_change_ = std::move(call); }
    Address listening(Port port) const { return data_path_.listening(port); }

private:
    io::Task<std::vector<ha::Vouch>> ask_members(Nanos limit);
    io::Task<> resolve_name(std::string host);
    void follow_cluster();
    void update();
    void heed_breaks();
    void aim_sentinel();
    std::optional<Routing::Primary> primary(const Route& route);
    std::vector<Routing::Standby> standbys();
    std::shared_ptr<const Backend> backend(const ha::Member& member);
    std::optional<Address> address_of(const ha::Member& member);
    void tell(const Route& route, bool verified);

    io::Executor executor_;
    io::Clock& clock_;
    EndpointOptions options_;
    io::Scope scope_;
    ha::WakeWatch wake_{};
    RouteLoop loop_;
    Follower follower_;
    Sentinel sentinel_;
    std::uint64_t breaks_ = 0;  ///< of the sentinel's connection, that were heeded
    DataPath data_path_;
    std::function<void()> on_change_{};

    std::map<std::string, std::shared_ptr<const Backend>> backends_{};  ///< by the member's name
    std::map<std::string, std::string> resolved_{};  ///< host names; "" while being asked
    std::shared_ptr<const Routing> published_{};
    std::string told_{};
};

/// A name for an endpoint's key: stable for this host and port.
std::string endpoint_id(const std::string& host_name, const config::Proxy& ports);

}  // namespace howdah::proxy
