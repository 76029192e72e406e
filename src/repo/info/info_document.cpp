#include "repo/info/info_document.h"

#include <fmt/format.h>

#include <utility>

#include "repo/info/json.h"

namespace howdah::repo {
namespace {

// A relation of a whole segment with every page bad makes a line of about 1 MiB.
constexpr std::size_t longest_line = 16U << 20;
constexpr std::size_t flush_size = 64U << 10;
constexpr std::string_view own_section = "backrest";

/// File names may hold '=': the value begins behind the first one that a whole JSON value follows.
std::optional<std::pair<std::string_view, std::string_view>> split(std::string_view line) {
    for (auto at = line.find('='); at != std::string_view::npos; at = line.find('=', at + 1)) {
        JsonReader value(line.substr(at + 1));
        if (value.skip() && value.end()) {
            return std::pair(line.substr(0, at), line.substr(at + 1));
        }
    }
    return std::nullopt;
}

}  // namespace

std::unexpected<Error> InfoReader::bad_line(std::string_view why) const {
    return fail(Errc::invalid, fmt::format("{}: line {}: {}", name_, line_, why));
}

Result<> InfoReader::push(Bytes piece) {
    for (auto text = text_of(piece); !text.empty();) {
        const auto end = text.find('\n');
        if (rest_.size() + std::min(end, text.size()) > longest_line) {
            ++line_;
            return bad_line("is too long");
        }
        if (end == std::string_view::npos) {
            rest_ += text;
            return {};
        }
        if (rest_.empty()) {
            HD_TRY_VOID(line(text.substr(0, end)));
        } else {
            rest_ += text.substr(0, end);
            HD_TRY_VOID(line(std::exchange(rest_, {})));
        }
        text.remove_prefix(end + 1);
    }
    return {};
}

Result<> InfoReader::line(std::string_view text) {
    ++line_;
    if (text.empty()) {
        return {};
    }
    if (text.front() == '[' && text.back() == ']') {
        section_ = text.substr(1, text.size() - 2);
        return {};
    }
    if (section_.empty()) {
        return bad_line("stands before any section");
    }
    const auto parts = split(text);
    if (!parts) {
        return bad_line("is neither a section nor key=value");
    }
    return entry(InfoEntry{.section = section_, .key = parts->first, .json = parts->second});
}

Result<> InfoReader::entry(const InfoEntry& entry) {
    const bool own = entry.section == own_section;
    if (!own || entry.key != "backrest-checksum") {
        sum(entry);
    }
    auto taken = own ? own_entry(entry) : on_entry_(entry);
    if (!taken) {
        return std::unexpected(std::move(taken).error().within(entry.where()).within(name_));
    }
    return {};
}

Result<> InfoReader::own_entry(const InfoEntry& entry) {
    JsonReader value(entry.json);
    if (entry.key == "backrest-format") {
        HD_TRY(const auto format, value.number());
        if (format != repository_format) {
            return fail(Errc::invalid, fmt::format("is {}, not {}", format, repository_format));
        }
        format_seen_ = true;
    } else if (entry.key == "backrest-version") {
        HD_TRY(version_, value.string());
    } else if (entry.key == "backrest-checksum") {
        HD_TRY(checksum_, value.string());
    }
    return {};
}

void InfoReader::sum(const InfoEntry& entry) {
    scratch_.clear();
    if (!any_summed_ || entry.section != summed_section_) {
        scratch_ += any_summed_ ? "},\"" : "{\"";
        scratch_ += entry.section;
        scratch_ += "\":{";
        summed_section_ = entry.section;
        any_summed_ = true;
    } else {
        scratch_ += ',';
    }
    append_json_string(scratch_, entry.key);
    scratch_ += ':';
    scratch_ += entry.json;
    sum_.update(scratch_);
}

Result<> InfoReader::finish() {
    if (!rest_.empty()) {
        HD_TRY_VOID(line(std::exchange(rest_, {})));
    }
    if (!format_seen_ || checksum_.empty()) {
        return fail(Errc::invalid,
                    fmt::format("{}: [backrest] {} is missing", name_,
                                format_seen_ ? "backrest-checksum" : "backrest-format"),
                    line_ == 0 ? "the file is empty"
                               : "is the file complete, and of a pgBackRest repository?");
    }
    sum_.update("}}");
    if (const auto actual = sum_.finish().hex(); actual != checksum_) {
        return fail(
            Errc::corrupt,
            fmt::format("{}: checksum of the text is {}, expected {}", name_, actual, checksum_),
            "the file was damaged, or changed by hand");
    }
    return {};
}

Result<std::string> read_info(std::string_view name, std::string_view text,
                              InfoReader::OnEntry on_entry) {
    InfoReader reader(std::string(name), std::move(on_entry));
    HD_TRY_VOID(reader.push(bytes_of(text)));
    HD_TRY_VOID(reader.finish());
    return reader.version();
}

InfoWriter::InfoWriter(Sink sink, std::string_view version)
    : sink_(std::move(sink)), section_(own_section) {
    put("backrest-format", fmt::format("{}", repository_format));
    put("backrest-version", json_string(version));
}

void InfoWriter::open_section() {
    buffer_ += buffer_.empty() && open_.empty() ? "[" : "\n[";
    buffer_ += section_;
    buffer_ += "]\n";
}

void InfoWriter::put(std::string_view key, std::string_view json) {
    scratch_.clear();
    if (section_ != open_) {
        open_section();
        scratch_ += open_.empty() ? "{\"" : "},\"";
        scratch_ += section_;
        scratch_ += "\":{";
        open_ = section_;
    } else {
        scratch_ += ',';
    }
    append_json_string(scratch_, key);
    scratch_ += ':';
    scratch_ += json;
    sum_.update(scratch_);
    buffer_ += key;
    buffer_ += '=';
    buffer_ += json;
    buffer_ += '\n';
}

Result<> InfoWriter::entry(std::string_view key, std::string_view json) {
    if (key.find('\n') != std::string_view::npos) {
        return fail(Errc::invalid,
                    fmt::format("the name {} holds a line break, which a repository cannot record",
                                json_string(key)),
                    "rename it");
    }
    put(key, json);
    return buffer_.size() < flush_size ? Result<>() : flush();
}

Result<> InfoWriter::flush() {
    const auto full = std::exchange(buffer_, {});
    return sink_(bytes_of(full));
}

Result<> InfoWriter::finish() {
    sum_.update("}}");
    section_ = own_section;
    open_section();
    buffer_ += fmt::format("backrest-checksum=\"{}\"\n", sum_.finish().hex());
    return flush();
}

}  // namespace howdah::repo
