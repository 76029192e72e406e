#include "cli/backup/as_job.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>

#include "backup/jobs/job.h"
#include "backup/options/exit_code.h"

namespace howdah::cli {
namespace {

bool enter() {
    const auto* told = std::getenv(backup::job_variable);
    if (told == nullptr) {
        return false;
    }
    const std::string parent = told;
    // A PostgreSQL that this verb starts calls archive-get, which must not take itself for a job.
    unsetenv(backup::job_variable);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (std::to_string(getppid()) != parent) {
        std::exit(static_cast<int>(backup::ExitCode::terminated));
    }
    return true;
}

}  // namespace

bool runs_as_job() {
    static const bool job = enter();
    return job;
}

}  // namespace howdah::cli
