#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

/// The repositories of tests/fixtures/pgbackrest, unpacked in memory.
namespace howdah::repo::fixtures {

struct Repository {
    std::string name{};
    std::string cipher_pass{};                   ///< of the configuration; empty: not encrypted
    std::map<std::string, std::string> files{};  ///< path below the repository -> content

    const std::string& at(const std::string& path) const;
    /// Names of the backups, oldest first, as the folders say.
    std::vector<std::string> labels() const;
    /// backup.manifest of `label`, decrypted.
    std::string manifest(const std::string& label) const;
    /// Path below PGDATA -> SHA-256 in hexadecimal of every file that a restore of `label` wrote.
    std::map<std::string, std::string> restored(const std::string& label) const;
};

/// Each is unpacked once a process.
const Repository& load(const std::string& name);
/// All four.
std::vector<std::string> names();
/// Those that are not encrypted.
std::vector<std::string> plain_names();

std::string sha256(std::string_view text);

}  // namespace howdah::repo::fixtures
