#include "shrink.h"

#include <algorithm>

namespace howdah::sim {
namespace {

/// Asks whether a schedule still fails, as often as allowed.
class Question {
public:
    Question(Options options, std::string invariant, int runs)
        : options_(std::move(options)), invariant_(std::move(invariant)), left_(runs) {}

    bool fails(const std::vector<Fault>& schedule) {
        if (left_ <= 0) {
            return false;
        }
        --left_;
        options_.schedule = schedule;
        const auto report = World(options_).run();
        return std::any_of(report.violations.begin(), report.violations.end(),
                           [this](const Violation& v) { return v.invariant == invariant_; });
    }
    bool may_ask() const { return left_ > 0; }

private:
    Options options_;
    std::string invariant_;
    int left_;
};

std::vector<Fault> without(const std::vector<Fault>& all, std::size_t from, std::size_t count) {
    std::vector<Fault> rest(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(from));
    const auto end = std::min(from + count, all.size());
    rest.insert(rest.end(), all.begin() + static_cast<std::ptrdiff_t>(end), all.end());
    return rest;
}

std::vector<Fault> fewer(Question& question, std::vector<Fault> schedule) {
    auto chunk = std::max<std::size_t>(schedule.size() / 2, 1);
    while (question.may_ask()) {
        auto changed = false;
        for (std::size_t from = 0; from < schedule.size() && question.may_ask();) {
            auto rest = without(schedule, from, chunk);
            if (question.fails(rest)) {
                schedule = std::move(rest);
                changed = true;
            } else {
                from += chunk;
            }
        }
        if (chunk == 1 && !changed) {
            break;
        }
        chunk = std::max<std::size_t>(chunk / 2, 1);
    }
    return schedule;
}

std::vector<Fault> shorter(Question& question, std::vector<Fault> schedule) {
    for (std::size_t i = 0; i < schedule.size(); ++i) {
        for (int halvings = 0; halvings < 4 && schedule[i].lasts > Millis(20); ++halvings) {
            auto next = schedule;
            next[i].lasts = Millis(to_millis(next[i].lasts).count() / 2);
            if (!question.fails(next)) {
                break;
            }
            schedule = std::move(next);
        }
    }
    return schedule;
}

}  // namespace

std::vector<Fault> shrink(const Options& options, std::vector<Fault> schedule,
                          const std::string& invariant, int runs_at_most) {
    Question question(options, invariant, runs_at_most);
    return shorter(question, fewer(question, std::move(schedule)));
}

}  // namespace howdah::sim
