#include "repo/plan/changes.h"

#include <fmt/format.h>

namespace howdah::repo {

Change change_of(const ManifestFile& now, const std::optional<ManifestFile>& prior, bool delta) {
    if (!prior || prior->size != now.size) {
        return Change::copy;
    }
    if (delta) {
        return now.size == 0 ? Change::same : Change::compare;
    }
    return prior->modified == now.modified ? Change::same : Change::copy;
}

ManifestFile refer(const ManifestFile& now, const ManifestFile& prior, const Label& prior_label,
                   bool bundles) {
    auto file = now;
    file.sum = prior.sum;
    file.stored_size = prior.stored_size;
    file.stored_sum = prior.stored_sum;
    file.bundle = prior.bundle;
    file.blocks = prior.blocks;
    file.pages = prior.pages;
    file.bad_pages = prior.bad_pages;
    // An empty file in a bundling backup is not stored, so that there is nothing to refer to.
    const bool stored = now.size != 0 || !bundles;
    if (stored) {
        file.reference =
            prior.reference.empty() ? std::string_view(prior_label.text()) : prior.reference;
    } else {
        file.stored_size = 0;
        file.stored_sum.reset();
        file.reference = {};
    }
    return file;
}

std::optional<std::string> delta_reason(const ManifestHeader& now, const ManifestHeader& prior) {
    if (now.options.online != prior.options.online) {
        return "the online option has changed since the prior backup";
    }
    if (now.wal_start && prior.wal_stop &&
        now.wal_start->compare(0, 8, *prior.wal_stop, 0, 8) != 0) {
        return fmt::format("the timeline has changed from {} to {} since the prior backup",
                           prior.wal_stop->substr(0, 8), now.wal_start->substr(0, 8));
    }
    return std::nullopt;
}

std::optional<std::string> delta_reason(const ManifestFile& now,
                                        const std::optional<ManifestFile>& prior,
                                        std::int64_t copy_started) {
    if (now.modified > copy_started) {
        return fmt::format("{} has a time in the future", now.name);
    }
    if (prior && now.modified < prior->modified) {
        return fmt::format("{} is older than in the prior backup", now.name);
    }
    const auto listed = prior ? prior->original_size.value_or(prior->size) : now.size;
    if (prior && now.modified == prior->modified && now.size != listed) {
        return fmt::format("{} has another size, but the same time as in the prior backup",
                           now.name);
    }
    return std::nullopt;
}

void inherit(ManifestHeader& now, const ManifestHeader& prior) {
    now.prior = prior.label;
    now.references = prior.references;
    now.references.push_back(now.label);
    now.cipher_pass = prior.cipher_pass;
    now.bundle_raw = prior.bundle_raw;
    now.options.compress = prior.options.compress;
    now.options.checksum_page = prior.options.checksum_page;
}

}  // namespace howdah::repo
