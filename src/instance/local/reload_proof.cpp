#include "instance/local/reload_proof.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "io/files.h"

namespace howdah::instance {
namespace {

/// The wait of a main loop whose top reads the configuration again (PostgreSQL 13 to 18).
bool is_main_wait(std::string_view wait_event) {
    constexpr std::array<std::string_view, 5> waits{"CheckpointerMain", "CheckpointWriteDelay",
                                                    "WalSenderMain", "RecoveryWalStream",
                                                    "RecoveryRetrieveRetryInterval"};
    return std::ranges::find(waits, wait_event) != waits.end();
}

}  // namespace

void ReloadProof::look(pid_t pid, std::string_view wait_event) {
    if (!is_main_wait(wait_event)) {
        return;
    }
    auto& asleep = asleep_[pid];
    if (asleep) {
        proven_.insert(pid);
    }
    asleep = asleep || is_asleep(pid);
}

bool is_asleep(pid_t pid) {
    const auto stat = io::read_file(fmt::format("/proc/{}/stat", pid));
    const auto name_end = stat ? stat->rfind(") ") : std::string::npos;
    return name_end != std::string::npos && stat->substr(name_end + 2, 1) == "S";
}

}  // namespace howdah::instance
