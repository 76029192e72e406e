#include "cli/bootstrap.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "agent/state_dir.h"
#include "cli/backup/verbs.h"
#include "cli/config_file.h"
#include "cli/read_cluster.h"
#include "config/agent_config.h"
#include "ha/cluster.h"
#include "instance/local/pg_files.h"

namespace howdah::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Target {
    std::string type{}, value{};
};

/// type "default": the end of the archive.
Result<Target> target_of(const BootstrapCommand& c) {
    const std::array all{Target{"time", c.target_time}, Target{"lsn", c.target_lsn},
                         Target{"xid", c.target_xid}, Target{"name", c.target_name},
                         Target{"immediate", c.target_immediate ? "yes" : ""}};
    Target found{.type = "default"};
    for (const auto& each : all) {
        if (each.value.empty()) {
            continue;
        }
        if (found.type != "default") {
            return fail(Errc::invalid,
                        fmt::format("--target-{} and --target-{} contradict each other", found.type,
                                    each.type),
                        "name one target");
        }
        found = each;
    }
    if (c.target_exclusive &&
        (found.type == "default" || found.type == "immediate" || found.type == "name")) {
        return fail(Errc::invalid, "--target-exclusive has no meaning without a time, LSN or xid",
                    "add --target-time, --target-lsn or --target-xid");
    }
    return found;
}

std::string in_words(const Target& target) {
    return target.type == "default"     ? "the end of the archive"
           : target.type == "immediate" ? "the end of the backup"
                                        : fmt::format("{} {}", target.type, target.value);
}

/// Nobody has begun the scope, and no member is in it that has data.
Result<> check_scope(const config::AgentConfig& config) {
    HD_TRY(const auto cluster, read_cluster(config, config.scope));
    if (cluster.initialize && !cluster.initialize->empty()) {
        return fail(Errc::unsafe,
                    fmt::format("scope {} has a cluster already, of system identifier {}",
                                config.scope, *cluster.initialize),
                    "name another scope or namespace; to join that cluster, start the agent on an "
                    "empty data directory");
    }
    const auto& record = cluster.record;
    if (cluster.initialize || !record.absent() || record.leader_revision != 0) {
        return fail(Errc::unsafe,
                    fmt::format("{} has begun to bootstrap scope {}",
                                record.record ? record.record->holder_name : "another member",
                                config.scope),
                    fmt::format("start its agent again, or, if it will not come back, `howdah "
                                "remove {}`",
                                config.scope));
    }
    for (const auto& member : cluster.members) {
        if (member.name != config.name) {
            return fail(Errc::unsafe,
                        fmt::format("the agent of {} runs in scope {}, and may begin it with an "
                                    "empty cluster",
                                    member.name, config.scope),
                        "start the other agents behind this one");
        }
    }
    return {};
}

Result<> check_host(const config::AgentConfig& config) {
    if (geteuid() == 0) {
        return fail(Errc::invalid, "PostgreSQL's files can't belong to root",
                    "run it as the user that runs the agent: runuser -u postgres -- howdah "
                    "bootstrap ...");
    }
    if (!config.bootstrap) {
        return fail(Errc::invalid,
                    fmt::format("{}: there is no section bootstrap, without which no agent begins "
                                "a scope",
                                config.file),
                    "add  bootstrap: {dcs: {}}");
    }
    if (config.nofailover) {
        return fail(Errc::invalid,
                    fmt::format("{}: the tag nofailover forbids this member to lead", config.file),
                    "remove that tag");
    }
    const instance::PgFiles files(config.postgresql, config.state_dir, config.name);
    if (files.classify() != ha::DataDir::empty) {
        return fail(Errc::unsafe,
                    fmt::format("the data directory {} holds files", config.postgresql.data_dir),
                    "empty it; where a restore was broken off, `howdah restore --delta` finishes "
                    "it");
    }
    return {};
}

void tell(const BootstrapCommand& command, const config::AgentConfig& config,
          const std::string& target, const std::vector<std::string>& words) {
    const auto next = "howdah agent " + config.file;
    if (command.json) {
        fmt::print("{}\n", Json{{"scope", config.scope},
                                {"member", config.name},
                                {"stanza", command.from_stanza},
                                {"data_dir", config.postgresql.data_dir},
                                {"target", target},
                                {"restored", !command.dry_run},
                                {"next", next}}
                               .dump(2));
        return;
    }
    if (command.dry_run) {
        fmt::print("Nothing is done. It would run:\n  howdah {}\nThen start the agent:\n  {}\n",
                   fmt::join(words, " "), next);
    } else {
        fmt::print("Restored stanza {} into {}. Start the agent:\n  {}\n", command.from_stanza,
                   config.postgresql.data_dir, next);
    }
    fmt::print(
        "It recovers to {}, becomes primary and initializes scope {}; `howdah explain` tells how "
        "far it is.\nNothing is archived before a stanza of its own is there "
        "(docs/bootstrap.md).\n",
        target, config.scope);
}

}  // namespace

Result<std::vector<std::string>> restore_words(const BootstrapCommand& command,
                                               const std::string& data_dir) {
    HD_TRY(const auto target, target_of(command));
    std::vector<std::string> words{"--stanza=" + command.from_stanza, "--pg1-path=" + data_dir};
    const auto add = [&words](const char* option, const std::string& value) {
        if (!value.empty()) {
            words.push_back(fmt::format("--{}={}", option, value));
        }
    };
    add("config", command.backup_config);
    add("repo", command.repo);
    add("set", command.set);
    add("process-max", command.process_max);
    if (target.type != "default") {
        add("type", target.type);
        add("target", target.type == "immediate" ? "" : target.value);
        add("target-action", "promote");
    }
    add("target-timeline", command.target_timeline);
    if (command.target_exclusive) {
        words.emplace_back("--target-exclusive");
    }
    // Lines on standard output would stand in the way of JSON.
    words.emplace_back(command.json ? "--log-level-console=off" : "--log-level-console=info");
    words.emplace_back("restore");
    return words;
}

Result<int> run(const BootstrapCommand& command, const std::string& config_file) {
    HD_TRY(const auto config,
           config::load_agent_config(configuration_file(config_file), config::Purpose::agent));
    HD_TRY(const auto target, target_of(command));
    HD_TRY(const auto words, restore_words(command, config.postgresql.data_dir));
    HD_TRY_VOID(check_host(config));
    HD_TRY_VOID(check_scope(config));
    HD_TRY_VOID(find_backup(words));
    if (!command.dry_run) {
        // An agent that is started meanwhile waits for no restore, but this lock stops it.
        HD_TRY(const auto state, agent::StateDir::open(config.state_dir));
        if (const auto code = run_backup_verb(words); code != 0) {
            fmt::print(stderr,
                       "howdah bootstrap: the restore ended with {}; {} is not to be started as it "
                       "is\nhint: empty it and run this again, or finish it by `howdah restore "
                       "--delta`\n",
                       code, config.postgresql.data_dir);
            return 1;
        }
    }
    tell(command, config, in_words(target), words);
    return 0;
}

}  // namespace howdah::cli
