#include "backup/command/proof/scratch_server.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "io/block_on.h"
#include "io/child.h"
#include "io/files.h"

namespace howdah::backup {
namespace {

constexpr Nanos between_looks = Millis(100);
constexpr Nanos question_limit = Seconds(30);
constexpr Nanos start_grace = Seconds(10);
constexpr std::size_t shown_of_log = 1000;  // bytes

}  // namespace

ScratchServer::ScratchServer(std::string data, std::string folder, std::string version,
                             std::string user)
    : data_(std::move(data)),
      folder_(std::move(folder)),
      version_(std::move(version)),
      user_(std::move(user)) {}

ScratchServer::~ScratchServer() {
    (void)stop();
}

/// Where Debian and Red Hat put the programs of each version; elsewhere PATH is searched.
std::string ScratchServer::bin(const std::string& program) const {
    for (const auto& folder : {fmt::format("/usr/lib/postgresql/{}/bin", version_),
                               fmt::format("/usr/pgsql-{}/bin", version_)}) {
        if (access((folder + "/" + program).c_str(), X_OK) == 0) {
            return folder + "/" + program;
        }
    }
    return program;
}

std::string ScratchServer::settings() const {
    std::string text;
    for (const auto& [name, value] : std::initializer_list<std::pair<const char*, std::string>>{
             {"listen_addresses", ""},
             {"unix_socket_directories", folder_},
             {"port", "5432"},
             {"hba_file", folder_ + "/pg_hba.conf"},
             {"ident_file", folder_ + "/pg_ident.conf"},
             {"archive_mode", "off"},
             {"ssl", "off"},
             {"primary_conninfo", ""},
             {"primary_slot_name", ""},
             {"synchronous_standby_names", ""},
             {"logging_collector", "off"},
             {"log_destination", "stderr"},
             {"log_min_messages", "log"},
             {"lc_messages", "C"},
             {"external_pid_file", ""},
             {"recovery_end_command", ""},
             {"archive_cleanup_command", ""},
             {"hot_standby", "on"}}) {
        text += fmt::format(" -c {}='{}'", name, value);
    }
    return text;
}

std::string ScratchServer::log_end() const {
    const auto text = io::read_file(folder_ + "/postgresql.log").value_or("");
    return text.substr(text.size() - std::min(text.size(), shown_of_log));
}

Result<ScratchServer::Ran> ScratchServer::run(const std::string& program,
                                              const std::vector<std::string>& words, Nanos limit) {
    std::vector<std::string> argv{bin(program)};
    argv.insert(argv.end(), words.begin(), words.end());
    auto done = io::block_on<Result<io::Output>>([&](io::Executor) -> io::Task<Result<io::Output>> {
        static io::SystemClock clock;
        return io::run(
            clock, argv,
            {.environment = {"PGHOST=" + folder_, "PGPORT=5432", "PGUSER=" + user_, "LC_ALL=C"}},
            limit);
    });
    if (!done) {
        return std::unexpected(std::move(done).error().within(program));
    }
    return Ran{.exit_code = done->exit_code, .output = std::move(done->text)};
}

Result<ScratchServer::Ran> ScratchServer::pg_ctl(const std::vector<std::string>& words,
                                                 Nanos limit) {
    std::vector<std::string> all{"-D", data_, "-s"};
    all.insert(all.end(), words.begin(), words.end());
    return run("pg_ctl", all, limit);
}

Result<> ScratchServer::start(Nanos limit) {
    HD_TRY_VOID(io::write_file_atomically(folder_ + "/pg_hba.conf", "local all all trust\n"));
    HD_TRY_VOID(io::write_file_atomically(folder_ + "/pg_ident.conf", ""));
    // Debian keeps it outside of the data directory, so that no backup has it.
    if (!std::filesystem::exists(data_ + "/postgresql.conf")) {
        HD_TRY_VOID(io::write_file_atomically(data_ + "/postgresql.conf", ""));
    }
    started_ = true;  // even if what follows fails half way
    // It returns when connections are taken, or when the server has ended.
    HD_TRY(const auto done, pg_ctl({"start", "-w", "-t", std::to_string(limit / Seconds(1)), "-l",
                                    folder_ + "/postgresql.log", "-o", settings()},
                                   limit + start_grace));
    return done.exit_code == 0 ? Result<>{}
                               : fail(Errc::io, fmt::format("PostgreSQL did not start: {}{}",
                                                            done.output, log_end()));
}

Result<pgclient::BlockingConnection> ScratchServer::await_recovered(Nanos limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    const pgclient::Keywords keywords{
        {"host", folder_}, {"port", "5432"}, {"dbname", "template1"}, {"user", user_}};
    while (std::chrono::steady_clock::now() < end) {
        auto connection = pgclient::BlockingConnection::open(keywords, question_limit);
        if (connection) {
            HD_TRY(const auto rows,
                   connection->query("SELECT pg_is_in_recovery()", {}, question_limit));
            if (rows.front().front() == "f") {
                return connection;
            }
        } else if (connection.error().sqlstate == "28000") {
            return std::unexpected(connection.error());  // no role postgres
        }
        HD_TRY(const auto status, pg_ctl({"status"}, question_limit));
        if (status.exit_code != 0) {
            return fail(Errc::io,
                        fmt::format("PostgreSQL ended while it recovered: {}", log_end()));
        }
        std::this_thread::sleep_for(between_looks);
    }
    return fail(Errc::timeout,
                fmt::format("recovery was not over after {} s: {}", limit / Seconds(1), log_end()));
}

Result<> ScratchServer::stop() {
    if (!started_) {
        return {};
    }
    started_ = false;
    HD_TRY(const auto done, pg_ctl({"stop", "-m", "fast", "-w", "-t", "600"}, Seconds(660)));
    return done.exit_code == 0
               ? Result<>{}
               : fail(Errc::io, fmt::format("PostgreSQL did not stop: {}", done.output));
}

}  // namespace howdah::backup
