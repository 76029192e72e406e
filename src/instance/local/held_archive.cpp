#include "instance/local/held_archive.h"

#include <fmt/format.h>

#include "io/files.h"
#include "pg/quote.h"

namespace howdah::instance {

std::string held_archive_command(const std::string& howdah, const std::string& file) {
    // pgBackRest makes no backup unless its name is in archive_command.
    return fmt::format("{} {} {} %p %f  # then the archive-push of howdah or pgbackrest in there",
                       pg::quote_command_word(howdah), held_archive_verb,
                       pg::quote_command_word(file));
}

Result<std::string> release_archive_command(const std::string& file, const std::string& path,
                                            const std::string& name) {
    const auto command = io::read_file(file);
    if (!command || command->empty()) {
        return fail(Errc::unavailable,
                    fmt::format("{} is not archived: archiving of this cluster, which was made "
                                "from a backup, is held back by {}",
                                name, file),
                    "`howdah list` says why; it begins by itself, and nothing is lost");
    }
    return pg::fill_command(*command, path, name);
}

}  // namespace howdah::instance
