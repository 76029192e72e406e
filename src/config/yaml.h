#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/agent_config.h"
#include "config/sources.h"

namespace howdah::config {

/// Reads typed values out of one mapping of the configuration. The first error sticks: read
/// everything, then look at Shared::error. Every message names file, line and dotted key. Refers to
/// the document, which must outlive it.
class YamlSection {
public:
    struct Shared {
        const Sources& sources;
        std::optional<Error> error{};  ///< the first one
        std::vector<Error> errors{};   ///< all of them
        std::vector<Diagnostic> warnings{};
        void refuse(Error wrong);
    };
    YamlSection(const nlohmann::ordered_json& node, std::string path, Shared& shared);

    bool present() const { return node_->is_object(); }
    bool has(const std::string& key) const;
    YamlSection section(const std::string& key);
    /// A number or a truth value as Python writes it, with a warning where that is not what stands
    /// there: YAML reads 0123 as 83, yes as True.
    std::string text(const std::string& key, std::string otherwise = {});
    /// As text(), of a key whose values are words in lower case, some of which YAML reads as a
    /// truth value: `off` is "off", however it is written.
    std::string word(const std::string& key, std::string otherwise);
    std::string required_text(const std::string& key, const std::string& hint);
    bool flag(const std::string& key, bool otherwise);
    std::int64_t number(const std::string& key, std::int64_t otherwise, std::int64_t least,
                        std::int64_t most);
    std::vector<std::string> list(const std::string& key);
    HostPort host_port(const std::string& key, std::uint16_t default_port);
    /// null: missing, too.
    const nlohmann::ordered_json& raw(const std::string& key) const;
    /// The mapping's keys, none where it is none.
    std::vector<std::string> keys() const;
    const std::string& path() const { return path_; }
    std::string path_of(const std::string& key) const {
        return path_.empty() ? key : path_ + "." + key;
    }
    /// Where the key is written, or the section that it is missing from.
    Origin origin(const std::string& key) const;
    void refuse(const std::string& key, const std::string& why, const std::string& hint);
    void warn(const std::string& key, std::string what, bool without_effect = false);

private:
    std::string shown(const std::string& key) const;
    std::string as_text(const nlohmann::ordered_json& scalar, const std::string& key);

    const nlohmann::ordered_json* node_;
    std::string path_;
    Shared& shared_;
};

}  // namespace howdah::config
