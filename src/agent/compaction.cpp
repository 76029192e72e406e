#include "agent/compaction.h"

namespace howdah::agent {
namespace {

constexpr Nanos every = Seconds(300);
constexpr Nanos keep = Seconds(600);
constexpr Nanos note_every = Seconds(60);

}  // namespace

std::optional<dcs::Revision> Compaction::due(Instant now, dcs::Revision revision) {
    if (seen_.empty() || now >= seen_.back().when + note_every) {
        seen_.push_back({.when = now, .revision = revision});
    }
    std::optional<dcs::Revision> to;
    while (!seen_.empty() && now >= seen_.front().when + keep) {
        to = seen_.front().revision;
        if (seen_.size() < 2 || now < seen_[1].when + keep) {
            break;
        }
        seen_.pop_front();
    }
    if (!to || (!last_.never() && now < last_ + every)) {
        return std::nullopt;
    }
    last_ = now;
    return to;
}

}  // namespace howdah::agent
