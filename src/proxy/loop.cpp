#include "proxy/loop.h"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "proxy/sockets.h"

namespace howdah::proxy {
namespace {

constexpr int max_events = 256;
constexpr int max_accepts_a_turn = 64;
constexpr Millis pause_without_descriptors{100};

void add(std::atomic<std::uint64_t>& counter, std::uint64_t n = 1) {
    counter.fetch_add(n, std::memory_order_relaxed);
}

std::unexpected<Error> system_error(const char* what) {
    return fail(Errc::io, std::string("endpoint: ") + what + ": " + std::strerror(errno));
}

}  // namespace

Loop::Loop(const DataPathOptions& options, const std::vector<std::unique_ptr<Loop>>& peers)
    : options_(options), peers_(peers) {}

Loop::~Loop() {
    stop();
}

Result<> Loop::prepare() {
    epoll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
    wake_ = Fd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    timer_ = Fd(timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC));
    if (!epoll_ || !wake_ || !timer_) {
        return system_error("cannot make an event loop");
    }
    for (auto [fd, source] :
         {std::pair(wake_.get(), &wake_source_), {timer_.get(), &timer_source_}}) {
        epoll_event event{.events = EPOLLIN, .data = {.ptr = source}};
        if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
            return system_error("cannot watch a descriptor");
        }
    }
    listen_again();
    return {};
}

void Loop::add_listener(Port port, Fd fd) {
    auto& listener = listeners_.emplace_back();
    listener.kind = Source::Kind::listener;
    listener.port = port;
    listener.fd = std::move(fd);
}

void Loop::start(unsigned number) {
    // Signals are for the main thread.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_setname_np(thread_.native_handle(), ("endpoint-" + std::to_string(number)).c_str());
}

void Loop::stop() {
    if (!thread_.joinable()) {
        return;
    }
    {
        const std::scoped_lock lock(mutex_);
        mail_.stop = true;
    }
    ring();
    thread_.join();
}

void Loop::deliver(Port port, Fd client) {
    {
        const std::scoped_lock lock(mutex_);
        mail_.clients.emplace_back(port, std::move(client));
    }
    ring();
}

void Loop::publish(std::shared_ptr<const Routing> routing) {
    {
        const std::scoped_lock lock(mutex_);
        mail_.routing = std::move(routing);
    }
    ring();
}

void Loop::ring() {
    const std::uint64_t one = 1;
    // Full is as good as rung.
    (void)!::write(wake_.get(), &one, sizeof one);
}

void Loop::run() {
    while (!stopping_) {
        turn();
    }
    while (!sessions_.empty()) {
        cut(*sessions_.front());
    }
    ended_.clear();
    listeners_.clear();
}

void Loop::turn() {
    epoll_event events[max_events];
    const int n = epoll_wait(epoll_.get(), events, max_events, active_.empty() ? -1 : 0);
    const auto now = boot_time();
    if (options_.wake != nullptr) {
        options_.wake->wake(now, wall_nanos());
    }
    // Routes first: not a byte moves on a route that has ended.
    if (std::any_of(events, events + std::max(n, 0),
                    [this](const epoll_event& e) { return e.data.ptr == &wake_source_; })) {
        read_mail(now);
    }
    expire(now);
    const auto active = std::exchange(active_, {});
    for (int i = 0; i < n; ++i) {
        on_event(*static_cast<Source*>(events[i].data.ptr), events[i].events, now);
    }
    for (auto* session : active) {
        session->active = false;
        if (session->phase == Phase::open) {
            pump(*session, now);
        }
    }
    start_waiting(now);
    std::erase_if(active_, [](const Session* s) { return s->phase == Phase::dead; });
    ended_.clear();
    arm_timer(now);
}

void Loop::on_event(Source& source, std::uint32_t events, Instant now) {
    switch (source.kind) {
        case Source::Kind::wake:
            break;
        case Source::Kind::timer: {
            std::uint64_t ticks = 0;
            (void)!::read(timer_.get(), &ticks, sizeof ticks);
            armed_ = {};
            break;
        }
        case Source::Kind::listener:
            accept_from(static_cast<Listener&>(source), now);
            break;
        case Source::Kind::client:
        case Source::Kind::server:
            on_side(static_cast<Side&>(source), events, now);
            break;
    }
}

void Loop::on_side(Side& side, std::uint32_t events, Instant now) {
    auto& session = side.session;
    const bool gone = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    side.hung_up |= gone;
    side.readable |= gone || (events & EPOLLIN) != 0;
    side.writable |= (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
    switch (session.phase) {
        case Phase::held:
            on_held(session, now);
            break;
        case Phase::connecting:
            if (side.kind == Source::Kind::client) {
                on_held(session, now);
            } else if (side.writable) {
                connected(session, now);
            }
            break;
        case Phase::open:
            pump(session, now);
            break;
        case Phase::refusing:
        case Phase::leaving:
            read_refused(session, now);
            break;
        case Phase::dead:
            break;
    }
}

void Loop::read_mail(Instant now) {
    std::uint64_t rings = 0;
    (void)!::read(wake_.get(), &rings, sizeof rings);
    Mail mail;
    {
        const std::scoped_lock lock(mutex_);
        std::swap(mail, mail_);
    }
    stopping_ |= mail.stop;
    if (mail.routing) {
        apply(std::move(mail.routing), now);
    }
    for (auto& [port, fd] : mail.clients) {
        admit(port, std::move(fd), now);
    }
}

void Loop::accept_from(Listener& listener, Instant now) {
    for (int i = 0; i < max_accepts_a_turn; ++i) {
        Fd client(accept4(listener.fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!client) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                for (auto& each : listeners_) {
                    (void)epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, each.fd.get(), nullptr);
                }
                listen_again_at_ = now + pause_without_descriptors;
            }
            return;
        }
        std::uint64_t total = 0;
        for (const auto& loop : peers_) {
            total += loop->counts.sessions.load(std::memory_order_relaxed);
        }
        if (total >= options_.max_sessions) {
            add(counts.refused);
            continue;
        }
        const auto& least =
            *std::min_element(peers_.begin(), peers_.end(), [](const auto& a, const auto& b) {
                return a->counts.sessions.load(std::memory_order_relaxed) <
                       b->counts.sessions.load(std::memory_order_relaxed);
            });
        add(counts.accepted);
        add(least->counts.sessions);
        if (least.get() == this) {
            admit(listener.port, std::move(client), now);
        } else {
            least->deliver(listener.port, std::move(client));
        }
    }
}

void Loop::listen_again() {
    listen_again_at_ = {};
    for (auto& listener : listeners_) {
        epoll_event event{.events = EPOLLIN, .data = {.ptr = static_cast<Source*>(&listener)}};
        (void)epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listener.fd.get(), &event);
    }
}

bool Loop::watch(Side& side) {
    epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                      .data = {.ptr = static_cast<Source*>(&side)}};
    return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, side.fd.get(), &event) == 0;
}

void Loop::set_timer(Session& session, Instant when) {
    if (session.timer == when) {
        return;
    }
    if (!session.timer.never()) {
        timers_.erase({session.timer, &session});
    }
    session.timer = when;
    if (!when.never()) {
        timers_.emplace(when, &session);
    }
}

void Loop::expire(Instant now) {
    if (routing_->primary && now >= routing_->primary->deadline) {
        cut_deposed(now);
        auto closed = std::make_shared<Routing>(*routing_);
        closed->primary.reset();
        closed->why_closed = "the primary's lease has not been seen to be renewed";
        routing_ = std::move(closed);
    }
    if (!listen_again_at_.never() && now >= listen_again_at_) {
        listen_again();
    }
    while (!timers_.empty() && timers_.begin()->first <= now) {
        auto& session = *timers_.begin()->second;
        set_timer(session, {});
        on_timer(session, now);
    }
}

void Loop::arm_timer(Instant now) {
    Instant next = timers_.empty() ? Instant{} : timers_.begin()->first;
    const auto sooner = [&next](Instant when) {
        if (!when.never() && (next.never() || when < next)) {
            next = when;
        }
    };
    sooner(listen_again_at_);
    if (routing_->primary) {
        sooner(routing_->primary->deadline);
    }
    if (next == armed_) {
        return;
    }
    // One that has passed already must still ring; zero would disarm.
    const auto when = next.never() ? Instant{} : std::max(next, now);
    const auto seconds = std::chrono::duration_cast<Seconds>(when.since_boot);
    itimerspec spec{};
    spec.it_value.tv_sec = seconds.count();
    spec.it_value.tv_nsec = (when.since_boot - seconds).count();
    (void)timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
    armed_ = next;
}

}  // namespace howdah::proxy
