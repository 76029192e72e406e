#include "cli/config_file.h"

#include <unistd.h>

#include <cstdlib>

namespace howdah::cli {

Result<config::AgentConfig> operator_config(const std::string& given) {
    auto file = given;
    for (const auto* variable : {"HOWDAH_CONFIG", "PATRONICTL_CONFIG_FILE"}) {
        const auto* value = std::getenv(variable);
        if (file.empty() && value != nullptr) {
            file = value;
        }
    }
    if (file.empty()) {
        const auto* home = std::getenv("HOME");
        const auto usual =
            (home != nullptr ? std::string(home) : "") + "/.config/patroni/patronictl.yaml";
        if (::access(usual.c_str(), R_OK) != 0) {
            return fail(Errc::invalid, "no configuration given",
                        "-c FILE names a patroni.yml, or set HOWDAH_CONFIG");
        }
        file = usual;
    }
    return config::load_agent_config(file, config::Purpose::operator_verb);
}

}  // namespace howdah::cli
