#include "proxy/endpoint.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "io/resolve.h"
#include "proxy/cancelled.h"
#include "proxy/standbys.h"
#include "proxy/vouches.h"

namespace howdah::proxy {
namespace {

constexpr Seconds resolve_limit{5};
constexpr Seconds resolve_retry{5};
constexpr Seconds resolve_again{60};

DataPathOptions complete(DataPathOptions options, const config::Proxy& ports, ha::WakeWatch& wake) {
    options.hold_limit = ports.hold_limit;
    options.wake = &wake;
    return options;
}

}  // namespace

Endpoint::Endpoint(io::Executor executor, io::Clock& clock, dcs::KeyValueStore& attempts,
                   dcs::KeyValueStore& watched, EndpointOptions options)
    : executor_(executor),
      clock_(clock),
      options_(std::move(options)),
      scope_(executor),
      loop_({.executor = executor,
             .clock = clock,
             .attempts = attempts,
             .wake = wake_,
             .prefix = options_.prefix,
             .id = options_.id,
             .ask_members = [this](Nanos limit) { return ask_members(limit); },
             .on_change = [this] { update(); }}),
      follower_(clock, watched, options_.prefix, [this] { follow_cluster(); }),
      sentinel_(scope_, clock, options_.logins, [this] { update(); }),
      data_path_(complete(options_.data_path, options_.ports, wake_)) {}

Endpoint::~Endpoint() = default;

Result<> Endpoint::open() {
    const auto listen = [this](Port port, const std::optional<config::HostPort>& at) -> Result<> {
        if (!at) {
            return {};
        }
        HD_TRY(const auto address, Address::numeric(at->host, at->port));
        return data_path_.listen(port, address);
    };
    HD_TRY_VOID(listen(Port::read_write, options_.ports.read_write));
    HD_TRY_VOID(listen(Port::read_only, options_.ports.read_only));
    return data_path_.start();
}

io::Task<> Endpoint::run() {
    co_await io::asio::this_coro::throw_if_cancelled(false);
    scope_.spawn([this] { return sentinel_.run(); });
    scope_.spawn([this] { return follower_.run(); });
    co_await loop_.run();
    co_await scope_.close();
    data_path_.stop();
    co_await loop_.farewell();
}

io::Task<std::vector<ha::Vouch>> Endpoint::ask_members(Nanos limit) {
    const auto& cluster = follower_.current();
    return ask_for_vouches(executor_, clock_,
                           cluster ? cluster->members : std::vector<ha::Member>{}, options_.tls,
                           limit);
}

void Endpoint::follow_cluster() {
    const auto& cluster = *follower_.current();
    loop_.hint({.record = cluster.record, .store_revision = cluster.revision});
}

void Endpoint::update() {
    loop_.heed_pauses();
    aim_sentinel();
    heed_breaks();
    const auto route = loop_.route();
    Routing routing{.primary = primary(route),
                    .standbys = standbys(),
                    .read_only_fallback = options_.read_only_fallback,
                    .why_closed = route.why};
    routing.pauses = loop_.heeded_pauses();
    const bool verified = routing.primary && routing.primary->takes_new;
    if (route.open && !verified) {
        routing.why_closed = sentinel_.state();
    }
    if (!published_ || *published_ != routing) {
        published_ = std::make_shared<const Routing>(std::move(routing));
        data_path_.publish(published_);
    }
    tell(route, verified);
}

/// The server behind the route may have ended and begun again, with what no standby has.
void Endpoint::heed_breaks() {
    if (std::exchange(breaks_, sentinel_.breaks()) != sentinel_.breaks()) {
        const auto route = loop_.route();
        loop_.lost(route.member, route.epoch);
    }
}

std::optional<Routing::Primary> Endpoint::primary(const Route& route) {
    if (!route.open) {
        return std::nullopt;
    }
    const auto* member =
        follower_.current() ? follower_.current()->member_by_uuid(route.member) : nullptr;
    auto& known = backends_[route.member_name];
    if (member != nullptr && backend(*member) != nullptr) {
        known = backend(*member);
    }
    if (!known || known->member != route.member) {
        return std::nullopt;  // it has not said yet where it listens
    }
    return Routing::Primary{
        .backend = known,
        .epoch = route.epoch,
        .deadline = route.deadline,
        .takes_new = !route.doubted && sentinel_.verified(route.member, route.epoch),
        .still = route.doubted};
}

std::vector<Routing::Standby> Endpoint::standbys() {
    std::vector<Routing::Standby> list;
    if (follower_.current()) {
        for (const auto& found :
             readable_standbys(*follower_.current(), options_.read_only_max_lag)) {
            if (auto server = backend(*found.member)) {
                list.push_back({.backend = std::move(server), .takes_new = found.takes_new});
            }
        }
    }
    return list;
}

void Endpoint::aim_sentinel() {
    const auto& record = loop_.newest();
    if (!record || !follower_.current()) {
        return;
    }
    const bool handover = record->state == ha::RecordState::handover;
    const auto& uuid = handover ? record->handover_to : record->holder;
    const auto* member = follower_.current()->member_by_uuid(uuid);
    if (record->state == ha::RecordState::released || member == nullptr) {
        return;
    }
    if (const auto server = backend(*member)) {
        const bool is_primary = record->state == ha::RecordState::primary;
        sentinel_.aim(Target{.member = uuid,
                             .name = member->name,
                             .address = server->address,
                             .epoch = record->epoch + (handover ? 1 : 0),
                             .timeline = is_primary ? record->timeline : 0,
                             .system_id = record->system_id,
                             .is_primary = is_primary});
    }
}

std::shared_ptr<const Backend> Endpoint::backend(const ha::Member& member) {
    const auto address = address_of(member);
    if (!address) {
        return nullptr;
    }
    // The same object as long as nothing changed: the data path compares pointers.
    auto& known = backends_[member.name];
    if (!known || known->member != member.uuid || known->address != *address) {
        known = std::make_shared<const Backend>(
            Backend{.member = member.uuid, .name = member.name, .address = *address});
    }
    return known;
}

std::optional<Address> Endpoint::address_of(const ha::Member& member) {
    const auto where = member.postgres_address();
    if (!where) {
        return std::nullopt;
    }
    if (auto address = Address::numeric(where->host, where->port)) {
        return *address;
    }
    const auto [entry, is_new] = resolved_.try_emplace(where->host);
    if (is_new) {
        scope_.spawn([this, host = where->host] { return resolve_name(host); });
    }
    auto address = Address::numeric(entry->second, where->port);
    return entry->second.empty() || !address ? std::nullopt : std::optional(*address);
}

io::Task<> Endpoint::resolve_name(std::string host) {
    for (;;) {
        auto found = co_await io::within(clock_, resolve_limit, io::resolve(host));
        if (found && resolved_[host] != *found) {
            resolved_[host] = *std::move(found);
            update();
        } else if (!found && found.error().code != Errc::cancelled) {
            spdlog::warn("endpoint cannot find a member host={} error=\"{}\"", host,
                         found.error().message);
        }
        (void)co_await clock_.until(clock_.now() + (found ? resolve_again : resolve_retry));
    }
}

void Endpoint::tell(const Route& route, bool verified) {
    auto now = fmt::format("{}/{}/{}/{}", route.member, route.epoch, route.open, verified);
    if (now == told_) {
        return;
    }
    told_ = std::move(now);
    if (route.open && verified) {
        spdlog::info("endpoint open member={} epoch={} timeline={}", route.member_name, route.epoch,
                     route.timeline);
    } else {
        spdlog::info("endpoint closed why=\"{}\"", route.open ? sentinel_.state() : route.why);
    }
    if (on_change_) {
        on_change_();
    }
}

Status Endpoint::status() const {
    const auto now = clock_.now();
    Status status{
        .route = loop_.route(), .sentinel = sentinel_.state(), .counts = data_path_.counts()};
    if (status.route.open) {
        status.verified = sentinel_.verified(status.route.member, status.route.epoch);
        status.deadline_left = to_millis(status.route.deadline - now);
    }
    if (published_) {
        status.standbys = static_cast<std::uint64_t>(
            std::ranges::count_if(published_->standbys, &Routing::Standby::takes_new));
    }
    return status;
}

std::string endpoint_id(const std::string& host_name, const config::Proxy& ports) {
    const auto part = [](const std::optional<config::HostPort>& at) {
        return at ? fmt::format("{}:{}", at->host, at->port) : std::string("-");
    };
    // FNV-1a, twice with different seeds: a name, not a secret.
    const auto text = host_name + " " + part(ports.read_write) + " " + part(ports.read_only);
    const auto hash = [&text](std::uint64_t value) {
        for (const char c : text) {
            value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
        }
        return value;
    };
    return fmt::format("{:016x}{:016x}", hash(0xcbf29ce484222325U), hash(0x84222325cbf29ce4U));
}

}  // namespace howdah::proxy
