#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/agent_config.h"
#include "ha/record.h"
#include "io/task.h"
#include "proxy/address.h"

namespace howdah::proxy {

/// The primary that the record names.
struct Target {
    ha::Uuid member{};
    std::string name{};
    Address address{};
    ha::Epoch epoch = 0;
    pg::Timeline timeline = 0;  ///< 0: not known, not compared
    std::string system_id{};    ///< empty: not known, not compared
    bool is_primary = false;    ///< false: the record doesn't say so yet; only connect, in advance
    bool operator==(const Target&) const = default;
};

/// Checks that whoever listens at the target's address is the primary the record means
/// (safety-model.md, X2): out of recovery, of this system identifier, on this timeline. In TCP
/// pass-through the clients' connections can't be asked, so one libpq connection asks for all, and
/// stands for them while it lives: when it breaks, nothing is verified until a new one has asked
/// again.
class Sentinel {
public:
    /// Logs in with the first of `logins` that works, to database postgres. `scope` outlives what
    /// it spawns. `on_change` is called when verified() or state() changed.
    Sentinel(io::Scope& scope, io::Clock& clock, std::vector<config::Credentials> logins,
             std::function<void()> on_change);
    ~Sentinel();

    void aim(std::optional<Target> target);
    bool verified(const ha::Uuid& member, ha::Epoch epoch) const;
    /// How often the connection broke or could not be made: what it stood for may be another
    /// server's life now.
    std::uint64_t breaks() const { return breaks_; }
    /// What it is doing or why it fails, for people.
    const std::string& state() const { return state_; }
    /// Runs until cancelled.
    io::Task<> run();

private:
    struct Link;

    io::Task<Nanos> step();
    /// Ends `task` when aimed elsewhere: a host that swallows packets must not keep us from the
    /// next primary.
    template <class T>
    io::Task<Result<T>> unless_rung(io::Task<Result<T>> task, Nanos limit);
    io::Task<> rung_within(Nanos limit);
    io::Task<Result<>> check(std::shared_ptr<Link> link, Target target);
    io::Task<> watch(std::shared_ptr<Link> link);
    Nanos failed(std::string why);
    void settle(std::string state, std::optional<Target> verified);
    bool link_lives();
    void drop_link();

    io::Scope& scope_;
    io::Clock& clock_;
    std::vector<config::Credentials> logins_;
    std::function<void()> on_change_;
    io::Bell bell_;
    std::optional<Target> target_{};
    std::optional<Target> verified_{};
    std::shared_ptr<Link> link_{};
    std::string state_ = "idle";
    std::size_t login_ = 0;
    Millis back_off_{};
    std::uint64_t breaks_ = 0;
};

}  // namespace howdah::proxy
