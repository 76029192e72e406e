#include "config/repo_config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/nearest.h"
#include "config/sources.h"
#include "config/yaml.h"

namespace howdah::config {
namespace {

const std::vector<std::string> section_keys{"config", "listen", "tls", "schedule", "state"};
const std::vector<std::string> tls_keys{"ca", "cert", "key"};
const std::vector<std::string> jobs{"full", "diff", "incr", "expire", "verify", "restore-test"};

void refuse_others(YamlSection& section, const std::vector<std::string>& known) {
    for (const auto& key : section.keys()) {
        if (std::ranges::find(known, key) == known.end()) {
            const auto near = nearest(key, known);
            section.refuse(key, "it is not known here",
                           near ? fmt::format("did you mean {}?", section.path_of(*near))
                                : fmt::format("allowed: {}", fmt::join(known, ", ")));
        }
    }
}

/// What both sides' servers have.
template <class Config>
void read_server(YamlSection& section, Config& config) {
    config.pgbackrest_config = section.text("config", config.pgbackrest_config);
    if (section.has("listen")) {
        config.listen = section.host_port("listen", config.listen.port);
    }
    config.tls = usual_tls_files();
    if (section.has("tls")) {
        auto tls = section.section("tls");
        refuse_others(tls, tls_keys);
        config.tls.ca = tls.text("ca", config.tls.ca);
        config.tls.cert = tls.text("cert", config.tls.cert);
        config.tls.key = tls.text("key", config.tls.key);
    }
}

BackupJobsConfig read_jobs(YamlSection root) {
    BackupJobsConfig config;
    if (!root.has("backup_jobs")) {
        root.refuse("backup_jobs", "the section is missing", "backup_jobs: {listen: ADDRESS:8432}");
        return config;
    }
    auto section = root.section("backup_jobs");
    refuse_others(section, {"config", "listen", "tls"});
    read_server(section, config);
    return config;
}

RepoConfig read(YamlSection root) {
    RepoConfig config;
    if (!root.has("repo")) {
        root.refuse("repo", "the section is missing",
                    "repo: {config: /etc/pgbackrest/pgbackrest.conf}");
        return config;
    }
    auto repo = root.section("repo");
    refuse_others(repo, section_keys);
    read_server(repo, config);
    config.state = repo.text("state", config.state);
    if (config.state.find('/') != 0) {
        repo.refuse("state", "is no absolute path", "/var/lib/howdah/repo-schedule.json");
    }
    if (repo.has("schedule")) {
        auto schedule = repo.section("schedule");
        refuse_others(schedule, jobs);
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
    auto config = read(YamlSection(sources.document, "", shared));
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

Result<BackupJobsConfig> load_backup_jobs_config(const std::string& file) {
    HD_TRY(const auto sources, gather(file, process_environment()));
    YamlSection::Shared shared{.sources = sources};
    auto config = read_jobs(YamlSection(sources.document, "", shared));
    return shared.error ? Result<BackupJobsConfig>(std::unexpected(*shared.error)) : config;
}

Result<RepoConfig> parse_repo_config(const std::string& text, const std::string& file) {
    HD_TRY(const auto sources, gather_text(text, file));
    return read(sources);
}

}  // namespace howdah::config
