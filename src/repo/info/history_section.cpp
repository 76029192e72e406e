#include "repo/info/history_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace howdah::repo {

Result<std::uint32_t> history_id(JsonReader& json) {
    HD_TRY(const auto id, json.number());
    if (id == 0 || id > UINT32_MAX) {
        return fail(Errc::invalid, fmt::format("{} is no history id", id));
    }
    return static_cast<std::uint32_t>(id);
}

Result<std::uint32_t> history_id(std::string_view text) {
    JsonReader json(text);
    HD_TRY(const auto id, history_id(json));
    if (fmt::format("{}", id) != text) {
        return fail(Errc::invalid, fmt::format("\"{}\" is no history id", text));
    }
    return id;
}

Result<std::string> valid_version(std::string_view text) {
    const auto digits = [](std::string_view part) {
        return !part.empty() && part.size() <= 4 &&
               std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
    };
    const auto dot = text.find('.');
    const bool minor = dot == std::string_view::npos || digits(text.substr(dot + 1));
    if (!digits(text.substr(0, dot)) || !minor) {
        return fail(Errc::invalid, fmt::format("\"{}\" is no version of PostgreSQL", text));
    }
    return std::string(text);
}

Result<> must_have_version(std::string_view version) {
    return version.empty() ? fail(Errc::invalid, "db-version is missing") : Result<>();
}

std::unexpected<Error> current_not_in_history(std::string_view document, std::uint32_t id) {
    return fail(
        Errc::invalid,
        fmt::format("{}: [db] db-id {} is not in [db:history], or differs from it", document, id),
        "the file was put together from two, or a key is missing");
}

InfoWriter::Sink into(std::string& text) {
    return [&text](Bytes bytes) -> Result<> {
        text += text_of(bytes);
        return {};
    };
}

}  // namespace howdah::repo
