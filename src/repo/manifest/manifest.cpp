#include "repo/manifest/manifest.h"

#include <algorithm>

namespace howdah::repo {

void ManifestHeader::sort() {
    std::ranges::sort(targets, {}, &ManifestTarget::name);
    std::ranges::sort(databases, {}, &ManifestDatabase::name);
    std::ranges::sort(links, {}, &ManifestLink::name);
    std::ranges::sort(paths, {}, &ManifestPath::name);
}

const ManifestTarget* tablespace_of(const ManifestHeader& header, std::string_view file_name) {
    for (const auto& target : header.targets) {
        if (target.tablespace && file_name.starts_with(target.name) &&
            file_name.substr(target.name.size()).starts_with('/')) {
            return &target;
        }
    }
    return nullptr;
}

}  // namespace howdah::repo
