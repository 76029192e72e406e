#include "backup/jobs/job.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "backup/options/option_table.h"
#include "remote/fields.h"

namespace howdah::backup {
namespace {

constexpr std::array verbs{std::string_view("backup"), std::string_view("check"),
                           std::string_view("stanza-create"), std::string_view("stanza-upgrade")};

/// Options that say how to do it. None that names a file, a program, a host, or lets go of a check
/// that keeps data.
constexpr std::array harmless{std::string_view("all-repos"),
                              std::string_view("annotation"),
                              std::string_view("archive-check"),
                              std::string_view("archive-copy"),
                              std::string_view("archive-timeout"),
                              std::string_view("checksum-page"),
                              std::string_view("compress"),
                              std::string_view("compress-level"),
                              std::string_view("compress-type"),
                              std::string_view("db-timeout"),
                              std::string_view("delta"),
                              std::string_view("exclude"),
                              std::string_view("expire-auto"),
                              std::string_view("io-timeout"),
                              std::string_view("process-max"),
                              std::string_view("rate-limit"),
                              std::string_view("repo"),
                              std::string_view("repo-block"),
                              std::string_view("repo-bundle"),
                              std::string_view("repo-bundle-limit"),
                              std::string_view("repo-bundle-size"),
                              std::string_view("repo-hardlink"),
                              std::string_view("repo-optional"),
                              std::string_view("repo-symlink"),
                              std::string_view("resume"),
                              std::string_view("start-fast"),
                              std::string_view("type")};

constexpr std::size_t longest_word = 1024;

/// "--repo2-bundle=y" is "repo-bundle"; empty: it is no option with its value.
std::string_view option_in(std::string_view word) {
    const auto equals = word.find('=');
    if (!word.starts_with("--") || equals == std::string_view::npos || word.size() > longest_word ||
        word.contains('\0')) {
        return {};
    }
    const auto key = find_option(word.substr(2, equals - 2));
    return key ? key->facts->name : std::string_view();
}

bool is_harmless(const std::string& word) {
    return std::ranges::find(harmless, option_in(word)) != harmless.end();
}

}  // namespace

bool is_job(std::string_view verb) {
    return std::ranges::find(verbs, verb) != verbs.end();
}

std::vector<std::string> words_for_job(const std::vector<std::string>& given) {
    std::vector<std::string> words;
    std::ranges::copy_if(given, std::back_inserter(words), is_harmless);
    return words;
}

Result<> check_job(std::string_view verb, const std::vector<std::string>& words) {
    if (!is_job(verb)) {
        return fail(Errc::invalid, fmt::format("'{}' is nothing to ask a database host for", verb));
    }
    const auto wrong =
        std::ranges::find_if(words, [](const auto& word) { return !is_harmless(word); });
    return wrong == words.end()
               ? Result<>{}
               : fail(Errc::invalid,
                      fmt::format("option '{}' may not be asked of a database host", *wrong));
}

std::optional<Error> take_job_line(const std::string& line, const Notes& notes) {
    const auto said = remote::Json::parse(line, nullptr, false);
    const auto level = remote::number_in(said, "level").value_or(0);
    const auto text = said.is_object() ? remote::text_in(said, "text") : line;
    if (said.is_object() && said.contains("error")) {
        return remote::to_error(said["error"]);
    }
    if (!said.is_object() || level == 2) {
        notes.info(text);
    } else if (level == 1) {
        notes.warn(text);
    } else if (said.contains("what")) {
        const auto what = remote::text_in(said, "what");
        notes.progress({.what = what,
                        .done = remote::number_in(said, "done").value_or(0),
                        .total = remote::number_in(said, "total").value_or(0),
                        .in_bytes = remote::flag_in(said, "in_bytes")});
    } else {
        notes.detail(text);
    }
    return std::nullopt;
}

remote::Json to_json(const ServerState& state) {
    return {{"in_recovery", state.in_recovery},
            {"timeline", state.timeline},
            {"lsn", state.lsn.text()}};
}

Result<ServerState> to_state(const remote::Json& json) {
    const auto recovery = json.find("in_recovery"), timeline = json.find("timeline"),
               lsn = json.find("lsn");
    if (recovery == json.end() || !recovery->is_boolean() || timeline == json.end() ||
        !timeline->is_number_unsigned() || lsn == json.end() || !lsn->is_string()) {
        return fail(Errc::corrupt, "what was sent is no state of a server");
    }
    HD_TRY(const auto place, pg::Lsn::parse(lsn->get<std::string>()));
    return ServerState{.in_recovery = *recovery, .timeline = *timeline, .lsn = place};
}

}  // namespace howdah::backup
