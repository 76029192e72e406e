#pragma once

#include <sys/types.h>

#include <map>
#include <set>
#include <string>
#include <string_view>

namespace howdah::instance {

/// Proves that a process of PostgreSQL has acted on a SIGHUP, which no view shows: of the
/// checkpointer, which alone switches waiting for standbys on and off; of a walsender, which counts
/// acknowledgements by its own copy; of the startup process, which asks for a walreceiver.
///
/// Each acts on it at the top of its main loop, before it goes to sleep there, and the signal wakes
/// it. Linux makes a sleeper runnable within kill(). So who was signalled, is then seen in its main
/// loop's wait, then asleep, then in that wait again, has been at the top in between. Begin to look
/// when a new connection shows the new value: the postmaster signals before it answers.
class ReloadProof {
public:
    /// One look at a process; they must come in order of time.
    void look(pid_t pid, std::string_view wait_event);
    bool has(pid_t pid) const { return proven_.contains(pid); }

private:
    std::map<pid_t, bool> asleep_{};  ///< seen waiting, and asleep after it
    std::set<pid_t> proven_{};
};

/// The process sleeps (state S), as the kernel sees it.
bool is_asleep(pid_t pid);

}  // namespace howdah::instance
