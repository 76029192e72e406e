#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace howdah::cli {

// What the command line asks for, one type a verb.

struct AgentCommand {
    std::string file{};
};
struct ProxyCommand {
    std::string file{};
    std::string pid_file{};
};
struct ListCommand {
    std::vector<std::string> clusters{};  ///< empty: the configuration's scope
    std::string format = "pretty";
    bool classic = false;
    bool extended = false;
    bool timestamp = false;
    std::optional<double> watch_seconds{};
};
struct HistoryCommand {
    std::string cluster{};  ///< empty: the configuration's scope
    std::string format = "pretty";
};
struct ExplainCommand {
    std::string member{};  ///< empty: all
    bool json = false;
};
struct SwitchoverCommand {
    std::string cluster{};  ///< empty: the configuration's scope
    std::string leader{};
    std::string candidate{};
    std::string scheduled{};
    bool force = false;
};
struct DcsStatusCommand {
    bool json = false;
};
struct DcsRecoverCommand {
    std::vector<std::string> missing{};  ///< members that will not come back
    bool force = false;
    bool dry_run = false;
};
struct VersionCommand {};
struct UpCommand {
    std::string dir{};  ///< empty: default_up_dir()
    bool detach = false;
    int etcd_members = 3;
    std::string sync = "off";
    std::string profile = "default";
    bool no_load = false;
    std::string network = "127.0.52";  ///< first three parts of every address
};
struct DownCommand {
    std::string dir{};
};
using Command = std::variant<AgentCommand, ProxyCommand, ListCommand, HistoryCommand,
                             ExplainCommand, SwitchoverCommand, DcsStatusCommand, DcsRecoverCommand,
                             VersionCommand, UpCommand, DownCommand>;

struct CommandLine {
    std::string verb{};          ///< for messages: "list", "dcs status"
    std::string config_file{};   ///< -c; empty: not given
    bool as_patronictl = false;  ///< called under that name
    Command command{};
};

}  // namespace howdah::cli
