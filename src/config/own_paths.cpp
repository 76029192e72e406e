#include "config/own_paths.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

namespace howdah::config {
namespace {

constexpr std::array<std::string_view, 5> names{"data_directory", "config_file", "hba_file",
                                                "ident_file", "external_pid_file"};

/// What it is without being set; empty: nothing.
std::filesystem::path own_path(const Postgresql& paths, std::string_view name) {
    const std::filesystem::path config_dir(paths.config_dir.empty() ? paths.data_dir
                                                                    : paths.config_dir);
    return name == "data_directory" ? std::filesystem::path(paths.data_dir)
           : name == "config_file"  ? config_dir / "postgresql.conf"
           : name == "hba_file"     ? config_dir / "pg_hba.conf"
           : name == "ident_file"   ? config_dir / "pg_ident.conf"
                                    : std::filesystem::path();
}

/// "/a/b/" and "/a//b" are "/a/b".
std::filesystem::path plain(const std::filesystem::path& path) {
    const auto normal = path.lexically_normal();
    return normal.has_filename() ? normal : normal.parent_path();
}

}  // namespace

bool is_own_path(std::string_view parameter) {
    return std::ranges::find(names, parameter) != names.end();
}

std::vector<std::string> drop_own_paths(const Postgresql& paths, Parameters& parameters) {
    std::vector<std::string> told;
    for (const auto name : names) {
        const auto found = parameters.find(std::string(name));
        if (found == parameters.end()) {
            continue;
        }
        if (plain(found->second) != plain(own_path(paths, name))) {
            told.push_back(
                fmt::format("postgresql.parameters.{}: {} is ignored: it comes from "
                            "postgresql.data_dir and config_dir",
                            name, found->second));
        }
        parameters.erase(found);
    }
    return told;
}

}  // namespace howdah::config
