#include "cli/read_cluster.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/store.h"
#include "io/block_on.h"

namespace howdah::cli {

namespace {

constexpr dcs::Patience patience{.total = Seconds(5), .hedge = Millis(300)};

std::string prefix_of(const config::AgentConfig& config, const std::string& scope) {
    return config.namespace_path + "/" + scope + "/";
}

io::Task<Result<ha::Cluster>> read(io::Executor executor, config::AgentConfig config,
                                   std::string prefix) {
    io::SystemClock clock;
    const auto store = connect_store(executor, clock, config);
    HD_CO_TRY(auto snapshot, co_await store->get(prefix, false, patience));
    std::vector<ha::ScopeKey> keys;
    for (auto& kv : snapshot.keys) {
        keys.push_back({.name = kv.key.substr(prefix.size()),
                        .value = std::move(kv.value),
                        .mod_revision = kv.mod_revision,
                        .lease = kv.lease});
    }
    co_return ha::parse_cluster(keys, snapshot.revision);
}

io::Task<Result<>> put(io::Executor executor, config::AgentConfig config, dcs::Put change) {
    io::SystemClock clock;
    const auto store = connect_store(executor, clock, config);
    dcs::Txn txn;
    txn.then.emplace_back(std::move(change));
    HD_CO_TRY(const auto answer, co_await store->commit(std::move(txn), patience));
    co_return answer.succeeded ? Result<>() : fail(Errc::conflict, "the store refused the change");
}

Result<> has_store(const config::AgentConfig& config) {
    if (config.etcd && !config.etcd->hosts.empty()) {
        return {};
    }
    return fail(Errc::invalid, config.file + ": no section etcd3 with hosts",
                "etcd3: {hosts: [HOST:2379, ...]} names the store");
}

/// Says where the store was looked for.
Error explained(Error error, const config::AgentConfig& config) {
    std::vector<std::string> hosts;
    for (const auto& host : config.etcd->hosts) {
        hosts.push_back(host.text());
    }
    if (error.hint.empty()) {
        error.hint = fmt::format("etcd was looked for on {} (etcd3.hosts in {})",
                                 fmt::join(hosts, ", "), config.file);
    }
    return std::move(error).within("etcd");
}

}  // namespace

Result<ha::Cluster> read_cluster(const config::AgentConfig& config, const std::string& scope) {
    HD_TRY_VOID(has_store(config));
    auto found = io::block_on<Result<ha::Cluster>>(
        [&](io::Executor executor) { return read(executor, config, prefix_of(config, scope)); });
    if (!found) {
        return std::unexpected(explained(std::move(found).error(), config));
    }
    return found;
}

Result<> write_key(const config::AgentConfig& config, const std::string& scope,
                   const std::string& name, const std::string& value) {
    HD_TRY_VOID(has_store(config));
    const dcs::Put change{.key = prefix_of(config, scope) + name, .value = value};
    auto done = io::block_on<Result<>>(
        [&](io::Executor executor) { return put(executor, config, change); });
    if (!done) {
        return std::unexpected(explained(std::move(done).error(), config));
    }
    return {};
}

}  // namespace howdah::cli
