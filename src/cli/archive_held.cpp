#include "cli/archive_held.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "instance/local/held_archive.h"

namespace howdah::cli {

int run_archive_held(char** words) {
    const auto command = instance::release_archive_command(words[0], words[1], words[2]);
    if (!command) {
        fmt::print(stderr, "{}\nhint: {}\n", command.error().message, command.error().hint);
        return 1;
    }
    ::execl("/bin/sh", "sh", "-c", command->c_str(), nullptr);
    std::perror("/bin/sh");
    return 1;
}

}  // namespace howdah::cli
