#include "config/repo_config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/nearest.h"
#include "config/sources.h"
#include "config/yaml.h"

namespace howdah::config {
namespace {

const std::vector<std::string> section_keys{"config", "listen", "tls", "schedule"};
const std::vector<std::string> tls_keys{"ca", "cert", "key"};
const std::vector<std::string> jobs{"full", "diff", "incr", "expire", "verify", "restore-test"};

void refuse_others(YamlSection& section, const YAML::Node& node,
                   const std::vector<std::string>& known) {
    if (!node || !node.IsMap()) {
        return;
    }
    for (const auto& item : node) {
        const auto key = item.first.Scalar();
        if (std::ranges::find(known, key) == known.end()) {
            const auto near = nearest(key, known);
            section.refuse(key, "it is not known here",
                           near ? fmt::format("did you mean {}?", section.path_of(*near))
                                : fmt::format("allowed: {}", fmt::join(known, ", ")));
        }
    }
}

RepoConfig read(YamlSection root, const YAML::Node& document) {
    RepoConfig config;
    if (!root.has("repo")) {
        root.refuse("repo", "the section is missing",
                    "repo: {config: /etc/pgbackrest/pgbackrest.conf}");
        return config;
    }
    auto repo = root.section("repo");
    const auto node = document["repo"];
    refuse_others(repo, node, section_keys);
    config.pgbackrest_config = repo.text("config", config.pgbackrest_config);
    if (repo.has("listen")) {
        config.listen = repo.host_port("listen", config.listen.port);
    }
    config.tls = usual_tls_files();
    if (repo.has("tls")) {
        auto tls = repo.section("tls");
        refuse_others(tls, node["tls"], tls_keys);
        config.tls.ca = tls.text("ca", config.tls.ca);
        config.tls.cert = tls.text("cert", config.tls.cert);
        config.tls.key = tls.text("key", config.tls.key);
    }
    if (repo.has("schedule")) {
        auto schedule = repo.section("schedule");
        refuse_others(schedule, node["schedule"], jobs);
        for (const auto& job : jobs) {
            if (schedule.has(job)) {
                config.schedule.push_back({.what = job, .when = schedule.text(job)});
            }
        }
    }
    return config;
}

Result<RepoConfig> read(const Sources& sources) {
    YamlSection::Shared shared{.sources = sources};
    auto config = read(YamlSection(sources.document, "", shared), sources.document);
    return shared.error ? Result<RepoConfig>(std::unexpected(*shared.error)) : config;
}

}  // namespace

io::TlsFiles usual_tls_files() {
    return {.ca = "/etc/howdah/tls/ca.crt",
            .cert = "/etc/howdah/tls/host.crt",
            .key = "/etc/howdah/tls/host.key"};
}

Result<RepoConfig> load_repo_config(const std::string& file) {
    HD_TRY(const auto sources, gather(file, {}));
    return read(sources);
}

Result<RepoConfig> parse_repo_config(const std::string& text, const std::string& file) {
    HD_TRY(const auto sources, gather_text(text, file));
    return read(sources);
}

}  // namespace howdah::config
