#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "instance/instance.h"
#include "io/child.h"

namespace howdah::agent {

/// One call of a script (patroni-compatibility.md 15.1): `COMMAND EVENT ROLE SCOPE`.
struct Callback {
    std::string event{};  ///< on_start, on_stop, on_restart, on_role_change or on_reload
    std::string role{};   ///< primary or replica
    bool operator==(const Callback&) const = default;
};

/// Says which callbacks are due when PostgreSQL is seen in another state. Pure.
class CallbackWatch {
public:
    /// `restarting`: what ends now is started again at once. A role that changed while PostgreSQL
    /// was down is a change of role and no start.
    std::vector<Callback> saw(const instance::Local& local, bool restarting);
    const std::string& role() const { return role_; }  ///< last told; empty: none yet

private:
    bool up_ = false;
    bool restarts_ = false;
    std::string role_{};
};

/// Starts the scripts, one at a time: a new one ends a previous one that still runs; those of
/// on_reload apart. They inherit this process' directory and standard error, and nobody waits for
/// them. What fails is logged.
class CallbackRunner {
public:
    CallbackRunner() = default;
    CallbackRunner(const CallbackRunner&) = delete;
    CallbackRunner& operator=(const CallbackRunner&) = delete;

    /// `commands`: by event, as the configuration has them.
    void run(const std::map<std::string, std::string>& commands, const Callback& callback,
             const std::string& scope);
    /// Buries those that have ended. Call it now and then.
    void reap();

private:
    struct Running {
        std::string what{};
        io::Spawned child{};
    };
    static bool has_ended(Running& running);
    void end(std::optional<Running>& slot);

    std::optional<Running> main_{}, reload_{};
};

}  // namespace howdah::agent
