#include "backup/command/archive/spool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "backup/options/exit_code.h"
#include "io/fd.h"
#include "io/files.h"

namespace howdah::backup {
namespace {

constexpr std::string_view for_all = "global";

/// "44\nthe message"; nothing is 0 without a message.
Result<SpoolStatus> parse_status(std::string_view text, bool is_error) {
    SpoolStatus status{.exit_code = is_error ? static_cast<std::uint8_t>(ExitCode::unknown)
                                             : std::uint8_t{0}};
    if (text.empty()) {
        return status;
    }
    const auto [end, wrong] =
        std::from_chars(text.data(), text.data() + text.size(), status.exit_code);
    if (wrong != std::errc() || (end != text.data() + text.size() && *end != '\n')) {
        return fail(Errc::corrupt, "it does not begin with an exit code");
    }
    const auto rest = text.substr(static_cast<std::size_t>(end - text.data()));
    status.message = rest.substr(rest.empty() ? 0 : 1);
    return status;
}

}  // namespace

Error about_spool(Error error) {
    error.message += " (option 'spool-path')";
    if (error.hint.empty()) {
        error.hint =
            "it must be a folder of this host with room, which the user of PostgreSQL may "
            "write to; or archive-async=n";
    }
    return error;
}

Spool::Spool(const Options& options, Direction direction)
    : folder_(fmt::format("{}/archive/{}/{}", options.archive.spool_path, options.stanza,
                          direction == Direction::push ? "out" : "in")) {}

std::string Spool::path_of(std::string_view file) const {
    return fmt::format("{}/{}", folder_, file);
}

Result<> Spool::prepare() const {
    if (auto made = io::make_directories(folder_, 0750); !made) {
        return std::unexpected(ending_with(ExitCode::file_write, about_spool(made.error())));
    }
    if (access(folder_.c_str(), R_OK | W_OK | X_OK) != 0) {
        auto failed = io::fail_errno("write to " + folder_);
        return std::unexpected(ending_with(ExitCode::file_write, about_spool(failed.error())));
    }
    return {};
}

Result<std::vector<TimedName>> Spool::files() const {
    return names_in(folder_);
}

Result<std::optional<SpoolStatus>> Spool::status(std::string_view name,
                                                 std::int64_t since_ns) const {
    for (const auto& [file, is_error] : {std::pair(fmt::format("{}.ok", name), false),
                                         {fmt::format("{}.error", name), true},
                                         {fmt::format("{}.error", for_all), true}}) {
        const auto text = io::read_file(path_of(file));
        if (!text && text.error().code == Errc::not_found) {
            continue;
        }
        auto status = text ? parse_status(*text, is_error) : std::unexpected(text.error());
        if (!status) {
            return std::unexpected(about_spool(std::move(status).error().within(path_of(file))));
        }
        status->told_ns = modified_ns(path_of(file)).value_or(0);
        if (is_error || status->told_ns >= since_ns) {
            return *std::move(status);
        }
    }
    return std::nullopt;
}

Result<> Spool::tell(std::string_view name, const SpoolStatus& status) const {
    const bool is_error = status.exit_code != 0;
    const auto text = status.message.empty() && !is_error
                          ? std::string()
                          : fmt::format("{}\n{}", status.exit_code, status.message);
    const auto path = path_of(fmt::format("{}.{}", name, is_error ? "error" : "ok"));
    const auto temporary = path + std::string(spool_unfinished);
    // Not synced: after a loss of power the file is pushed again, or asked for again.
    const io::Fd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
    if (!fd || write(fd.get(), text.data(), text.size()) != std::ssize(text) ||
        rename(temporary.c_str(), path.c_str()) != 0) {
        auto failed = io::fail_errno("write " + path);
        return std::unexpected(ending_with(ExitCode::file_write, about_spool(failed.error())));
    }
    return {};
}

Result<> Spool::tell_all(const SpoolStatus& status) const {
    return tell(for_all, status);
}

Result<> Spool::remove(std::string_view file) const {
    const auto path = path_of(file);
    if (unlink(path.c_str()) != 0 && errno != ENOENT) {
        return std::unexpected(about_spool(io::fail_errno("remove " + path).error()));
    }
    return {};
}

}  // namespace howdah::backup
