#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "backup/options/option_table.h"
#include "backup/options/options.h"
#include "base/result.h"

/// What was given of options, and where, before anybody asks what it means.
namespace howdah::backup {

/// A value and where it stands.
struct Given {
    std::string value{}, where{};
    std::vector<std::string> more{};  ///< further values of a list
};
using Values = std::map<std::string, Given, std::less<>>;  ///< by OptionKey::text()

struct Line {
    std::string section{}, key{};
    Given given{};
};

/// What the words say, and the words that are no options.
struct CommandWords {
    Values values{};
    std::vector<std::string> others{};
};

/// Errors: ExitCode::option_invalid, naming the option: unknown, twice, without its value, a
/// secret.
Result<CommandWords> read_words(const std::vector<std::string>& words);
/// Every option on the command line must mean something to the command. Errors:
/// ExitCode::option_invalid.
Result<> check_words(const Values& words, const std::string& command);
/// Lines of a configuration file, with their sections. Errors: Errc::invalid, naming file and line.
Result<std::vector<Line>> lines_of(const ConfigText& config);

/// Puts what files and environment say below what is given already.
class Layers {
public:
    Layers(std::string command, Values& values, std::vector<std::string>& warnings)
        : command_(std::move(command)), values_(values), warnings_(warnings) {}

    /// Errors: Errc::invalid for what cannot stand there, or stands there twice.
    Result<> add_section(const std::vector<Line>& lines, const std::string& section);
    void add_environment(const std::map<std::string, std::string>& environment);
    /// In one line, what nothing will come of.
    void warn_of_missing();

private:
    bool is_used(const OptionKey& key);
    Result<bool> counts_in(const std::string& section, const Line& line, const OptionKey& key);
    void put(const std::string& key, const Given& given);

    std::string command_;
    Values& values_;
    std::vector<std::string>& warnings_;
    std::set<std::string> missing_{};
};

}  // namespace howdah::backup
