#include <spdlog/spdlog.h>

#include "agent/agent.h"

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
