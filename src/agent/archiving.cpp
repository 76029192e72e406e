#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/agent.h"
#include "agent/state_dir.h"

// A cluster that was made from a backup archives only into a stanza that is proven to be its own
// (I9, N21). The proof is kept in `/config`, where every member that may lead later finds it.

namespace howdah::agent {
namespace {

constexpr Nanos prove_again_after = Seconds(5);

}  // namespace

/// Empty: nothing holds archiving back.
std::string Agent::archiving_off() const {
    const auto& gate = local_.archive_gate;
    if (gate.open || local_.data_dir != ha::DataDir::initialized) {
        return {};
    }
    const auto asked = !gate.stanza.empty() && !archive_unproven_.empty();
    return asked ? archive_unproven_ : gate.why;
}

void Agent::prove_archive_when_due() {
    const auto off = archiving_off();
    if (off != told_archiving_) {
        if (off.empty()) {
            spdlog::info("archiving is on");
        } else {
            spdlog::warn("archiving is off: {}", off);
        }
        told_archiving_ = off;
    }
    const auto& gate = local_.archive_gate;
    const auto leads = keeping_.tenure && local_.role == ha::Role::primary && local_.accepting &&
                       keeping_.tenure->record.state == ha::RecordState::primary;
    if (gate.open || gate.stanza.empty() || !leads || proving_archive_ ||
        parts_.clock.now() < archive_proof_due_) {
        return;
    }
    proving_archive_ = true;
    background_->spawn([this] { return prove_archive(); });
}

io::Task<> Agent::prove_archive() {
    const auto gate = local_.archive_gate;
    const auto system_id = local_.system_id;
    std::string objection;
    const auto known = co_await leads_to_own_archive(gate);
    if (!known) {
        objection = known.error().message;
    } else if (!*known) {
        const auto said = co_await parts_.instance.ask_archive(gate.options);
        objection =
            said ? ha::objection_to_archive(*said, gate.stanza, system_id) : said.error().message;
    }
    if (objection.empty()) {
        if (const auto done = co_await claim_archive(gate); !done) {
            objection = done.error().message;
        }
    }
    // Else the last one stands until the configuration that opens the gate has come back.
    if (!objection.empty()) {
        archive_unproven_ = std::move(objection);
    }
    archive_proof_due_ = parts_.clock.now() + prove_again_after;
    proving_archive_ = false;
    bell_.ring();
}

/// The claim that this cluster left there is the proof of an archive in use: other options of
/// archive_command may lead to the same one, as another host's do.
io::Task<Result<bool>> Agent::leads_to_own_archive(ha::ArchiveGate gate) {
    HD_CO_TRY(const auto stored, co_await read_config());
    const auto doc = nlohmann::ordered_json::parse(stored.text, nullptr, false);
    const auto howdah = doc.is_object() ? doc.find("howdah") : doc.end();
    if (howdah == doc.end() || !howdah->is_object() || !howdah->contains("archive_claim") ||
        !howdah->at("archive_claim").is_string()) {
        co_return false;
    }
    co_return co_await parts_.instance.archive_has_claim(
        gate.options, claim_of_this_scope(howdah->at("archive_claim").get<std::string>()));
}

std::string Agent::claim_of_this_scope(const std::string& claim) const {
    return fmt::format("claimed by scope {}, {}", parts_.config.scope, claim);
}

/// An empty stanza looks empty to every cluster that was made from the same backup: each leaves a
/// claim of its own there before it begins, the first one's stays.
io::Task<Result<>> Agent::claim_archive(ha::ArchiveGate gate) {
    HD_CO_TRY(const auto claim, co_await own_claim());
    HD_CO_TRY_VOID(
        co_await parts_.instance.claim_archive(gate.options, claim_of_this_scope(claim)));
    HD_CO_TRY_VOID(co_await change_howdah_config([&](auto& howdah) {
        howdah["archive_into"] = gate.stanza;
        auto& proven = howdah["archive_proven"];
        if (!proven.is_array()) {
            proven = nlohmann::ordered_json::array();
        }
        if (std::find(proven.begin(), proven.end(), gate.place) == proven.end()) {
            proven.push_back(gate.place);
        }
    }));
    spdlog::info("stanza {} is this cluster's own: archiving begins", gate.stanza);
    co_return Result<>{};
}

/// In `/config` before it is anywhere else, so that whoever leads next goes on with it.
io::Task<Result<std::string>> Agent::own_claim() {
    std::string claim;
    HD_CO_TRY_VOID(co_await change_howdah_config([&](auto& howdah) {
        const auto found = howdah.find("archive_claim");
        claim = found != howdah.end() && found->is_string() ? found->template get<std::string>()
                                                            : draw_uuid();
        howdah["archive_claim"] = claim;
    }));
    co_return claim;
}

io::Task<Result<>> Agent::change_howdah_config(
    std::function<void(nlohmann::ordered_json& howdah)> change) {
    HD_CO_TRY(const auto stored, co_await read_config());
    auto doc = nlohmann::ordered_json::parse(stored.text, nullptr, false);
    if (!doc.is_object()) {
        co_return fail(Errc::corrupt, "the configuration in the store is not a JSON object",
                       "repair it with edit-config");
    }
    if (!doc.contains("howdah") || !doc["howdah"].is_object()) {
        doc["howdah"] = nlohmann::ordered_json::object();
    }
    const auto before = doc;
    change(doc["howdah"]);
    co_return doc == before ? Result<>{} : co_await write_config(doc.dump(), stored.revision);
}

}  // namespace howdah::agent
