#pragma once

#include <cstdint>
#include <string_view>

/// What a backup does not take of a data directory. Source: PostgreSQL docs, 26.3.3 "Making a Base
/// Backup Using the Low Level API", and pgBackRest's choices.
namespace howdah::repo {

/// What to do with something that was found on disk.
enum class Take : std::uint8_t {
    all,
    folder_only,  ///< the folder itself, but nothing in it
    nothing,
};

struct Found {
    std::string_view name{};  ///< as in a manifest: "pg_data/pg_wal"
    bool is_folder = false;
};

/// `major`: of PostgreSQL; 9.6 is 9. `online`: PostgreSQL runs, and archives its WAL.
/// Unlogged relations need more than a name: see unlogged_relation().
Take take(const Found& found, int major, bool online);

/// "16384_init" marks relation 16384 as unlogged. Returns "16384" for it, and "" for other names.
/// `file`: without its folder.
std::string_view unlogged_relation(std::string_view file);
/// The relation that a file in a database's folder belongs to: "16384" of "16384_vm.1"; "" for
/// others. All files of an unlogged relation but the _init ones are left out.
std::string_view relation_of(std::string_view file);

/// Whether pages of that file carry checksums, if the cluster has them on.
bool has_pages(std::string_view name);

}  // namespace howdah::repo
