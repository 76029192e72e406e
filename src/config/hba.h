#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

// Lines of pg_hba.conf as PostgreSQL 13 to 18 read them. Source: PostgreSQL docs, "The pg_hba.conf
// File". Pure; files that a line names are not read.

namespace howdah::config {

/// One word of a field. Quotes take the meaning of all, replication, @file and +role away.
struct HbaWord {
    std::string text{};
    bool quoted = false;
    bool operator==(const HbaWord&) const = default;
};

struct HbaRule {
    std::string text{};  ///< the line as written, without blanks around it
    std::string type{};  ///< "local", "host", "hostssl", ..., or "include", "include_dir", ...
    std::vector<HbaWord> databases{}, users{};
    HbaWord address{};      ///< "10.0.0.0/8", a name, "all"; empty for local and include
    std::string netmask{};  ///< where it is a field of its own
    std::string method{};
    bool includes() const { return type.starts_with("include"); }
};

/// A line that PostgreSQL refuses, and so the whole file with it.
struct HbaFault {
    std::string line{};  ///< as written
    std::string why{};   ///< "invalid connection type hostt"
    bool operator==(const HbaFault&) const = default;
};

/// All of them in one sentence: `line "hostt all all": invalid connection type "hostt"; ...`.
std::string fault_text(const std::vector<HbaFault>& faults);

struct HbaFile {
    std::vector<HbaRule> rules{};
    std::vector<HbaFault> faults{};
};

/// The rules and the faults of a file, given by its lines. Only what every supported version
/// refuses is a fault: a line that is right for one of them passes, and so do the values of an
/// option.
HbaFile parse_hba(const std::vector<std::string>& lines);

/// A login that has to work. A replication connection has no database.
struct HbaLogin {
    std::optional<std::string> database{};
    std::string user{};
    bool local = false;     ///< through the Unix socket
    std::string address{};  ///< of the client; a name counts as unknown
};

enum class HbaVerdict : std::uint8_t {
    trust,
    asks,      ///< for a password, or another proof
    rejected,  ///< by a line with `reject`
    no_line,   ///< PostgreSQL rejects it
    unknown,   ///< depends on what is not in the lines: names, roles, TLS, other files
};

struct HbaAnswer {
    HbaVerdict verdict = HbaVerdict::unknown;
    std::string line{};  ///< that decides; empty: none
    bool clear_no() const {
        return verdict == HbaVerdict::rejected || verdict == HbaVerdict::no_line;
    }
};

/// What the first rule that matches says.
HbaAnswer hba_answer(const std::vector<HbaRule>& rules, const HbaLogin& login);

}  // namespace howdah::config
