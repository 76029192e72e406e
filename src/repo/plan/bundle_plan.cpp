#include "repo/plan/bundle_plan.h"

#include <algorithm>

namespace howdah::repo {

CopyJob CopyPlan::at(std::size_t number) const {
    const auto& part = jobs_.at(number);
    return {.bundle = part.bundle, .files = std::span(files_).subspan(part.first, part.count)};
}

CopyPlan plan_copies(std::span<const CopyItem> items, const Bundling& bundling) {
    CopyPlan plan;
    const auto is_single = [&](const CopyItem& item) {
        return !bundling.on || item.alone || item.size > bundling.largest_file;
    };
    std::vector<std::uint32_t> singles;  // positions in `items`
    for (std::uint32_t at = 0; at < items.size(); ++at) {
        if (is_single(items[at])) {
            singles.push_back(at);
        }
    }
    std::ranges::sort(singles, [&](std::uint32_t a, std::uint32_t b) {
        return items[a].size != items[b].size ? items[a].size > items[b].size : a < b;
    });
    for (const auto at : singles) {
        plan.jobs_.push_back({.first = static_cast<std::uint32_t>(plan.files_.size()), .count = 1});
        plan.files_.push_back(items[at].index);
    }
    std::uint32_t bundle = 0;
    std::uint64_t bundled = bundling.full_at;  // bytes in the bundle that is open
    for (const auto& item : items) {
        if (is_single(item) || item.size == 0) {
            continue;
        }
        if (bundled >= bundling.full_at) {
            plan.jobs_.push_back(
                {.bundle = ++bundle, .first = static_cast<std::uint32_t>(plan.files_.size())});
            bundled = 0;
        }
        plan.files_.push_back(item.index);
        ++plan.jobs_.back().count;
        bundled += item.size;
    }
    return plan;
}

}  // namespace howdah::repo
