#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "repo/info/info_document.h"
#include "repo/manifest/manifest.h"

namespace howdah::repo {

/// Reads backup.manifest in pieces of any size.
class ManifestReader {
public:
    /// Gets the files in ascending order of names, before the header is complete. The file lives
    /// during the call.
    using OnFile = std::function<Result<>(const ManifestFile&)>;

    /// `name` is what errors name. With `on_file` no file is kept: memory stays flat however many
    /// they are.
    explicit ManifestReader(std::string name, OnFile on_file = {});
    ManifestReader(const ManifestReader&) = delete;
    ManifestReader& operator=(const ManifestReader&) = delete;

    /// Errors: those of InfoReader; Errc::invalid for values that make no sense and for names that
    /// would leave the data directory, with document, section and key.
    Result<> push(Bytes piece);
    /// What was read, once the checksum has agreed and everything that must be there is: a label, a
    /// folder for each file, every reference listed. Ends the reader.
    Result<Manifest> finish();

private:
    Result<> entry(const InfoEntry& entry);
    Result<> file(const InfoEntry& entry);
    Result<> check() const;
    Result<> check_places() const;
    Result<> check_references() const;

    std::string name_;
    OnFile on_file_;
    InfoReader document_;
    Manifest manifest_{};
    ManifestFile file_{};
    FileStrings strings_{};
    std::string last_file_{};  ///< only without a table
    Words folders_{};
    Words labels_{};
};

/// A whole manifest at once. Errors: those of ManifestReader.
Result<Manifest> parse_manifest(std::string_view name, std::string_view text);

}  // namespace howdah::repo
