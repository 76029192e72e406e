#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "repo/info/label.h"
#include "repo/manifest/manifest_file.h"
#include "repo/stream/compression.h"

/// Where things lie below the repository's folder. No path begins or ends with '/'.
namespace howdah::repo {

/// A stanza's name becomes a folder. Errors: Errc::invalid for an empty one, '/', "." and "..".
Result<> check_stanza(std::string_view stanza);

std::string archive_folder(std::string_view stanza);     ///< "archive/demo"
std::string archive_info_path(std::string_view stanza);  ///< its copy: copy_name()
std::string backup_folder(std::string_view stanza);      ///< "backup/demo"
std::string backup_info_path(std::string_view stanza);
std::string backup_path(std::string_view stanza, const Label& label);
std::string manifest_path(std::string_view stanza, const Label& label);
/// "backup/demo/backup.history/2026/LABEL.manifest.gz": always gz.
std::string history_path(std::string_view stanza, const Label& label);
std::string latest_path(std::string_view stanza);

/// Where the bytes of a file are to be read.
struct StoredPlace {
    std::string path{};        ///< of the bundle, or of the file itself
    std::uint64_t offset = 0;  ///< in it
    std::uint64_t size = 0;    ///< stored bytes
    bool in_bundle = false;
};

/// `label`: the backup whose manifest `file` is of; the data may lie in another one. nullopt for an
/// empty file that is not stored at all. `bundles`: ManifestHeader::bundle, which decides that.
std::optional<StoredPlace> stored_place(std::string_view stanza, const Label& label,
                                        const ManifestFile& file, CompressType compress,
                                        bool bundles);
/// The file of its own that a backup writes for what is not bundled. Block-incremental files end in
/// ".pgbi", others as the compression says.
std::string file_path(std::string_view stanza, std::string_view label, const ManifestFile& file,
                      CompressType compress);
std::string bundle_path(std::string_view stanza, std::string_view label, std::uint32_t id);

}  // namespace howdah::repo
