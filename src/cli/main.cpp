#include "cli/main.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "cli/agent.h"
#include "cli/archive_held.h"
#include "cli/archive_pusher.h"
#include "cli/backup/run_pusher.h"
#include "cli/backup/verbs.h"
#include "cli/bootstrap.h"
#include "cli/cert.h"
#include "cli/command_line.h"
#include "cli/config_file.h"
#include "cli/config_verbs.h"
#include "cli/dcs_recover.h"
#include "cli/dcs_status.h"
#include "cli/down.h"
#include "cli/edit_config.h"
#include "cli/explain.h"
#include "cli/list.h"
#include "cli/member_actions.h"
#include "cli/member_version.h"
#include "cli/pause.h"
#include "cli/proxy.h"
#include "cli/query.h"
#include "cli/remove.h"
#include "cli/repo.h"
#include "cli/switchover.h"
#include "cli/up.h"
#include "fencer/fencer.h"
#include "instance/local/held_archive.h"

namespace howdah::cli {

namespace {

Result<int> done(Result<> outcome) {
    HD_TRY_VOID(std::move(outcome));
    return 0;
}

/// One verb, by what the command line asked for.
struct Run {
    const CommandLine& line;

    Result<int> operator()(const AgentCommand& c) const { return done(run_agent(c.file)); }
    Result<int> operator()(const ProxyCommand& c) const {
        return done(run_proxy(c.file, c.pid_file));
    }
    Result<int> operator()(const SwitchoverCommand& c) const {
        HD_TRY(const auto config, operator_config(line.config_file, line.dcs_url, line.insecure));
        return run(c, config, line.as_patronictl);
    }
    Result<int> operator()(const RestartCommand& c) const { return on_members(c); }
    Result<int> operator()(const ReloadCommand& c) const { return on_members(c); }
    Result<int> operator()(const ReinitCommand& c) const { return on_members(c); }
    Result<int> operator()(const FlushCommand& c) const { return on_members(c); }
    /// What an agent refuses is no error of patronictl's.
    template <class Verb>
    Result<int> on_members(const Verb& c) const {
        HD_TRY(const auto config, operator_config(line.config_file, line.dcs_url, line.insecure));
        HD_TRY(const auto all_done, run(c, config));
        return all_done || line.as_patronictl ? 0 : 1;
    }
    Result<int> operator()(const ConfigCommand& c) const {
        return run(c, line.config_file, line.dcs_url);
    }
    Result<int> operator()(const DcsStatusCommand& c) const {
        HD_TRY(const auto config, operator_config(line.config_file, line.dcs_url, line.insecure));
        return run(c, config);
    }
    Result<int> operator()(const VersionCommand& c) const {
        return done(run(c, line.config_file, line.as_patronictl));
    }
    Result<int> operator()(const BackupCommand& c) const { return run_backup_verb(c.words); }
    Result<int> operator()(const BootstrapCommand& c) const { return run(c, line.config_file); }
    Result<int> operator()(const UpCommand& c) const { return run(c); }
    Result<int> operator()(const RepoCommand& c) const { return run(c); }
    Result<int> operator()(const CertCommand& c) const { return done(run(c)); }
    Result<int> operator()(const BackupJobsCommand& c) const { return done(run(c)); }
    Result<int> operator()(const DownCommand& c) const { return done(run(c)); }
    /// All others read or change one cluster.
    template <class Verb>
    Result<int> operator()(const Verb& c) const {
        HD_TRY(const auto config, operator_config(line.config_file, line.dcs_url, line.insecure));
        return done(run(c, config));
    }
};

int report(const CommandLine& line, const Error& error) {
    if (line.as_patronictl) {
        fmt::print(stderr, "Error: {}\n", error.message);
        return 1;
    }
    fmt::print(stderr, "howdah {}: {}\n", line.verb, error.message);
    if (!error.hint.empty()) {
        fmt::print(stderr, "hint: {}\n", error.hint);
    }
    return error.code == Errc::unsafe ? 3 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    // The fencer is an exec of this binary and wants nothing of what follows.
    if (argc > 1 && std::string_view(argv[1]) == "fencer") {
        return fencer::run(argc, argv);
    }
    if (std::string_view(argv[0]).ends_with("pgbackrest")) {
        return run_backup_verb({argv + 1, argv + argc}, true);
    }
    // A backup verb's process in the background, started by the verb.
    if (argc > 1 && std::string_view(argv[1]).ends_with(":async")) {
        return run_backup_verb({argv + 1, argv + argc}, true);
    }
    if (argc == 3 && std::string_view(argv[1]) == archive_pusher_verb) {
        return run_archive_pusher(std::atoi(argv[2]));
    }
    if (argc == 5 && std::string_view(argv[1]) == instance::held_archive_verb) {
        return run_archive_held(argv + 2);
    }
    const auto parsed = parse_command_line({argv, argv + argc});
    if (const auto* leave = std::get_if<Leave>(&parsed)) {
        std::fputs(leave->out.c_str(), stdout);
        std::fputs(leave->err.c_str(), stderr);
        return leave->code;
    }
    const auto& line = std::get<CommandLine>(parsed);
    const auto code = std::visit(Run{line}, line.command);
    std::fflush(stdout);
    return code ? *code : report(line, code.error());
}

}  // namespace howdah::cli
