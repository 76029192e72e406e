#pragma once

#include <atomic>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "proxy/session.h"

namespace howdah::proxy {

/// Written by one thread each, read by all.
struct LoopCounts {
    std::atomic<std::uint64_t> sessions{};  ///< handed to this loop and not ended yet
    std::atomic<std::uint64_t> held{};
    std::atomic<std::uint64_t> accepted{}, refused{}, cut{}, connect_failures{};
    std::atomic<std::uint64_t> bytes_up{}, bytes_down{};
};

/// One thread of the data path with its epoll. A session lives on one loop with both sockets; only
/// deliver(), publish(), stop() and `counts` may be touched from elsewhere.
class Loop {
public:
    /// `peers`: all loops, this one included, complete before start().
    Loop(const DataPathOptions& options, const std::vector<std::unique_ptr<Loop>>& peers);
    ~Loop();

    Result<> prepare();
    /// Before start(), on the loop that accepts.
    void add_listener(Port port, Fd fd);
    void start(unsigned number);
    void stop();

    void deliver(Port port, Fd client);
    void publish(std::shared_ptr<const Routing> routing);

    LoopCounts counts{};

private:
    struct Listener : Source {
        Port port{};
        Fd fd{};
    };
    struct Mail {
        std::vector<std::pair<Port, Fd>> clients{};
        std::shared_ptr<const Routing> routing{};
        bool stop = false;
    };

    void run();
    void turn();
    void ring();
    void on_event(Source& source, std::uint32_t events, Instant now);
    void on_side(Side& side, std::uint32_t events, Instant now);
    void read_mail(Instant now);

    void accept_from(Listener& listener, Instant now);
    void listen_again();
    void admit(Port port, Fd client, Instant now);

    // Where a session goes.
    void apply(std::shared_ptr<const Routing> routing, Instant now);
    void cut_deposed(Instant now);
    bool primary_lives(Instant now) const;
    bool primary_still() const;
    void thaw();
    bool may_live(const Session& session, Instant now) const;
    struct Choice {
        std::shared_ptr<const Backend> backend{};
        bool on_primary = false;
    };
    Choice choose(Port port, Instant now);
    Choice choose_standby(Instant now);
    void start_waiting(Instant now);
    void hold(Session& session);
    void wait_for_turn(Session& session);
    void attach(Session& session, const Choice& choice, Instant now);
    void connected(Session& session, Instant now);
    void connect_failed(Session& session, Instant now);
    void detach(Session& session);

    // What a session does.
    void on_held(Session& session, Instant now);
    void pump(Session& session, Instant now);
    void refuse(Session& session, Instant now);
    void read_refused(Session& session, Instant now);
    void cut(Session& session);
    void end(Session& session);
    void set_phase(Session& session, Phase phase);
    bool watch(Side& side);

    // Time.
    void set_timer(Session& session, Instant when);
    void expire(Instant now);
    void on_timer(Session& session, Instant now);
    void arm_timer(Instant now);

    const DataPathOptions& options_;
    const std::vector<std::unique_ptr<Loop>>& peers_;
    Fd epoll_{}, wake_{}, timer_{};
    Source wake_source_{Source::Kind::wake}, timer_source_{Source::Kind::timer};
    std::list<Listener> listeners_{};
    Instant listen_again_at_{};
    std::thread thread_{};
    std::mutex mutex_{};
    Mail mail_{};

    bool stopping_ = false;
    std::shared_ptr<const Routing> routing_ = std::make_shared<const Routing>();
    std::list<std::unique_ptr<Session>> sessions_{};
    std::vector<std::unique_ptr<Session>> ended_{};  ///< this turn's events may still point to them
    std::deque<Session*> waiting_[2]{};              ///< held, by port, in order
    std::vector<Session*> active_{};                 ///< open, with more to move
    std::set<std::pair<Instant, Session*>> timers_{};
    Instant armed_{};
    std::size_t connecting_ = 0;
    std::map<std::string, std::size_t> on_standby_{};  ///< sessions, by the standby's name
    std::map<std::string, Instant> avoid_{};           ///< standbys that didn't answer, until when
    std::size_t turns_ = 0;                            ///< breaks ties between standbys
    BufferPool pool_{};
};

}  // namespace howdah::proxy
