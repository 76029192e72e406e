#include "backup/option_sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "backup/local_file.h"
#include "backup/options/exit_code.h"
#include "io/files.h"

namespace howdah::backup {
namespace {

namespace fs = std::filesystem;

constexpr auto usual_folder = "/etc/pgbackrest", usual_old_file = "/etc/pgbackrest.conf";

/// The value of an option that says where options are; nullopt without one.
std::optional<std::string> given(const OptionSources& sources, const std::string& option,
                                 const std::string& variable) {
    const auto& words = sources.words;
    const auto with_value = "--" + option + "=";
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i].starts_with(with_value)) {
            return words[i].substr(with_value.size());
        }
        if (words[i] == "--" + option && i + 1 < words.size()) {
            return words[i + 1];
        }
    }
    const auto found = sources.environment.find(variable);
    return found == sources.environment.end() ? std::nullopt : std::optional(found->second);
}

/// Files NAME.conf, by name. `must_be`: somebody named the folder.
Result<std::vector<std::string>> parts_in(const std::string& folder, bool must_be) {
    std::vector<std::string> files;
    std::error_code error;
    for (fs::directory_iterator at(folder, error); !error && at != fs::directory_iterator();
         at.increment(error)) {
        if (at->path().extension() == ".conf") {
            files.push_back(at->path().string());
        }
    }
    if (error && (must_be || error != std::errc::no_such_file_or_directory)) {
        return fail_with(
            ExitCode::path_missing, Errc::io,
            fmt::format("cannot list configuration folder {}: {}", folder, error.message()));
    }
    std::ranges::sort(files);
    return files;
}

/// The main file, where nobody named one.
Result<std::vector<std::string>> usual_file(const std::string& folder, bool is_named) {
    std::vector<std::string> candidates{folder + "/pgbackrest.conf"};
    if (!is_named) {
        candidates.emplace_back(usual_old_file);
    }
    for (const auto& file : candidates) {
        HD_TRY(const auto there, is_there(file));
        if (there) {
            return std::vector{file};
        }
    }
    return std::vector<std::string>();
}

Result<std::vector<std::string>> files_of(const OptionSources& sources) {
    const auto none = std::ranges::find(sources.words, "--no-config") != sources.words.end();
    const auto file = none ? std::nullopt : given(sources, "config", "PGBACKREST_CONFIG");
    const auto folder = given(sources, "config-path", "PGBACKREST_CONFIG_PATH");
    const auto parts = given(sources, "config-include-path", "PGBACKREST_CONFIG_INCLUDE_PATH");
    std::vector<std::string> files;
    if (file) {
        files.push_back(*file);
    } else if (!none) {
        HD_TRY(files, usual_file(folder.value_or(usual_folder), folder.has_value()));
    }
    // Who names one file means that file alone.
    if ((file || none) && !folder && !parts) {
        return files;
    }
    HD_TRY(const auto more,
           parts_in(parts.value_or(folder.value_or(usual_folder) + "/conf.d"), parts.has_value()));
    files.insert(files.end(), more.begin(), more.end());
    return files;
}

}  // namespace

Result<OptionSources> find_option_sources(std::vector<std::string> words,
                                          std::map<std::string, std::string> environment) {
    OptionSources sources{.words = std::move(words), .environment = std::move(environment)};
    HD_TRY(const auto files, files_of(sources));
    for (const auto& file : files) {
        HD_TRY(auto text, io::read_file(file));
        sources.files.push_back({.file = file, .text = std::move(text)});
    }
    return sources;
}

}  // namespace howdah::backup
