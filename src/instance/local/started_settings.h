#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "config/dynamic_config.h"

namespace howdah::instance {

/// The settings that PostgreSQL last started with, kept in the state directory. What it does not
/// start with is told from what it does by nothing but a start: a library that is missing, a
/// certificate, two values that don't go together, a line of pg_hba.conf.
struct StartedSettings {
    config::Parameters parameters{}, controlled{}, recovery{};
    std::vector<std::string> pg_hba{}, pg_ident{};
    bool operator==(const StartedSettings&) const = default;

    static StartedSettings of(const config::EffectivePostgresql& settings);
    /// Puts them in the place of those in `settings`.
    void put_into(config::EffectivePostgresql& settings) const;
    /// What `other` has that differs: "ssl, pg_hba"; empty: nothing.
    std::string differences(const StartedSettings& other) const;
};

/// Durable when it returns. Errors: Errc::io.
Result<> remember(const std::string& state_dir, const StartedSettings& settings);
/// Errors: Errc::not_found: none were kept, or they can't be read.
Result<StartedSettings> recall_started(const std::string& state_dir);

}  // namespace howdah::instance
