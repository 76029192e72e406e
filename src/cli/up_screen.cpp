#include "cli/up_screen.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <future>
#include <memory>

#include "api/overview.h"
#include "cli/table.h"
#include "cli/up_load.h"

namespace howdah::cli {

namespace {

constexpr Millis refresh{500};

std::atomic<bool> interrupted = false;

void heed_interrupts() {
    struct sigaction action{};
    action.sa_handler = [](int) { interrupted = true; };
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
    ::sigaction(SIGHUP, &action, nullptr);
}

/// Keys one by one and unechoed, as long as it lives.
class RawTerminal {
public:
    RawTerminal() {
        ::tcgetattr(STDIN_FILENO, &before_);
        auto raw = before_;
        raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
        fmt::print("\x1b[?25l\x1b[2J");
    }
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;
    ~RawTerminal() {
        ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
        fmt::print("\x1b[?25h\n");
        std::fflush(stdout);
    }

private:
    termios before_{};
};

/// The key pressed within `limit`, or 0.
char key_within(Millis limit) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    char key = 0;
    return ::poll(&input, 1, int(limit.count())) == 1 && ::read(STDIN_FILENO, &key, 1) == 1 ? key
                                                                                            : '\0';
}

std::string load_line(const LoadCounts& c) {
    auto out = fmt::format("load  {} rows, {} errors", c.ok, c.errors);
    out += c.last_outage.count() != 0
               ? fmt::format(", last outage {:.2f} s", double(c.last_outage.count()) / 1000)
               : "";
    out += c.silent_for > refresh
               ? fmt::format(", waiting for {:.1f} s", double(c.silent_for.count()) / 1000)
               : "";
    return out + (c.last_error.empty() ? "" : "\n      last error: " + c.last_error.substr(0, 100));
}

/// Every line ends in "erase to its end", so that a shorter picture leaves no rests of a longer
/// one.
void paint(std::string text) {
    for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 4)) {
        text.replace(at, 1, "\x1b[K\n");
    }
    fmt::print("\x1b[H{}\x1b[J", text);
    std::fflush(stdout);
}

class Screen {
public:
    Screen(UpCluster& cluster, bool with_load) : cluster_(cluster) {
        if (with_load) {
            load_ = std::make_unique<Load>(cluster.endpoint_dsn());
        }
    }

    void run() {
        const RawTerminal terminal;
        while (!interrupted) {
            paint(picture());
            switch (key_within(refresh)) {
                case 'k':
                    begin([this] { return cluster_.kill_primary(); });
                    break;
                case 'p':
                    begin([this] { return cluster_.kill_postmaster(); });
                    break;
                case 'b':
                    begin([this] { return cluster_.bring_back(); });
                    break;
                case 's':
                    begin([this] { return cluster_.switch_over(); });
                    break;
                case 'q':
                    return;
                default:
                    break;
            }
        }
    }

private:
    /// On a thread of its own: a switchover must not stop the clock on the screen. One at a time.
    template <class Deed>
    void begin(Deed deed) {
        if (!pending_.valid()) {
            message_ = "...";
            pending_ = std::async(std::launch::async, deed);
        }
    }

    std::string picture() {
        if (pending_.valid() && pending_.wait_for(Millis(0)) == std::future_status::ready) {
            message_ = pending_.get();
        }
        if (auto seen = cluster_.look()) {
            table_ = render_list(*seen, up_scope, {});
        }
        return table_ + "\n" + (load_ ? load_line(load_->counts()) + "\n" : "") +
               fmt::format(
                   "psql 'host={} port={} user=postgres dbname=postgres'   (password in {})\n\n",
                   cluster_.layout().endpoint.address, read_write_port,
                   cluster_.layout().cluster_json()) +
               "k kill the primary   p kill its postmaster only   b bring back   s switch over   q "
               "stop\n\n" +
               message_ + "\n";
    }

    UpCluster& cluster_;
    std::unique_ptr<Load> load_{};
    std::future<std::string> pending_{};
    std::string table_ = "etcd doesn't answer\n";
    std::string message_{};
};

/// Without a terminal: a line a member whenever something changed.
void report_changes(UpCluster& cluster, bool with_load) {
    std::unique_ptr<Load> load =
        with_load ? std::make_unique<Load>(cluster.endpoint_dsn()) : nullptr;
    std::string before;
    Millis outage_told{};
    while (!interrupted) {
        std::string now;
        if (const auto seen = cluster.look()) {
            for (const auto& member : api::overview(*seen)) {
                now += fmt::format("{} {} {} timeline {}\n", member.name, member.role, member.state,
                                   member.timeline);
            }
        }
        if (now != before) {
            fmt::print("{}", now);
            before = now;
        }
        if (const auto counts = load ? load->counts() : LoadCounts{};
            counts.last_outage != outage_told) {
            fmt::print("{}\n", load_line(counts));
            outage_told = counts.last_outage;
        }
        std::fflush(stdout);
        ::poll(nullptr, 0, int(refresh.count()));
    }
}

}  // namespace

void watch_cluster(UpCluster& cluster, bool with_load) {
    heed_interrupts();
    if (::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1) {
        Screen(cluster, with_load).run();
    } else {
        report_changes(cluster, with_load);
    }
}

}  // namespace howdah::cli
