#include "cli/up_prepare.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/up_processes.h"
#include "io/files.h"

namespace howdah::cli {

namespace fs = std::filesystem;

namespace {

std::string draw_password() {
    std::array<unsigned char, 16> bytes{};
    HD_CHECK(::getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    std::string out;
    for (const auto byte : bytes) {
        out += fmt::format("{:02x}", byte);
    }
    return out;
}

/// The newest /usr/lib/postgresql/N/bin, or the folder of `postgres` in PATH.
Result<std::string> find_postgresql() {
    int best = 0;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", error)) {
        const auto name = entry.path().filename().string();
        int version = 0;
        std::from_chars(name.data(), name.data() + name.size(), version);
        if (version > best && ::access((entry.path() / "bin/initdb").c_str(), X_OK) == 0 &&
            ::access((entry.path() / "bin/postgres").c_str(), X_OK) == 0) {
            best = version;
        }
    }
    if (best != 0) {
        return fmt::format("/usr/lib/postgresql/{}/bin", best);
    }
    return fail(Errc::not_found, "no PostgreSQL server found in /usr/lib/postgresql/*/bin",
                "apt-get install postgresql, or ./dev setup");
}

Result<> find_in_path(const std::string& program, const std::string& hint) {
    const auto* path = std::getenv("PATH");
    std::string rest = path != nullptr ? path : "/usr/bin:/bin";
    while (!rest.empty()) {
        const auto end = std::min(rest.find(':'), rest.size());
        if (::access((rest.substr(0, end) + "/" + program).c_str(), X_OK) == 0) {
            return {};
        }
        rest = rest.substr(std::min(end + 1, rest.size()));
    }
    return fail(Errc::not_found, program + " is not in PATH", hint);
}

/// D exists, is ours and is empty or was made by an earlier `up`.
Result<> make_dir(const std::string& dir) {
    if (fs::path(dir).has_parent_path()) {
        std::error_code error;
        fs::create_directories(fs::path(dir).parent_path(), error);
    }
    if (::mkdir(dir.c_str(), 0700) == 0) {
        return {};
    }
    if (errno != EEXIST) {
        return io::fail_errno(dir);
    }
    struct stat about{};
    if (::lstat(dir.c_str(), &about) != 0 || !S_ISDIR(about.st_mode)) {
        return fail(Errc::invalid, dir + " is not a directory", "--dir names another one");
    }
    if (!fs::exists(dir + "/cluster.json") && !fs::is_empty(dir)) {
        return fail(Errc::invalid, dir + " is neither empty nor made by howdah up",
                    "--dir names another one");
    }
    // A folder in /tmp that somebody else made under the default name is a trap.
    if (::geteuid() != 0 && about.st_uid != ::geteuid()) {
        return fail(Errc::invalid, dir + " belongs to another user", "--dir names another one");
    }
    return {};
}

/// A binary that the user `uid` can't run (below /root, say) is copied into D.
Result<std::string> reachable_binary(const std::string& dir, bool as_other_user, uid_t uid,
                                     gid_t gid) {
    const auto self = fs::read_symlink("/proc/self/exe").string();
    if (!as_other_user) {
        return self;
    }
    const auto runnable = [&self, uid, gid] {
        const pid_t child = ::fork();
        if (child == 0) {
            const bool dropped = ::setgroups(0, nullptr) == 0 && ::setresgid(gid, gid, gid) == 0 &&
                                 ::setresuid(uid, uid, uid) == 0;
            ::_exit(dropped && ::access(self.c_str(), X_OK) == 0 ? 0 : 1);
        }
        int status = 1;
        return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
    };
    if (runnable()) {
        return self;
    }
    const auto copy = dir + "/howdah";
    std::error_code error;
    fs::copy_file("/proc/self/exe", copy, fs::copy_options::overwrite_existing, error);
    if (error || ::chmod(copy.c_str(), 0755) != 0) {
        return fail(Errc::io, copy + ": " + error.message());
    }
    return copy;
}

Result<> give_away(const std::string& dir, uid_t uid, gid_t gid) {
    if (::lchown(dir.c_str(), uid, gid) != 0) {
        return io::fail_errno("chown " + dir);
    }
    for (const auto& entry : fs::recursive_directory_iterator(dir)) {
        if (::lchown(entry.path().c_str(), uid, gid) != 0) {
            return io::fail_errno("chown " + entry.path().string());
        }
    }
    return {};
}

Result<> become(const passwd& user) {
    if (::initgroups(user.pw_name, user.pw_gid) != 0 ||
        ::setresgid(user.pw_gid, user.pw_gid, user.pw_gid) != 0 ||
        ::setresuid(user.pw_uid, user.pw_uid, user.pw_uid) != 0) {
        return io::fail_errno(std::string("becoming user ") + user.pw_name);
    }
    HD_CHECK(::setuid(0) != 0);
    ::setenv("HOME", user.pw_dir, 1);
    ::setenv("USER", user.pw_name, 1);
    ::setenv("LOGNAME", user.pw_name, 1);
    return {};
}

/// Makes D and leaves root behind. Returns the binary to run.
Result<std::string> settle(const std::string& dir) {
    HD_TRY_VOID(make_dir(dir));
    if (::geteuid() != 0) {
        return reachable_binary(dir, false, 0, 0);
    }
    const auto* user = ::getpwnam("postgres");
    if (user == nullptr) {
        return fail(Errc::not_found,
                    "PostgreSQL refuses root, and there is no user postgres to become",
                    "apt-get install postgresql, or ./dev setup");
    }
    HD_TRY(auto binary, reachable_binary(dir, true, user->pw_uid, user->pw_gid));
    HD_TRY_VOID(give_away(dir, user->pw_uid, user->pw_gid));
    HD_TRY_VOID(become(*user));
    if (::access(dir.c_str(), R_OK | W_OK | X_OK) != 0) {
        return fail(Errc::invalid, "user postgres can't reach " + dir,
                    "--dir names one below /tmp, say");
    }
    return binary;
}

Result<> write_files(const UpPrepared& up, const UpPasswords& passwords,
                     const UpSettings& settings) {
    const auto& layout = up.layout;
    for (const auto& member : layout.members) {
        HD_TRY_VOID(io::make_directories(member.dir));
        HD_TRY_VOID(io::write_file_atomically(
            member.config(), render_member_config(layout, member, passwords, settings)));
    }
    if (layout.one_etcd) {
        HD_TRY_VOID(io::make_directories(layout.etcd.etcd_dir()));
    }
    HD_TRY_VOID(io::make_directories(layout.endpoint.dir));
    HD_TRY_VOID(
        io::write_file_atomically(layout.proxy_config(), render_proxy_config(layout, passwords)));
    return io::write_file_atomically(layout.cluster_json(), render_cluster_json(layout, passwords));
}

/// A cluster that an earlier `up` made goes on with its own shape.
Result<> take_up_again(UpPrepared& up) {
    HD_TRY(const auto text, io::read_file(up.layout.cluster_json()));
    const auto doc = nlohmann::json::parse(text, nullptr, false);
    if (!doc.is_object() || !doc.contains("endpoint")) {
        return fail(Errc::corrupt, up.layout.cluster_json() + " is not understood",
                    "remove the directory");
    }
    const auto endpoint = doc["endpoint"].get<std::string>();
    const auto host = endpoint.substr(5, endpoint.find(' ') - 5);
    up.fresh = false;
    up.superuser_password = endpoint.substr(endpoint.rfind('=') + 1);
    up.layout =
        make_layout(up.layout.dir, host.substr(0, host.rfind('.')), fs::exists(up.layout.etcd.dir));
    return {};
}

}  // namespace

std::string up_dir(const std::string& dir) {
    auto out =
        fs::absolute(dir.empty() ? default_up_dir(::getuid()) : dir).lexically_normal().string();
    while (out.size() > 1 && out.ends_with('/')) {
        out.pop_back();
    }
    return out;
}

Result<UpPrepared> prepare_up(const UpCommand& command) {
    const auto dir = up_dir(command.dir);
    UpPrepared up{.layout = make_layout(dir, command.network, command.etcd_members == 1),
                  .lease_profile = command.profile};
    HD_TRY(const auto bin_dir, find_postgresql());
    HD_TRY_VOID(find_in_path("etcd", "apt-get install etcd-server, or ./dev setup"));
    if (const auto running = processes_of(dir); !running.empty()) {
        return fail(Errc::conflict,
                    fmt::format("{} is up already: process {} ({})", dir, running[0].pid,
                                running[0].program),
                    "howdah down --dir " + dir);
    }
    if (fs::exists(up.layout.cluster_json())) {
        HD_TRY_VOID(take_up_again(up));
    }
    for (const auto& port : ports_of(up.layout)) {
        if (auto free = check_free(port); !free) {
            free.error().hint = "if another howdah up runs: howdah down --dir ITS_DIRECTORY";
            return std::unexpected(std::move(free).error());
        }
    }
    HD_TRY(up.binary, settle(dir));
    if (::chdir(dir.c_str()) != 0) {  // the one we came from may be closed to the user we became
        return io::fail_errno("chdir " + dir);
    }
    if (up.fresh) {
        const UpPasswords passwords{draw_password(), draw_password(), draw_password(),
                                    draw_password()};
        up.superuser_password = passwords.superuser;
        HD_TRY_VOID(write_files(
            up, passwords,
            {.lease_profile = command.profile, .sync = command.sync, .bin_dir = bin_dir}));
    }
    return up;
}

}  // namespace howdah::cli
