#include "proxy/endpoint.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "io/resolve.h"
#include "proxy/cancelled.h"
#include "proxy/standbys.h"
#include "proxy/vouches.h"

namespace howdah::proxy {
namespace {

constexpr std::size_t max_in_flight = 8;
constexpr Seconds resolve_limit{5};
constexpr Seconds resolve_retry{5};
constexpr Seconds resolve_again{60};
constexpr Millis farewell_limit{500};

DataPathOptions complete(DataPathOptions options, const config::Proxy& ports, ha::WakeWatch& wake) {
    options.hold_limit = ports.hold_limit;
    options.wake = &wake;
    return options;
}

/// The record as `found` shows it.
ha::Sighting sighting(const std::vector<dcs::KeyValue>& found, const std::string& prefix,
                      std::int64_t revision) {
    std::vector<ha::ScopeKey> keys;
    for (const auto& kv : found) {
        keys.push_back({.name = kv.key.substr(prefix.size()),
                        .value = kv.value,
                        .mod_revision = kv.mod_revision,
                        .lease = kv.lease});
    }
    return ha::parse_cluster(keys, revision).record;
}

}  // namespace

Endpoint::Endpoint(io::Executor executor, io::Clock& clock, dcs::KeyValueStore& attempts,
                   dcs::KeyValueStore& watched, EndpointOptions options)
    : executor_(executor),
      clock_(clock),
      attempts_(attempts),
      options_(std::move(options)),
      scope_(executor),
      bell_(executor, clock),
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
    while (!co_await cancelled()) {
        const auto next = clock_.now() + gate_.attempt_every();
        if (in_flight_ < max_in_flight) {
            ++in_flight_;
            scope_.spawn([this] { return attempt(); });
        }
        if (needs_vouching()) {
            asking_members_ = true;
            scope_.spawn([this] { return ask_members(); });
        }
        update();
        (void)co_await bell_.wait_until(next);
        wake_.overslept(next, clock_.now(), 6 * gate_.attempt_every());
        heed_pauses();
    }
    co_await scope_.close();
    data_path_.stop();
    dcs::Txn farewell{
        .then = {dcs::Delete{options_.prefix + std::string(endpoint_folder) + options_.id}}};
    const dcs::Patience patience{.total = farewell_limit};
    (void)co_await io::within(clock_, farewell_limit,
                              attempts_.commit(std::move(farewell), patience));
}

io::Task<> Endpoint::attempt() {
    // After T an answer could vouch for nothing any more; half of it leaves room for the next ones.
    const dcs::Patience patience{.total = 5 * Nanos(gate_.hedge_after()),
                                 .hedge = gate_.hedge_after()};
    const auto number = gate_.begin_attempt(clock_.now());
    // The put sends it through Raft: without one it would be a read, which can be stale.
    dcs::Txn txn{
        .then = {dcs::Put{.key = options_.prefix + std::string(endpoint_folder) + options_.id,
                          .value = std::to_string(number)},
                 dcs::Get{options_.prefix + "howdah"}, dcs::Get{options_.prefix + "leader"}}};
    auto answer = co_await io::within(clock_, patience.total + patience.hedge,
                                      attempts_.commit(std::move(txn), patience));
    --in_flight_;
    if (!answer && answer.error().code == Errc::cancelled) {
        co_return;
    }
    const bool answered = answer && answer->succeeded;
    if (answered != store_answers_) {
        store_answers_ = answered;
        answered ? spdlog::info("endpoint store answers again")
                 : spdlog::warn(
                       "endpoint store does not answer error=\"{}\"",
                       answer ? "a transaction without compares failed" : answer.error().message);
    }
    if (answered) {
        gate_.answer(number, {.record = sighting(answer->found, options_.prefix, answer->revision),
                              .store_revision = answer->revision});
        update();
    }
}

/// The store has been silent for half of T: the members may know better (safety-model.md, G4).
bool Endpoint::needs_vouching() const {
    const auto record = gate_.resting_on();
    const auto route = gate_.route(clock_.now());
    return record && !asking_members_ && follower_.current() &&
           (route.doubted || route.deadline < clock_.now() + Nanos(record->ttl) / 2);
}

io::Task<> Endpoint::ask_members() {
    const auto sent = clock_.now();
    const auto record = gate_.resting_on();
    if (record) {
        gate_.vouch(sent, co_await ask_for_vouches(executor_, clock_, follower_.current()->members,
                                                   options_.tls, Nanos(record->ttl) / 6));
    }
    asking_members_ = false;
    update();
}

void Endpoint::follow_cluster() {
    const auto before = gate_.newest();
    const auto& cluster = *follower_.current();
    gate_.hint({.record = cluster.record, .store_revision = cluster.revision});
    const auto& after = gate_.newest();
    const bool news = after && (!before || before->epoch != after->epoch ||
                                before->seq < after->seq || before->state != after->state);
    // A hint can't open. An own attempt now sees what it told, a sixth of T sooner than the next
    // would.
    if (news && !gate_.route(clock_.now()).open) {
        bell_.ring();
    }
    update();
}

void Endpoint::heed_pauses() {
    wake_.wake(clock_.now(), clock_.wall_nanos());
    if (const auto pauses = wake_.pauses(); pauses != heeded_pauses_) {
        heeded_pauses_ = pauses;
        gate_.doubt(clock_.now());
        spdlog::warn(
            "endpoint may have stood still: nothing moves until the primary has proved its term");
        bell_.ring();
    }
}

void Endpoint::update() {
    heed_pauses();
    aim_sentinel();
    const auto route = gate_.route(clock_.now());
    Routing routing{.primary = primary(route),
                    .standbys = standbys(),
                    .read_only_fallback = options_.read_only_fallback,
                    .why_closed = route.why};
    routing.pauses = heeded_pauses_;
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
    const auto& record = gate_.newest();
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
        .route = gate_.route(now), .sentinel = sentinel_.state(), .counts = data_path_.counts()};
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
