#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/dynamic_config.h"

namespace howdah::instance {

/// Of the settings that PostgreSQL last started with those that only a start proves, kept in the
/// state directory: parameters that need a restart (a library that is missing, two values that
/// don't go together), TLS (a certificate), and pg_hba.conf with pg_ident.conf, of which what a
/// reload loaded without an error counts as well. All others take effect by a reload and end no
/// start, so that nothing puts them back; nor is anything that has to do with archiving put back.
struct StartedSettings {
    config::Parameters parameters{}, controlled{};
    std::vector<std::string> pg_hba{}, pg_ident{};
    bool operator==(const StartedSettings&) const = default;

    std::set<std::string> need_a_restart{};  ///< names of PostgreSQL's parameters

    /// `need_a_restart`: as PostgreSQL names them (context postmaster).
    static StartedSettings of(const config::EffectivePostgresql& settings,
                              std::set<std::string> need_a_restart);
    /// Puts them in the place of those in `settings`, and leaves all others as they are.
    void put_into(config::EffectivePostgresql& settings) const;
    /// What `other` has that differs: "ssl, pg_hba"; empty: nothing.
    std::string differences(const StartedSettings& other) const;
};

/// Durable when it returns. Errors: Errc::io.
Result<> remember(const std::string& state_dir, const StartedSettings& settings);
/// Errors: Errc::not_found: none were kept, or they can't be read.
Result<StartedSettings> recall_started(const std::string& state_dir);

}  // namespace howdah::instance
