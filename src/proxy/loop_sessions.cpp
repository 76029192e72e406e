// The sessions of a Loop: where each goes, and what it does there.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "proxy/flow.h"
#include "proxy/loop.h"
#include "proxy/sockets.h"

namespace howdah::proxy {
namespace {

constexpr std::size_t budget_a_turn =
    256 * 1024;  // so that a bulk load doesn't delay its neighbours
constexpr Millis first_back_off{10};
constexpr Millis last_back_off{200};
constexpr Millis avoid_silent_standby{1000};
constexpr Millis leave_limit{2000};
// A client that keeps its connection although the server has ended it.
constexpr Millis ended_by_server_limit{10000};

void add(std::atomic<std::uint64_t>& counter, std::uint64_t n = 1) {
    counter.fetch_add(n, std::memory_order_relaxed);
}

std::size_t index(Port port) {
    return port == Port::read_write ? 0 : 1;
}

bool same_servers(const Routing& a, const Routing& b) {
    if (a.primary.has_value() != b.primary.has_value() ||
        (a.primary &&
         (a.primary->epoch != b.primary->epoch || a.primary->backend != b.primary->backend))) {
        return false;
    }
    return std::equal(a.standbys.begin(), a.standbys.end(), b.standbys.begin(), b.standbys.end(),
                      [](const auto& x, const auto& y) { return x.backend == y.backend; });
}

}  // namespace

void Loop::admit(Port port, Fd client, Instant now) {
    auto made = std::make_unique<Session>(port, std::move(client));
    auto& session = *made;
    session.place = sessions_.insert(sessions_.end(), std::move(made));
    session.hold_until = now + options_.hold_limit;
    add(counts.held);
    if (!watch(session.client)) {
        end(session);
        return;
    }
    std::uint64_t held = 0;
    for (const auto& loop : peers_) {
        held += loop->counts.held.load(std::memory_order_relaxed);
    }
    const bool routable = choose(port, now).backend != nullptr;
    if (!routable && held > options_.max_held) {
        refuse(session, now);
        return;
    }
    hold(session);
    wait_for_turn(session);
}

// ---- routes ----

bool Loop::primary_lives(Instant now) const {
    return routing_->primary && now < routing_->primary->deadline;
}

/// This host may have stood still, or the endpoint says so (F6): until the route is proved anew,
/// not a byte moves.
bool Loop::primary_still() const {
    return (routing_->primary && routing_->primary->still) ||
           (options_.wake != nullptr && options_.wake->pauses() != routing_->pauses);
}

/// What the edges said meanwhile will not be said again.
void Loop::thaw() {
    for (const auto& session : sessions_) {
        if (session->phase == Phase::open && session->on_primary && !session->active) {
            session->active = true;
            active_.push_back(session.get());
        }
    }
}

bool Loop::may_live(const Session& session, Instant now) const {
    if (session.on_primary) {
        return primary_lives(now) && routing_->primary->epoch == session.epoch &&
               routing_->primary->backend->is(*session.backend);
    }
    return std::any_of(
        routing_->standbys.begin(), routing_->standbys.end(),
        [&session](const auto& standby) { return standby.backend->is(*session.backend); });
}

void Loop::cut_deposed(Instant now) {
    for (auto it = sessions_.begin(); it != sessions_.end();) {
        auto& session = **it++;
        if (!session.backend || may_live(session, now)) {
            continue;
        }
        if (session.phase == Phase::connecting) {
            detach(session);
            hold(session);
            wait_for_turn(session);
        } else {
            add(counts.cut);
            cut(session);
        }
    }
}

void Loop::apply(std::shared_ptr<const Routing> routing, Instant now) {
    const bool was_still = primary_still();
    const auto before = std::exchange(routing_, std::move(routing));
    if (was_still && !primary_still()) {
        thaw();
    }
    // Most snapshots only move the deadline; then there is nobody to look for.
    if (!same_servers(*before, *routing_)) {
        cut_deposed(now);
    }
    std::erase_if(avoid_, [now](const auto& entry) { return entry.second <= now; });
    if (counts.held.load(std::memory_order_relaxed) == 0) {
        return;
    }
    // A new route is worth an attempt at once, whatever the back-off from the last one says.
    for (auto& session : sessions_) {
        if (session->phase == Phase::held) {
            session->failures = 0;
            wait_for_turn(*session);
        }
    }
}

Loop::Choice Loop::choose(Port port, Instant now) {
    if (port == Port::read_only) {
        auto choice = choose_standby(now);
        if (choice.backend || !routing_->read_only_fallback) {
            return choice;
        }
    }
    if (primary_lives(now) && routing_->primary->takes_new && !primary_still()) {
        return {.backend = routing_->primary->backend, .on_primary = true};
    }
    return {};
}

Loop::Choice Loop::choose_standby(Instant now) {
    const auto& standbys = routing_->standbys;
    Choice choice;
    std::size_t least = 0;
    for (std::size_t i = 0; i < standbys.size(); ++i) {
        const auto& standby = standbys[(i + turns_) % standbys.size()];
        const auto avoided = avoid_.find(standby.backend->name);
        if (!standby.takes_new || (avoided != avoid_.end() && now < avoided->second)) {
            continue;
        }
        const auto count = on_standby_.find(standby.backend->name);
        const auto sessions = count == on_standby_.end() ? 0 : count->second;
        if (!choice.backend || sessions < least) {
            choice.backend = standby.backend;
            least = sessions;
        }
    }
    return choice;
}

void Loop::start_waiting(Instant now) {
    for (const auto port : {Port::read_write, Port::read_only}) {
        auto& waiting = waiting_[index(port)];
        while (!waiting.empty() && connecting_ < options_.max_connecting) {
            const auto choice = choose(port, now);
            if (!choice.backend) {
                break;
            }
            auto* session = waiting.front();
            waiting.pop_front();
            session->waiting = false;
            attach(*session, choice, now);
        }
    }
}

// ---- held and connecting ----

void Loop::set_phase(Session& session, Phase phase) {
    const auto held = [](Phase p) { return p == Phase::held || p == Phase::connecting; };
    if (held(session.phase) && !held(phase)) {
        counts.held.fetch_sub(1, std::memory_order_relaxed);
    }
    connecting_ += static_cast<std::size_t>(phase == Phase::connecting) -
                   static_cast<std::size_t>(session.phase == Phase::connecting);
    session.phase = phase;
}

void Loop::hold(Session& session) {
    set_phase(session, Phase::held);
    set_timer(session, session.hold_until);
}

void Loop::wait_for_turn(Session& session) {
    if (session.waiting) {
        return;
    }
    session.waiting = true;
    waiting_[index(session.port)].push_back(&session);
}

void Loop::on_held(Session& session, Instant now) {
    // Not read, only looked at.
    char head[8];
    const auto n = recv(session.client.fd.get(), head, sizeof head, MSG_PEEK);
    const bool has_way = session.phase == Phase::connecting || choose(session.port, now).backend;
    // A client that closed may have left a CancelRequest to be delivered. Without a route nobody
    // waits for it: it gave up, or has nothing to cancel here, and its request must not reach a
    // later primary.
    const bool gave_up = session.client.hung_up && (n <= 0 || !has_way);
    if (gave_up || (n == sizeof head && !has_way && is_cancel_request({head, sizeof head}))) {
        end(session);
    }
}

void Loop::attach(Session& session, const Choice& choice, Instant now) {
    session.backend = choice.backend;
    session.on_primary = choice.on_primary;
    session.epoch = choice.on_primary ? routing_->primary->epoch : 0;
    if (!choice.on_primary) {
        ++on_standby_[choice.backend->name];
        ++turns_;
    }
    set_phase(session, Phase::connecting);
    auto fd = begin_connect(choice.backend->address);
    if (!fd) {
        connect_failed(session, now);
        return;
    }
    session.server.fd = std::move(*fd);
    if (!watch(session.server)) {
        connect_failed(session, now);
        return;
    }
    set_timer(session, std::min(now + options_.connect_limit, session.hold_until));
}

void Loop::connected(Session& session, Instant now) {
    if (connect_error(session.server.fd.get()) != 0) {
        connect_failed(session, now);
        return;
    }
    set_timer(session, {});
    set_phase(session, Phase::open);
    pump(session, now);
}

void Loop::connect_failed(Session& session, Instant now) {
    add(counts.connect_failures);
    if (!session.on_primary) {
        avoid_[session.backend->name] = now + avoid_silent_standby;
    }
    detach(session);
    hold(session);
    const auto back_off = std::min(last_back_off, first_back_off * (1 << session.failures));
    session.failures = static_cast<std::uint8_t>(std::min(session.failures + 1, 5));
    set_timer(session, std::min(now + back_off, session.hold_until));
}

void Loop::detach(Session& session) {
    if (session.backend && !session.on_primary) {
        auto count = on_standby_.find(session.backend->name);
        if (count != on_standby_.end() && --count->second == 0) {
            on_standby_.erase(count);
        }
    }
    session.backend.reset();
    session.on_primary = false;
    auto& server = session.server;
    server.fd = {};
    server.readable = server.writable = server.hung_up = server.ended = server.shut = false;
}

void Loop::on_timer(Session& session, Instant now) {
    switch (session.phase) {
        case Phase::held:
            if (now >= session.hold_until) {
                refuse(session, now);
            } else {
                set_timer(session, session.hold_until);
                wait_for_turn(session);
            }
            break;
        case Phase::connecting:
            connect_failed(session, now);
            if (now >= session.hold_until) {
                refuse(session, now);
            }
            break;
        case Phase::open:
        case Phase::refusing:
        case Phase::leaving:
            end(session);
            break;
        case Phase::dead:
            break;
    }
}

// ---- open ----

void Loop::pump(Session& session, Instant now) {
    if (session.on_primary && primary_still()) {
        return;
    }
    auto& client = session.client;
    auto& server = session.server;
    // The server's last words first: they must get out before a failing write ends the session.
    auto down = flow(server, client, session.down, pool_, budget_a_turn);
    const auto up = flow(client, server, session.up, pool_, budget_a_turn);
    if (server.hung_up) {
        down += flow(server, client, session.down, pool_, budget_a_turn);
    }
    add(counts.bytes_up, up);
    add(counts.bytes_down, down);
    const bool nothing_left = session.up.empty() && session.down.empty();
    const bool client_broke = client.shut && !server.ended;
    if (client_broke || (client.ended && server.ended && nothing_left)) {
        end(session);
        return;
    }
    if (server.ended && session.down.empty() && session.timer.never()) {
        set_timer(session, now + ended_by_server_limit);
    }
    const bool more =
        could_flow(client, server, session.up) || could_flow(server, client, session.down);
    if (more && !session.active) {
        session.active = true;
        active_.push_back(&session);
    }
}

// ---- the end ----

void Loop::refuse(Session& session, Instant now) {
    add(counts.refused);
    std::string message = "no primary to connect to";
    if (!routing_->why_closed.empty()) {
        message += ": " + routing_->why_closed;
    }
    session.refusal.emplace(
        fatal_response("57P03", message, "The connection was held for a new primary; try again."));
    set_phase(session, Phase::refusing);
    set_timer(session, now + options_.refusal_limit);
    std::erase(waiting_[index(session.port)], &session);
    session.waiting = false;
    read_refused(session, now);
}

void Loop::read_refused(Session& session, Instant now) {
    auto& client = session.client;
    char bytes[1024];
    while (session.phase != Phase::dead) {
        const auto n = recv(client.fd.get(), bytes, sizeof bytes, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (n <= 0) {
            end(session);
            return;
        }
        if (session.phase == Phase::leaving) {
            continue;
        }
        const auto step = session.refusal->feed({bytes, static_cast<std::size_t>(n)});
        // A few hundred bytes into an empty socket buffer: they fit, or the client has gone.
        (void)send(client.fd.get(), step.reply.data(), step.reply.size(), MSG_NOSIGNAL);
        if (step.done) {
            // Closing with unread bytes would reset the connection and could overtake the message.
            (void)shutdown(client.fd.get(), SHUT_WR);
            set_phase(session, Phase::leaving);
            set_timer(session, now + leave_limit);
        }
    }
}

void Loop::cut(Session& session) {
    for (auto* side : {&session.client, &session.server}) {
        if (side->fd) {
            reset_on_close(side->fd.get());
        }
    }
    end(session);
}

void Loop::end(Session& session) {
    if (session.phase == Phase::dead) {
        return;
    }
    set_timer(session, {});
    if (session.waiting) {
        std::erase(waiting_[index(session.port)], &session);
        session.waiting = false;
    }
    detach(session);
    set_phase(session, Phase::dead);
    session.client.fd = {};
    pool_.give_back(std::move(session.up.buffer));
    pool_.give_back(std::move(session.down.buffer));
    ended_.push_back(std::move(*session.place));
    sessions_.erase(session.place);
    counts.sessions.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace howdah::proxy
