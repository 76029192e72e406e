#include <spdlog/spdlog.h>

#include <utility>

#include "agent/agent.h"
#include "config/hba_lockout.h"

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
    const auto asked =
        [this](const std::string& text) -> io::Task<Result<std::vector<instance::RefusedSetting>>> {
        HD_CO_TRY(const auto read, config::read_dynamic_config(text.empty() ? "{}" : text));
        const auto version = local_.server_version;
        HD_CO_TRY(auto effective,
                  config::effective_postgresql(parts_.config, read.config,
                                               version >= 10000 ? version / 10000 : version));
        co_return co_await parts_.instance.refused_settings(std::move(effective));
    };
    HD_CO_TRY(auto refused, co_await asked(after));
    if (!refused.empty()) {
        HD_CO_TRY(const auto known, co_await asked(before));
        std::erase_if(
            refused, [&](const auto& one) { return std::ranges::find(known, one) != known.end(); });
    }
    co_return refused;
}

std::optional<std::string> Agent::lockout(const std::string& before,
                                          const std::string& after) const {
    const auto cluster = parts_.feed.current();
    const auto lines = config::pg_hba_of(after);
    // Whoever replaces the document as a whole has not read it.
    const auto known = before.empty() && cluster ? cluster->config_json : before;
    if (lines == config::pg_hba_of(known)) {
        return std::nullopt;
    }
    std::vector<config::HbaPeer> peers;
    if (cluster) {
        for (const auto& member : std::as_const(*cluster).members) {
            auto& peer = peers.emplace_back(config::HbaPeer{.name = member.name});
            if (const auto address = member.postgres_address()) {
                peer.addresses.push_back(address->host);
            }
            for (const auto& sender : local_.walsenders) {
                if (sender.application_name == member.name && !sender.client_addr.empty()) {
                    peer.addresses.push_back(sender.client_addr);
                }
            }
        }
    }
    if (peers.size() < 2) {
        peers.clear();  // alone it streams from nobody
    }
    return config::lockout(lines, parts_.config.postgresql, peers);
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
