#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "cli/command.h"

namespace howdah::cli {

/// Adds one verb; `made` gives the command when that verb was chosen.
using AddVerb = std::function<CLI::App*(const std::string& name, const std::string& what,
                                        std::function<Command()> made)>;

/// The verbs that look at a cluster or change its configuration, with patronictl's options. Owns
/// what they are parsed into.
class OperatorVerbs {
public:
    void add_to(const AddVerb& add);

private:
    void add_config(const AddVerb& add);
    void add_pause(const AddVerb& add);
    void add_topology(const AddVerb& add);
    void add_members(const AddVerb& add);
    void add_failover(const AddVerb& add);
    void add_dsn(const AddVerb& add);
    void add_query(const AddVerb& add);
    void add_rest(const AddVerb& add);

    ShowConfigCommand show_config_{};
    EditConfigCommand edit_config_{};
    PauseCommand pause_{.pause = true}, resume_{.pause = false};
    RestartCommand restart_{};
    ReloadCommand reload_{};
    ReinitCommand reinit_{};
    FlushCommand flush_{};
    SwitchoverCommand failover_{.failover = true};
    ListCommand topology_{.topology = true};
    DsnCommand dsn_{};
    QueryCommand query_{};
    RemoveCommand remove_{};
    VersionCommand version_{};
};

}  // namespace howdah::cli
