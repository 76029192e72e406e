#include "cli/down.h"

#include <fmt/format.h>

#include <filesystem>

#include "cli/up_prepare.h"
#include "cli/up_processes.h"

namespace howdah::cli {

Result<> run(const DownCommand& command) {
    const auto dir = up_dir(command.dir);
    if (!std::filesystem::exists(dir)) {
        return fail(Errc::not_found, dir + ": no such directory",
                    "--dir as it was given to howdah up");
    }
    HD_TRY_VOID(stop_all(dir, [](const std::string& step) { fmt::print("{}\n", step); }));
    fmt::print("nothing of {} runs; its data are still there\n", dir);
    return {};
}

}  // namespace howdah::cli
