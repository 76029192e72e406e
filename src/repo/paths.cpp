#include "repo/paths.h"

#include <fmt/format.h>

namespace howdah::repo {

using std::string_view;

Result<> check_stanza(string_view stanza) {
    if (stanza.empty() || stanza == "." || stanza == ".." ||
        stanza.find_first_of(string_view("/\0\n", 3)) != string_view::npos) {
        return fail(Errc::invalid, fmt::format("\"{}\" is no name for a stanza", stanza));
    }
    return {};
}

std::string archive_folder(string_view stanza) {
    return fmt::format("archive/{}", stanza);
}

std::string archive_info_path(string_view stanza) {
    return archive_folder(stanza) + "/archive.info";
}

std::string backup_folder(string_view stanza) {
    return fmt::format("backup/{}", stanza);
}

std::string backup_info_path(string_view stanza) {
    return backup_folder(stanza) + "/backup.info";
}

std::string backup_path(string_view stanza, const Label& label) {
    return fmt::format("backup/{}/{}", stanza, label.text());
}

std::string manifest_path(string_view stanza, const Label& label) {
    return backup_path(stanza, label) + "/backup.manifest";
}

std::string history_path(string_view stanza, const Label& label) {
    return fmt::format("backup/{}/backup.history/{}/{}.manifest.gz", stanza, label.year(),
                       label.text());
}

std::string latest_path(string_view stanza) {
    return backup_folder(stanza) + "/latest";
}

std::string bundle_path(string_view stanza, string_view label, std::uint32_t id) {
    return fmt::format("backup/{}/{}/bundle/{}", stanza, label, id);
}

std::string file_path(string_view stanza, string_view label, const ManifestFile& file,
                      CompressType compress) {
    return fmt::format("backup/{}/{}/{}{}", stanza, label, file.name,
                       file.blocks ? ".pgbi" : extension_of(compress));
}

std::optional<StoredPlace> stored_place(string_view stanza, const Label& label,
                                        const ManifestFile& file, CompressType compress,
                                        bool bundles) {
    if (file.size == 0 && bundles && !file.bundle && file.stored_size == 0) {
        return std::nullopt;
    }
    const string_view holder = file.reference.empty() ? label.text() : file.reference;
    if (file.bundle) {
        return StoredPlace{.path = bundle_path(stanza, holder, file.bundle->id),
                           .offset = file.bundle->offset,
                           .size = file.stored_size,
                           .in_bundle = true};
    }
    return StoredPlace{.path = file_path(stanza, holder, file, compress), .size = file.stored_size};
}

}  // namespace howdah::repo
