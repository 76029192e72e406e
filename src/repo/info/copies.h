#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

/// archive.info, backup.info and backup.manifest stand twice in a repository: main file, then
/// ".copy".
namespace howdah::repo {

/// "archive.info" -> "archive.info.copy". Writers write the main file first, then the copy.
std::string copy_name(std::string_view name);

/// What to say when neither could be read. It is not_found only if both are: a damaged file must
/// never look like a repository that is not there yet.
Error neither_readable(std::string_view name, Error main, Error copy);

/// The main file, or on any error its copy. `load_copy` is called only if it is needed.
/// A caller that waits for its files does the same by hand with neither_readable().
template <class T, class Load>
Result<T> main_or_copy(std::string_view name, Result<T> main, Load load_copy) {
    if (main) {
        return main;
    }
    Result<T> copy = load_copy();
    if (copy) {
        return copy;
    }
    return std::unexpected(
        neither_readable(name, std::move(main).error(), std::move(copy).error()));
}

}  // namespace howdah::repo
