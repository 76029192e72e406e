#include "instance/local/settings_trial.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>

#include "instance/local/pg_files.h"
#include "io/child.h"
#include "io/files.h"

namespace howdah::instance {
namespace {

namespace fs = std::filesystem;

constexpr Nanos limit = Seconds(10);

/// Removed with what it holds.
class Folder {
public:
    explicit Folder(std::string path) : path_(std::move(path)) {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    ~Folder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    Result<> make() const {
        return ::mkdir(path_.c_str(), 0700) == 0 ? Result<>{}
                                                 : io::fail_errno("make the folder " + path_);
    }
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

/// "2026-11-30 22:00:00 UTC [7] LOG:  unrecognized configuration parameter \"x\" in file ..." as
/// far as people need it: the first line, from its text on.
std::string message_in(const std::string& output) {
    auto line = output.substr(0, output.find('\n'));
    if (const auto colon = line.find(":  "); colon != std::string::npos) {
        line.erase(0, colon + 3);
    }
    if (const auto file = line.find(" in file \""); file != std::string::npos) {
        line.erase(file);
    }
    return line;
}

class Trial {
public:
    Trial(io::Clock& clock, std::string postgres, const Folder& folder)
        : clock_(clock), postgres_(std::move(postgres)), folder_(folder) {}

    /// nullopt: PostgreSQL takes them all; else its message.
    io::Task<Result<std::optional<std::string>>> refuses(const config::Parameters& settings) const {
        std::string text;
        for (const auto& [name, value] : settings) {
            text += conf_line(name, value);
        }
        HD_CO_TRY_VOID(io::write_file_atomically(folder_.path() + "/postgresql.conf", text));
        HD_CO_TRY(
            const auto output,
            co_await io::run(clock_, {postgres_, "-D", folder_.path(), "-C", "data_directory"},
                             {.environment = {"LC_ALL=C"}}, limit));
        if (output.exit_code == 0) {
            co_return std::nullopt;
        }
        co_return message_in(output.text);
    }

private:
    io::Clock& clock_;
    std::string postgres_;
    const Folder& folder_;
};

}  // namespace

io::Task<Result<std::vector<RefusedSetting>>> refused_by_postgres(io::Clock& clock,
                                                                  std::string bin_dir,
                                                                  std::string path,
                                                                  config::Parameters settings) {
    const Folder folder(std::move(path));
    HD_CO_TRY_VOID(folder.make());
    // Else each answer begins with the remark that it is missing.
    HD_CO_TRY_VOID(io::write_file_atomically(folder.path() + "/postgresql.auto.conf", ""));
    const Trial trial(clock, bin_dir + "/postgres", folder);
    // Without any it must be content, or it is not the settings that it refuses.
    HD_CO_TRY(const auto none, co_await trial.refuses({}));
    if (none) {
        co_return fail(Errc::io, "postgres -C: " + *none,
                       "the settings were not tried before they are used");
    }
    std::vector<RefusedSetting> out;
    HD_CO_TRY(const auto all, co_await trial.refuses(settings));
    if (!all) {
        co_return out;
    }
    for (const auto& [name, value] : settings) {
        HD_CO_TRY(auto why, co_await trial.refuses({{name, value}}));
        if (why) {
            out.push_back({.name = name, .value = value, .why = *std::move(why)});
        }
    }
    co_return out;
}

}  // namespace howdah::instance
