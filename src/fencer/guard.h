#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <string_view>

#include "fencer/page.h"

namespace howdah::fencer {

/// What the operating system granted this fencer.
struct Privileges {
    bool locked = false;    ///< mlockall
    bool realtime = false;  ///< SCHED_FIFO
    bool oom = false;       ///< the OOM killer passes it by
};

/// The fencer's loop: watches the postmaster, the page and the socket; ends when the tree is dead.
/// No heap, one thread. The postmaster must be a child of this process, which must be a subreaper
/// with all signals blocked.
class Guard {
public:
    struct Start {
        pid_t postmaster = 0;
        int listener = -1;  ///< listening socket, not blocking
        const char* socket_path = "";
        const char* exit_path = "";
        Privileges privileges{};
    };
    Guard(const Start& start, const DeadlinePage& page) : start_(start), page_(page) {}

    /// Exit code for the process.
    int run();

private:
    struct Client {
        int fd = -1;
        std::size_t used = 0;
        std::array<char, 128> line{};
        bool waits_for_death = false;
        long long answer_by = 0;  ///< BOOTTIME nanoseconds
    };

    bool open_events();
    void rearm();
    void check_deadline();
    void kill_tree(const char* reason);
    void reap();
    void sweep();
    void accept_client();
    void read_client(Client& client);
    void obey(Client& client, std::string_view line);
    void send_signal(Client& client, std::string_view name);
    void tell_status(Client& client);
    void answer_the_waiting();
    void finish();
    static void say(Client& client, std::string_view text);
    static void drop(Client& client);

    Start start_;
    const DeadlinePage& page_;
    int signals_ = -1;
    int timer_ = -1;
    Instant armed_{};
    bool postmaster_alive_ = true;
    bool killing_ = false;
    bool dead_ = false;
    int wait_status_ = 0;
    const char* reason_ = "-";
    std::array<Client, 16> clients_{};
};

}  // namespace howdah::fencer
