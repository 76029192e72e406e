#include <spdlog/spdlog.h>

#include <algorithm>

#include "agent/agent.h"
#include "agent/lockout.h"

// Reads and writes of `/config` for those who ask over REST. What may be written they have checked.

namespace howdah::agent {
namespace {

constexpr dcs::Patience patience{.total = Seconds(5), .hedge = Millis(500)};

}  // namespace

io::Task<Result<StoredConfig>> Agent::read_config() {
    const auto key = prefix_ + "config";
    HD_CO_TRY(const auto snapshot, co_await parts_.store.get(key, false, patience));
    for (const auto& kv : snapshot.keys) {
        if (kv.key == key) {
            co_return StoredConfig{.text = kv.value, .revision = kv.mod_revision};
        }
    }
    co_return StoredConfig{};
}

io::Task<Result<std::vector<instance::RefusedSetting>>> Agent::refused_settings(std::string before,
                                                                                std::string after) {
    const auto effective = [this](const std::string& text) -> Result<config::EffectivePostgresql> {
        HD_TRY(const auto read, config::read_dynamic_config(text.empty() ? "{}" : text));
        const auto version = local_.server_version;
        return config::effective_postgresql(parts_.config, read.config,
                                            version >= 10000 ? version / 10000 : version);
    };
    HD_CO_TRY(auto next, effective(after));
    auto old = effective(before);
    std::vector<instance::RefusedSetting> no_access;
    for (auto& why : locked_out(parts_.config, known_members_,
                                old ? old->pg_hba : std::vector<std::string>(), next.pg_hba)) {
        no_access.push_back({.name = "pg_hba", .why = std::move(why), .locks_out = true});
    }
    if (!no_access.empty()) {
        co_return no_access;
    }
    HD_CO_TRY(auto refused, co_await parts_.instance.refused_settings(std::move(next)));
    if (!refused.empty()) {
        HD_CO_TRY(auto before_it, std::move(old));
        HD_CO_TRY(const auto known,
                  co_await parts_.instance.refused_settings(std::move(before_it)));
        std::erase_if(
            refused, [&](const auto& one) { return std::ranges::find(known, one) != known.end(); });
    }
    co_return refused;
}

io::Task<Result<>> Agent::write_config(std::string text, std::optional<std::int64_t> seen) {
    const auto key = prefix_ + "config";
    dcs::Txn txn;
    if (seen) {
        txn.when.push_back(
            dcs::Compare::unchanged(dcs::KeyValue{.key = key, .mod_revision = *seen}));
    }
    txn.then.emplace_back(dcs::Put{.key = key, .value = std::move(text)});
    const auto answer = co_await parts_.store.commit(std::move(txn), patience);
    if (!answer) {
        co_return std::unexpected(answer.error());
    }
    if (!answer->succeeded) {
        co_return fail(Errc::conflict, "somebody else changed the configuration meanwhile");
    }
    spdlog::info("the configuration was changed over REST");
    bell_.ring();
    co_return Result<>{};
}

}  // namespace howdah::agent
