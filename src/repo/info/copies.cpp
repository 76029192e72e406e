#include "repo/info/copies.h"

#include <fmt/format.h>

namespace howdah::repo {

std::string copy_name(std::string_view name) {
    return std::string(name) + ".copy";
}

Error neither_readable(std::string_view name, Error main, Error copy) {
    auto& worse = main.code == Errc::not_found ? copy : main;
    return Error{.code = worse.code,
                 .message = fmt::format("cannot load {} ({}) nor {} ({})", name, main.message,
                                        copy_name(name), copy.message),
                 .hint = std::move(worse.hint),
                 .exit_code = worse.exit_code};
}

}  // namespace howdah::repo
