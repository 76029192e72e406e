#include "files/files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace howdah::files {

Result<> check_path(std::string_view path) {
    if (path.empty()) {
        return {};
    }
    for (std::size_t begin = 0; begin <= path.size();) {
        const auto end = std::min(path.find('/', begin), path.size());
        const auto part = path.substr(begin, end - begin);
        if (part.empty() || part == "." || part == ".." || part.contains('\0')) {
            return fail(Errc::invalid, fmt::format("\"{}\" is not a path in a repository", path));
        }
        begin = end + 1;
    }
    return {};
}

Result<std::string> read_all(Files& files, std::string_view path, std::size_t limit_bytes) {
    HD_TRY(const auto source, files.read(path));
    std::string out;
    std::array<std::byte, 64 * 1024> block{};
    while (true) {
        HD_TRY(const auto got, source->read(block));
        if (got == 0) {
            return out;
        }
        if (out.size() + got > limit_bytes) {
            return fail(Errc::corrupt, fmt::format("{}: longer than {} bytes", path, limit_bytes));
        }
        out.append(text_of(Bytes(block).first(got)));
    }
}

Result<> write_all(Files& files, std::string_view path, std::string_view content) {
    HD_TRY(const auto sink, files.write(path));
    HD_TRY_VOID(sink->write(bytes_of(content)));
    return sink->finish();
}

}  // namespace howdah::files
