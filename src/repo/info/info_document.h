#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "repo/stream/sha1.h"

/// The syntax that archive.info, backup.info and backup.manifest share: sections of key=JSON lines,
/// and a SHA-1 over all of them.
namespace howdah::repo {

/// The one format number of pgBackRest's repositories since 2017.
inline constexpr std::uint64_t repository_format = 5;

/// One line of a document. Valid during the call that gets it.
struct InfoEntry {
    std::string_view section{};
    std::string_view key{};
    std::string_view json{};  ///< one valid JSON value

    std::string where() const { return "[" + std::string(section) + "] " + std::string(key); }
};

/// Takes a document in pieces of any size and gives its entries, the [backrest] ones excepted, one
/// by one. What it gave counts only when finish() has agreed: the checksum stands in the last line.
class InfoReader {
public:
    using OnEntry = std::function<Result<>(const InfoEntry&)>;

    /// `name` is what errors name: "archive.info".
    InfoReader(std::string name, OnEntry on_entry)
        : name_(std::move(name)), on_entry_(std::move(on_entry)) {}

    /// Errors: Errc::invalid (syntax; another format number), what `on_entry` answers; each with
    /// the document's name, and the line or the key.
    Result<> push(Bytes piece);
    /// Errors: Errc::invalid if format, version or checksum are missing; Errc::corrupt if the
    /// checksum is not that of the text.
    Result<> finish();
    /// `backrest-version`: who wrote the document. Any text; complete after finish().
    const std::string& version() const { return version_; }

private:
    Result<> line(std::string_view text);
    Result<> entry(const InfoEntry& entry);
    Result<> own_entry(const InfoEntry& entry);
    void sum(const InfoEntry& entry);
    std::unexpected<Error> bad_line(std::string_view why) const;

    std::string name_;
    OnEntry on_entry_;
    std::string rest_{};  ///< of a line whose end is still to come
    std::size_t line_ = 0;
    std::string section_{};
    std::string summed_section_{};
    std::string scratch_{};
    bool any_summed_ = false;
    bool format_seen_ = false;
    std::string version_{};
    std::string checksum_{};
    Sha1 sum_{};
};

/// The whole document at once. Returns `backrest-version`. Errors: those of InfoReader.
Result<std::string> read_info(std::string_view name, std::string_view text,
                              InfoReader::OnEntry on_entry);

/// Writes a document, piece by piece, to `sink`. The caller gives sections and keys in ascending
/// order of their bytes, as pgBackRest does.
class InfoWriter {
public:
    using Sink = std::function<Result<>(Bytes)>;

    /// `version` becomes `backrest-version`.
    InfoWriter(Sink sink, std::string_view version);

    /// The entries that follow belong to `name`. A section without entries is not written.
    void section(std::string_view name) { section_ = name; }
    /// Errors: Errc::invalid if `key` holds a line break, which the format has no way to write;
    /// what the sink answers.
    Result<> entry(std::string_view key, std::string_view json);
    /// Writes the checksum and what is still buffered. Errors: what the sink answers.
    Result<> finish();

private:
    void put(std::string_view key, std::string_view json);
    void open_section();
    Result<> flush();

    Sink sink_;
    std::string buffer_{};
    std::string section_{};
    std::string open_{};
    std::string scratch_{};
    Sha1 sum_{};
};

}  // namespace howdah::repo
