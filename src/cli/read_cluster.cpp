#include "cli/read_cluster.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cli/store.h"
#include "io/block_on.h"

namespace howdah::cli {

namespace {

constexpr dcs::Patience patience{.total = Seconds(5), .hedge = Millis(300)};

std::string prefix_of(const config::AgentConfig& config, const std::string& scope) {
    return config.namespace_path + "/" + scope + "/";
}

io::Task<Result<ha::Cluster>> read(io::Executor executor, config::AgentConfig config,
                                   std::string prefix, Nanos limit) {
    io::SystemClock clock;
    const auto store = connect_store(executor, clock, config);
    HD_CO_TRY(auto snapshot,
              co_await store->get(prefix, false, {.total = limit, .hedge = patience.hedge}));
    std::vector<ha::ScopeKey> keys;
    for (auto& kv : snapshot.keys) {
        keys.push_back({.name = kv.key.substr(prefix.size()),
                        .value = std::move(kv.value),
                        .mod_revision = kv.mod_revision,
                        .lease = kv.lease});
    }
    co_return ha::parse_cluster(keys, snapshot.revision);
}

io::Task<Result<>> commit(io::Executor executor, config::AgentConfig config, dcs::Txn txn) {
    io::SystemClock clock;
    const auto store = connect_store(executor, clock, config);
    HD_CO_TRY(const auto answer, co_await store->commit(std::move(txn), patience));
    co_return answer.succeeded ? Result<>() : fail(Errc::conflict, "the store refused the change");
}

/// In transactions that etcd takes by default (128 operations).
io::Task<Result<>> delete_all(io::Executor executor, config::AgentConfig config,
                              std::string prefix) {
    constexpr std::size_t most = 100;
    io::SystemClock clock;
    const auto store = connect_store(executor, clock, config);
    HD_CO_TRY(const auto snapshot, co_await store->get(prefix, false, patience));
    for (std::size_t i = 0; i < snapshot.keys.size(); i += most) {
        dcs::Txn txn;
        for (std::size_t j = i; j < std::min(i + most, snapshot.keys.size()); ++j) {
            txn.then.emplace_back(dcs::Delete{snapshot.keys[j].key});
        }
        HD_CO_TRY_VOID(co_await store->commit(std::move(txn), patience));
    }
    co_return Result<>{};
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

Result<ha::Cluster> read_cluster(const config::AgentConfig& config, const std::string& scope,
                                 Nanos limit) {
    HD_TRY_VOID(has_store(config));
    auto found = io::block_on<Result<ha::Cluster>>([&](io::Executor executor) {
        return read(executor, config, prefix_of(config, scope), limit);
    });
    if (!found) {
        return std::unexpected(explained(std::move(found).error(), config));
    }
    return found;
}

namespace {

Result<> change(const config::AgentConfig& config,
                const std::function<io::Task<Result<>>(io::Executor)>& work) {
    HD_TRY_VOID(has_store(config));
    auto done = io::block_on<Result<>>(work);
    if (!done && done.error().code != Errc::conflict) {
        return std::unexpected(explained(std::move(done).error(), config));
    }
    return done;
}

}  // namespace

Result<std::string> cluster_name(const std::string& given, const config::AgentConfig& config) {
    const auto& name = given.empty() ? config.scope : given;
    return name.empty() ? fail(Errc::invalid, "no cluster is named",
                               "give its name after the verb, or a configuration with a scope")
                        : Result<std::string>(name);
}

Result<> write_key(const config::AgentConfig& config, const std::string& scope,
                   const std::string& name, const std::string& value) {
    return change(config, [&](io::Executor executor) {
        dcs::Txn txn;
        txn.then.emplace_back(dcs::Put{.key = prefix_of(config, scope) + name, .value = value});
        return commit(executor, config, std::move(txn));
    });
}

Result<> replace_key(const config::AgentConfig& config, const std::string& scope,
                     const std::string& name, std::int64_t seen, const std::string& value) {
    const auto key = prefix_of(config, scope) + name;
    return change(config, [&](io::Executor executor) {
        dcs::Txn txn;
        txn.when.push_back(
            dcs::Compare::unchanged(dcs::KeyValue{.key = key, .mod_revision = seen}));
        txn.then.emplace_back(dcs::Put{.key = key, .value = value});
        return commit(executor, config, std::move(txn));
    });
}

Result<> remove_cluster(const config::AgentConfig& config, const std::string& scope) {
    return change(config, [&](io::Executor executor) {
        return delete_all(executor, config, prefix_of(config, scope));
    });
}

}  // namespace howdah::cli
