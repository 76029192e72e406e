#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "repo/info/info_document.h"
#include "repo/manifest/manifest.h"

namespace howdah::repo {

/// Writes backup.manifest piece by piece, byte for byte as pgBackRest does for the same facts.
class ManifestWriter {
public:
    /// `header` must outlive the writer, and be sorted.
    ManifestWriter(InfoWriter::Sink sink, const ManifestHeader& header);

    /// Everything before the files. Errors, here and below: those of InfoWriter.
    Result<> begin();
    /// In ascending order of names.
    Result<> file(const ManifestFile& file);
    /// Everything behind the files, and the checksum.
    Result<> finish();

private:
    Result<> backup();
    Result<> cluster();
    Result<> options();
    Result<> targets();
    Result<> databases();
    Result<> links();
    Result<> paths();
    Result<> defaults(std::string_view section, const std::uint16_t* mode);

    Result<> put(std::string_view key, std::string_view text);
    Result<> put(std::string_view key, const char* text) {
        return put(key, std::string_view(text));
    }
    Result<> put(std::string_view key, bool value);
    Result<> put(std::string_view key, std::uint64_t number);
    Result<> put(std::string_view key, std::int64_t number);
    template <class T>
    Result<> put(std::string_view key, const std::optional<T>& value) {
        return value ? put(key, *value) : Result<>();
    }

    InfoWriter out_;
    const ManifestHeader& header_;
    JsonObject object_{};
};

/// The whole manifest; its table must be sorted. Errors: those of ManifestWriter.
Result<> write_manifest(const Manifest& manifest, InfoWriter::Sink sink);
Result<std::string> render_manifest(const Manifest& manifest);

}  // namespace howdah::repo
