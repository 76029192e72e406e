#include "instance/local/pg_process.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <deque>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "io/files.h"

namespace howdah::instance {
namespace {

namespace fs = std::filesystem;

bool runs(const std::string& program) {
    return ::access(program.c_str(), X_OK) == 0;
}

std::string from_path() {
    const char* path = std::getenv("PATH");
    std::istringstream folders(path == nullptr ? "" : path);
    for (std::string folder; std::getline(folders, folder, ':');) {
        // A link to one program isn't a folder of all.
        std::error_code ec;
        const auto program = fs::canonical(folder + "/postgres", ec);
        if (!ec && runs(program.string()) &&
            runs(program.parent_path().string() + "/pg_controldata")) {
            return program.parent_path().string();
        }
    }
    return {};
}

int newest_installed() {
    int newest = 0;
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", ec)) {
        if (runs(entry.path().string() + "/bin/postgres")) {
            newest = std::max(newest, std::atoi(entry.path().filename().c_str()));
        }
    }
    return newest;
}

bool is_postgres(pid_t pid) {
    const auto name = io::read_file(fmt::format("/proc/{}/comm", pid));
    return name && (name->starts_with("postgres") || name->starts_with("postmaster"));
}

std::int64_t number_of(const std::string& text) {
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

}  // namespace

Result<std::string> find_bin_dir(const std::string& configured, int major) {
    if (!configured.empty()) {
        if (!runs(configured + "/postgres")) {
            return fail(Errc::not_found, configured + "/postgres: no such program",
                        "correct postgresql.bin_dir");
        }
        return configured;
    }
    if (auto folder = from_path(); !folder.empty()) {
        return folder;
    }
    const int version = major > 0 ? major : newest_installed();
    auto folder = fmt::format("/usr/lib/postgresql/{}/bin", version);
    if (version == 0 || !runs(folder + "/postgres")) {
        return fail(Errc::not_found,
                    version == 0
                        ? std::string("postgres: not in PATH and not in /usr/lib/postgresql")
                        : folder +
                              "/postgres: no such program, and the data directory "
                              "was made by PostgreSQL " +
                              std::to_string(version),
                    version == 0
                        ? "install PostgreSQL, or set postgresql.bin_dir"
                        : fmt::format("install postgresql-{}, or set postgresql.bin_dir", version));
    }
    return folder;
}

std::vector<std::string> postmaster_argv(
    const std::string& bin_dir, const std::string& data_dir, const std::string& config_file,
    const config::EffectivePostgresql& settings,
    const std::map<std::string, std::string>& control_settings) {
    // The last one holds whatever an included file says.
    std::vector<std::string> argv{bin_dir + "/postgres", "-D", data_dir,
                                  "--config-file=" + config_file, "--data-directory=" + data_dir};
    for (const auto& [name, value] : settings.controlled) {
        auto effective = value;
        const auto at_primary = control_settings.find(name);
        if (at_primary != control_settings.end() &&
            number_of(at_primary->second) > number_of(value)) {
            effective = at_primary->second;
        }
        argv.push_back("--" + name + "=" + effective);
    }
    return argv;
}

std::vector<std::string> postmaster_environment() {
    constexpr std::array prefixes{"PATRONI_", "HOWDAH_", "PG", "NOTIFY_SOCKET=", "LISTEN_"};
    constexpr std::string_view for_archive_command = "HOWDAH_ARCHIVE_SOCKET=";
    std::vector<std::string> kept;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        const bool dropped = std::ranges::any_of(
            prefixes, [&](std::string_view prefix) { return text.starts_with(prefix); });
        if (!dropped || text.starts_with(for_archive_command)) {
            kept.emplace_back(text);
        }
    }
    return kept;
}

std::vector<pid_t> processes_in(const std::string& data_dir) {
    struct stat wanted{};
    std::vector<pid_t> found;
    if (::stat(data_dir.c_str(), &wanted) != 0) {
        return found;
    }
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator("/proc", ec)) {
        const auto pid = static_cast<pid_t>(number_of(entry.path().filename().string()));
        struct stat cwd{};
        // An administrator's shell may stand there as well; what PostgreSQL executes can't commit.
        if (pid > 0 && pid != getpid() && is_postgres(pid) &&
            ::stat(fmt::format("/proc/{}/cwd", pid).c_str(), &cwd) == 0 &&
            cwd.st_dev == wanted.st_dev && cwd.st_ino == wanted.st_ino) {
            found.push_back(pid);
        }
    }
    return found;
}

pid_t living_postmaster(const std::string& data_dir) {
    const auto text = io::read_file(data_dir + "/postmaster.pid");
    const auto pid = static_cast<pid_t>(text ? number_of(*text) : 0);
    const auto alive = processes_in(data_dir);
    return pid > 0 && std::ranges::find(alive, pid) != alive.end() ? pid : 0;
}

namespace {

/// Inodes of the sockets that the process has open.
std::set<std::string> sockets_of(pid_t pid) {
    std::set<std::string> inodes;
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator(fmt::format("/proc/{}/fd", pid), ec)) {
        const auto target = fs::read_symlink(entry.path(), ec).string();
        if (constexpr std::string_view kind = "socket:["; target.starts_with(kind)) {
            inodes.insert(target.substr(kind.size(), target.size() - kind.size() - 1));
        }
    }
    return inodes;
}

/// "0100007F:1538" -> 0x1538.
std::uint16_t port_in(const std::string& address) {
    const auto colon = address.rfind(':');
    return colon == std::string::npos
               ? std::uint16_t{0}
               : static_cast<std::uint16_t>(std::strtoul(address.c_str() + colon + 1, nullptr, 16));
}

}  // namespace

std::uint16_t local_port_of(pid_t pid, std::uint16_t remote) {
    const auto inodes = sockets_of(pid);
    for (const auto* table : {"tcp", "tcp6"}) {
        std::ifstream file(fmt::format("/proc/{}/net/{}", pid, table));
        for (std::string line; std::getline(file, line);) {
            // sl, local, remote, state, queues, timer, retransmits, uid, timeout, inode
            std::istringstream words(line);
            std::array<std::string, 10> column;
            for (auto& word : column) {
                words >> word;
            }
            if (inodes.contains(column[9]) && port_in(column[2]) == remote) {
                return port_in(column[1]);
            }
        }
    }
    return 0;
}

bool postmaster_is_unreaped(const std::string& data_dir) {
    const auto text = io::read_file(data_dir + "/postmaster.pid");
    const auto stat = io::read_file(fmt::format("/proc/{}/stat", text ? number_of(*text) : 0));
    // proc(5): "PID (NAME) STATE ...", and a name may hold anything.
    const auto end = stat ? stat->rfind(") ") : std::string::npos;
    return end != std::string::npos && stat->substr(end + 2, 1) == "Z";
}

std::vector<pid_t> fencers_of(const std::string& state_dir) {
    const auto wanted = std::string("fencer\0--state-dir\0", 19) + state_dir + '\0';
    std::vector<pid_t> found;
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator("/proc", ec)) {
        const auto pid = static_cast<pid_t>(number_of(entry.path().filename().string()));
        const auto words =
            pid > 0 ? io::read_file(entry.path().string() + "/cmdline") : Result<std::string>("");
        if (words && words->substr(words->find('\0') + 1).starts_with(wanted)) {
            found.push_back(pid);
        }
    }
    return found;
}

std::string log_tail(const std::string& log, std::uint64_t from, int lines) {
    std::ifstream file(log, std::ios::binary);
    file.seekg(static_cast<std::streamoff>(from));
    std::deque<std::string> last;
    for (std::string line; std::getline(file, line);) {
        last.push_back(line);
        if (last.size() > static_cast<std::size_t>(lines)) {
            last.pop_front();
        }
    }
    std::string text;
    for (const auto& line : last) {
        text += (text.empty() ? "" : " | ") + line;
    }
    return text;
}

std::string hint_for(const std::string& log_text) {
    struct Known {
        std::string_view symptom, hint;
    };
    constexpr std::array known{
        Known{"recovery ended before configured recovery target was reached",
              "the archive ends before the target: restore again with a target that it has, or "
              "change recovery_target_… in postgresql.auto.conf; when the archive gets more, the "
              "next attempt goes on"},
        Known{"could not locate required checkpoint record",
              "the archive lacks WAL that the backup needs: is restore_command right, and the "
              "repository reachable?"},
        Known{"Address already in use",
              "another program uses that port: stop it, or change postgresql.listen"},
        Known{"Cannot assign requested address",
              "this host has no such address: correct postgresql.listen"},
        Known{"could not create any TCP/IP sockets", "correct postgresql.listen"},
        Known{"database files are incompatible with server",
              "the data directory was made by another version of PostgreSQL: correct "
              "postgresql.bin_dir"},
        Known{"has wrong ownership", "run the agent as the owner of the data directory"},
        Known{"has invalid permissions", "chmod 0700 the data directory"},
        Known{"unrecognized configuration parameter", "remove that parameter with edit-config"},
        Known{"invalid value for parameter", "correct that parameter with edit-config"},
        Known{"configuration file", "correct the parameters with edit-config"},
        Known{"another server might be running",
              "a PostgreSQL that Howdah did not start runs there: stop it"},
        Known{"already exists", "a PostgreSQL that Howdah did not start runs there: stop it"},
        Known{"No space left on device", "make room on the disk"},
        Known{"could not access file",
              "install that library, or remove it from shared_preload_libraries"},
    };
    for (const auto& [symptom, hint] : known) {
        if (log_text.find(symptom) != std::string::npos) {
            return std::string(hint);
        }
    }
    return {};
}

Result<> check_ownership(const std::string& data_dir) {
    struct stat info{};
    if (::stat(data_dir.c_str(), &info) != 0) {
        return io::fail_errno(data_dir);
    }
    if (info.st_uid != geteuid()) {
        return fail(Errc::invalid,
                    fmt::format("{}: belongs to user id {}, but this runs as {}", data_dir,
                                info.st_uid, geteuid()),
                    "run the agent as the owner of the data directory");
    }
    return {};
}

}  // namespace howdah::instance
