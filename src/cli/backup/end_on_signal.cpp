#include "cli/backup/end_on_signal.h"

#include <pthread.h>
#include <unistd.h>

#include "backup/options/exit_code.h"

namespace howdah::cli {
namespace {

constexpr int no_longer = SIGUSR2;  ///< from the destructor

const char* name_of(int signal) {
    switch (signal) {
        case SIGHUP:
            return "SIGHUP";
        case SIGINT:
            return "SIGINT";
        default:
            return "SIGTERM";
    }
}

}  // namespace

EndOnSignal::EndOnSignal(std::function<void(const char* signal)> tell) {
    sigset_t waited;
    sigemptyset(&waited);
    for (const auto each : {SIGHUP, SIGINT, SIGTERM, no_longer}) {
        sigaddset(&waited, each);
    }
    pthread_sigmask(SIG_BLOCK, &waited, &before_);
    waiting_ = std::jthread([waited, tell = std::move(tell)] {
        int signal = 0;
        if (sigwait(&waited, &signal) == 0 && signal != no_longer) {
            tell(name_of(signal));
            _exit(static_cast<int>(backup::ExitCode::terminated));
        }
    });
}

EndOnSignal::~EndOnSignal() {
    pthread_kill(waiting_.native_handle(), no_longer);
    waiting_.join();
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace howdah::cli
