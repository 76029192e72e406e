#include "cli/backup/options_help.h"

#include <fmt/format.h>

#include <vector>

#include "backup/options/option_table.h"

namespace howdah::cli {
namespace {

constexpr std::size_t columns = 98;

std::string names_of(const std::string& command, backup::OptionUse use) {
    std::string text, line;
    for (const auto& option : backup::all_options()) {
        if (backup::use_of(option, command) != use) {
            continue;
        }
        const auto name = backup::OptionKey{.facts = &option}.text();
        if (!line.empty() && line.size() + name.size() + 2 > columns) {
            text += "  " + line + ",\n";
            line.clear();
        }
        line += (line.empty() ? "" : ", ") + name;
    }
    return line.empty() ? text : text + "  " + line + "\n";
}

}  // namespace

std::string options_help(const std::string& command) {
    std::string text;
    const std::vector<std::pair<std::string_view, backup::OptionUse>> parts{
        {"Options, as pgBackRest's manual tells of them:", backup::OptionUse::honoured},
        {"Taken, though nothing comes of them:", backup::OptionUse::idle},
        {"Not acted on yet:", backup::OptionUse::missing}};
    for (const auto& [heading, use] : parts) {
        const auto names = names_of(command, use);
        text += names.empty() ? "" : fmt::format("{}\n{}", heading, names);
    }
    return text;
}

}  // namespace howdah::cli
