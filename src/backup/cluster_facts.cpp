#include "backup/cluster_facts.h"

#include <sys/stat.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/bytes.h"
#include "io/files.h"
#include "pg/control_file.h"

namespace howdah::backup {

Result<std::string> read_control(const std::string& data_directory) {
    constexpr int attempts = 50;
    const auto path = data_directory + "/global/pg_control";
    for (int attempt = 1;; ++attempt) {
        HD_TRY(auto content, io::read_file(path));
        const auto parsed = pg::ControlFile::parse(bytes_of(content));
        if (parsed) {
            return content;
        }
        if (attempt == attempts) {
            return std::unexpected(Error(parsed.error()).within(path));
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

Result<ClusterFacts> cluster_facts(const std::string& data_directory) {
    HD_TRY(auto version, io::read_file(data_directory + "/PG_VERSION"));
    while (!version.empty() && version.back() == '\n') {
        version.pop_back();
    }
    HD_TRY(const auto bytes, read_control(data_directory));
    HD_TRY(const auto control, pg::ControlFile::parse(bytes_of(bytes)));
    return ClusterFacts{.system_id = control.system_id,
                        .version = version,
                        .control_version = control.control_version,
                        .catalog_version = control.catalog_version};
}

int server_in(const std::string& data_directory) {
    struct stat data{}, cwd{};
    if (stat(data_directory.c_str(), &data) != 0) {
        return 0;
    }
    namespace fs = std::filesystem;
    std::error_code error;
    for (fs::directory_iterator at("/proc", error); !error && at != fs::directory_iterator();
         at.increment(error)) {
        const auto process = at->path().string();
        if (stat((process + "/cwd").c_str(), &cwd) == 0 && cwd.st_ino == data.st_ino &&
            cwd.st_dev == data.st_dev &&
            io::read_file(process + "/comm").value_or("").starts_with("postgres")) {
            return std::atoi(at->path().filename().c_str());
        }
    }
    return 0;
}

}  // namespace howdah::backup
