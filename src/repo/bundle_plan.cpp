#include "repo/bundle_plan.h"

#include <algorithm>

namespace howdah::repo {

std::vector<CopyJob> plan_copies(std::span<const CopyItem> items, const Bundling& bundling) {
    std::vector<CopyJob> singles;
    std::vector<CopyJob> bundles;
    for (const auto& item : items) {
        if (!bundling.on || item.alone || item.size > bundling.largest_file) {
            singles.push_back({.files = {item.index}, .size = item.size});
            continue;
        }
        if (item.size == 0) {
            continue;
        }
        if (bundles.empty() || bundles.back().size >= bundling.full_at) {
            bundles.push_back({.bundle = static_cast<std::uint32_t>(bundles.size() + 1)});
        }
        bundles.back().files.push_back(item.index);
        bundles.back().size += item.size;
    }
    std::ranges::sort(singles, [](const CopyJob& a, const CopyJob& b) {
        return a.size != b.size ? a.size > b.size : a.files.front() < b.files.front();
    });
    singles.insert(singles.end(), bundles.begin(), bundles.end());
    return singles;
}

}  // namespace howdah::repo
