#pragma once

#include <yaml-cpp/yaml.h>

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/agent_config.h"
#include "config/sources.h"

namespace howdah::config {

/// Reads typed values out of one YAML mapping. The first error sticks: read everything, then look
/// at error(). Every message names file, line and dotted key.
class YamlSection {
public:
    struct Shared {
        const Sources& sources;
        std::optional<Error> error{};  ///< the first one
        std::vector<Error> errors{};   ///< all of them
        void refuse(Error wrong);
    };
    YamlSection(YAML::Node node, std::string path, Shared& shared);

    bool present() const { return static_cast<bool>(node_) && !node_.IsNull(); }
    bool has(const std::string& key) const;
    YamlSection section(const std::string& key);
    std::string text(const std::string& key, std::string otherwise = {});
    std::string required_text(const std::string& key, const std::string& hint);
    bool flag(const std::string& key, bool otherwise);
    std::int64_t number(const std::string& key, std::int64_t otherwise, std::int64_t least,
                        std::int64_t most);
    std::vector<std::string> list(const std::string& key);
    HostPort host_port(const std::string& key, std::uint16_t default_port);
    YAML::Node raw(const std::string& key) const;
    const std::string& path() const { return path_; }
    std::string path_of(const std::string& key) const {
        return path_.empty() ? key : path_ + "." + key;
    }
    /// Where the key is written, or the section that it is missing from.
    Origin origin(const std::string& key) const;
    void refuse(const std::string& key, const std::string& why, const std::string& hint);

private:
    YAML::Node node_;
    std::string path_;
    Shared& shared_;
};

/// As PyYAML reads it: YAML 1.1 booleans and numbers where unquoted, else text.
nlohmann::ordered_json to_json(const YAML::Node& node);
/// "host:port", "host" with the default port, "[::1]:5432", ":8008" and "*:8008" (host "" and "*").
/// Errors: Errc::invalid.
Result<HostPort> parse_host_port(const std::string& text, std::uint16_t default_port);

}  // namespace howdah::config
