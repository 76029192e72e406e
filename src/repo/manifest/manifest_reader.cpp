#include "repo/manifest/manifest_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "repo/info/json.h"
#include "repo/manifest/manifest_names.h"
#include "repo/manifest/manifest_sections.h"

namespace howdah::repo {
namespace {

std::string_view folder_of(std::string_view name) {
    const auto slash = name.rfind('/');
    return slash == std::string_view::npos ? std::string_view() : name.substr(0, slash);
}

template <class Entry>
std::optional<std::string> duplicate(const std::vector<Entry>& entries) {
    std::set<std::string_view> seen;
    for (const auto& entry : entries) {
        if (!seen.insert(entry.name).second) {
            return entry.name;
        }
    }
    return std::nullopt;
}

std::unexpected<Error> wrong(std::string_view key, std::string_view why) {
    return fail(Errc::invalid, fmt::format("{} {}", key, why));
}

}  // namespace

ManifestReader::ManifestReader(std::string name, OnFile on_file)
    : name_(name),
      on_file_(std::move(on_file)),
      document_(std::move(name), [this](const InfoEntry& entry) { return this->entry(entry); }) {}

Result<> ManifestReader::push(Bytes piece) {
    return document_.push(piece);
}

Result<> ManifestReader::entry(const InfoEntry& entry) {
    return entry.section == "target:file" ? file(entry)
                                          : read_header_entry(entry, manifest_.header);
}

Result<> ManifestReader::file(const InfoEntry& entry) {
    HD_TRY_VOID(check_name(entry.key, NameOf::file));
    file_ = ManifestFile{.name = std::string(entry.key)};
    HD_TRY_VOID(read_file(entry.json, file_, strings_));
    if (!on_file_) {
        manifest_.files.add(file_);
        return {};
    }
    if (file_.name <= last_file_) {
        return fail(Errc::invalid, fmt::format("stands behind {}", last_file_));
    }
    last_file_ = file_.name;
    folders_.id_of(folder_of(file_.name));
    if (!file_.reference.empty()) {
        labels_.id_of(file_.reference);
    }
    return on_file_(file_);
}

Result<> ManifestReader::check_places() const {
    const auto& header = manifest_.header;
    std::set<std::string_view> paths;
    for (const auto& path : header.paths) {
        paths.insert(path.name);
    }
    const auto missing = [&](std::string_view folder) {
        return !folder.empty() && !paths.contains(folder);
    };
    const auto orphan = [](std::string_view kind, std::string_view name) {
        return wrong(name, fmt::format("is the folder of a {}, but not in [target:path]", kind));
    };
    for (const auto folder : manifest_.files.folders()) {
        if (missing(folder)) {
            return orphan("file", folder);
        }
    }
    for (std::uint32_t id = 0; id < folders_.size(); ++id) {
        if (missing(folders_.at(id))) {
            return orphan("file", folders_.at(id));
        }
    }
    for (const auto& path : header.paths) {
        if (missing(folder_of(path.name))) {
            return orphan("path", folder_of(path.name));
        }
    }
    return {};
}

Result<> ManifestReader::check_references() const {
    const auto& known = manifest_.header.references;
    const auto listed = [&](std::string_view label) {
        return std::ranges::find(known, label, &Label::text) != known.end();
    };
    auto used = manifest_.files.references();
    for (std::uint32_t id = 0; id < labels_.size(); ++id) {
        used.push_back(labels_.at(id));
    }
    for (const auto label : used) {
        if (!listed(label)) {
            return wrong(label, "is referred to, but not in backup-reference");
        }
    }
    return {};
}

Result<> ManifestReader::check() const {
    const auto& header = manifest_.header;
    if (header.label.text().empty()) {
        return wrong("[backup] backup-label", "is missing");
    }
    if (header.type != header.label.type()) {
        return wrong("[backup] backup-type", "does not fit backup-label");
    }
    if (header.cluster.version.empty()) {
        return wrong("[backup:db] db-version", "is missing");
    }
    for (const auto& twice : {duplicate(header.paths), duplicate(header.links),
                              duplicate(header.targets), manifest_.files.duplicate()}) {
        if (twice) {
            return wrong(*twice, "stands twice");
        }
    }
    HD_TRY_VOID(check_places());
    return check_references();
}

Result<Manifest> ManifestReader::finish() {
    HD_TRY_VOID(document_.finish());
    auto& header = manifest_.header;
    header.written_by = document_.version();
    manifest_.files.sort();
    if (header.references.empty()) {  // written before 2.42
        std::set<Label> labels{header.label};
        for (const auto label : manifest_.files.references()) {
            HD_TRY(auto parsed, Label::parse(label));
            labels.insert(std::move(parsed));
        }
        for (std::uint32_t id = 0; id < labels_.size(); ++id) {
            HD_TRY(auto parsed, Label::parse(labels_.at(id)));
            labels.insert(std::move(parsed));
        }
        header.references.assign(labels.begin(), labels.end());
    }
    if (auto good = check(); !good) {
        return std::unexpected(std::move(good).error().within(name_));
    }
    return std::move(manifest_);
}

Result<Manifest> parse_manifest(std::string_view name, std::string_view text) {
    ManifestReader reader{std::string(name)};
    HD_TRY_VOID(reader.push(bytes_of(text)));
    return reader.finish();
}

}  // namespace howdah::repo
