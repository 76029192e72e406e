#include "cli/list.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "cli/local_time.h"
#include "cli/read_cluster.h"
#include "cli/table.h"

namespace howdah::cli {

namespace {

Result<std::string> page(const ListCommand& command, const config::AgentConfig& config,
                         const ListLook& look) {
    auto clusters = command.clusters;
    if (clusters.empty()) {
        HD_TRY(auto own, cluster_name("", config));
        clusters.push_back(std::move(own));
    }
    std::string out = command.timestamp ? local_time(0) + "\n" : "";
    for (const auto& name : clusters) {
        HD_TRY(const auto cluster, read_cluster(config, name));
        out += render_list(cluster, name, look);
        if (look.format == Format::pretty) {
            out += mixed_note(cluster);
            out += look.classic ? "" : idle_keys_note(cluster);
        }
    }
    return out;
}

}  // namespace

Result<> run(const ListCommand& command, const config::AgentConfig& config) {
    HD_TRY(const auto format, parse_format(command.format));
    const ListLook look{.format = format,
                        .extended = command.extended,
                        .classic = command.classic,
                        .topology = command.topology};
    for (bool first = true;; first = false) {
        HD_TRY(const auto text, page(command, config, look));
        if (!first && ::isatty(STDOUT_FILENO) == 1) {
            std::fputs("\x1b[H\x1b[2J", stdout);
        }
        std::fputs(text.c_str(), stdout);
        if (!command.watch_seconds) {
            return {};
        }
        std::fflush(stdout);
        std::this_thread::sleep_for(std::chrono::duration<double>(*command.watch_seconds));
    }
}

Result<> run(const HistoryCommand& command, const config::AgentConfig& config) {
    HD_TRY(const auto format, parse_format(command.format));
    HD_TRY(const auto name, cluster_name(command.cluster, config));
    HD_TRY(const auto cluster, read_cluster(config, name));
    std::fputs(render_history_table(cluster, format).c_str(), stdout);
    return {};
}

}  // namespace howdah::cli
