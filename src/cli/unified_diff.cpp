#include "cli/unified_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace howdah::cli {

namespace {

constexpr std::size_t context = 3;

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> out;
    for (std::size_t start = 0; start < text.size();) {
        const auto end = std::min(text.find('\n', start), text.size());
        out.push_back(text.substr(start, end - start));
        start = end + 1;
    }
    return out;
}

/// One line of the whole edit: ' ' stays, '-' goes, '+' comes.
struct Step {
    char sign = ' ';
    std::string line{};
};

/// By the longest common subsequence; what goes stands before what comes.
std::vector<Step> edit_of(const std::vector<std::string>& a, const std::vector<std::string>& b) {
    std::vector<std::vector<std::uint32_t>> common(a.size() + 1,
                                                   std::vector<std::uint32_t>(b.size() + 1));
    for (std::size_t i = a.size(); i-- > 0;) {
        for (std::size_t j = b.size(); j-- > 0;) {
            common[i][j] = a[i] == b[j] ? common[i + 1][j + 1] + 1
                                        : std::max(common[i + 1][j], common[i][j + 1]);
        }
    }
    std::vector<Step> out;
    std::size_t i = 0, j = 0;
    while (i < a.size() || j < b.size()) {
        if (i < a.size() && j < b.size() && a[i] == b[j]) {
            out.push_back({' ', a[i]});
            ++i, ++j;
        } else if (j == b.size() || (i < a.size() && common[i + 1][j] >= common[i][j + 1])) {
            out.push_back({'-', a[i++]});
        } else {
            out.push_back({'+', b[j++]});
        }
    }
    return out;
}

/// "3" for one line, "3,4" for several; of none, the line before.
std::string range(std::size_t first, std::size_t count) {
    return count == 1 ? std::to_string(first + 1)
                      : fmt::format("{},{}", count == 0 ? first : first + 1, count);
}

}  // namespace

std::string unified_diff(const std::string& before, const std::string& after) {
    if (before == after) {
        return {};
    }
    const auto steps = edit_of(lines_of(before), lines_of(after));
    std::string out = "--- \n+++ \n";
    std::size_t line_a = 0, line_b = 0, at = 0;
    const auto next_change = [&steps](std::size_t from) {
        while (from < steps.size() && steps[from].sign == ' ') {
            ++from;
        }
        return from;
    };
    while (next_change(at) < steps.size()) {
        const auto first = std::max(at, next_change(at) - std::min(next_change(at), context));
        auto end = next_change(at);
        for (auto change = end; change < steps.size() && change <= end + 2 * context;
             change = next_change(end)) {
            end = change + 1;
        }
        end = std::min(end + context, steps.size());
        line_a += first - at, line_b += first - at;
        std::string body;
        std::size_t count_a = 0, count_b = 0;
        for (at = first; at < end; ++at) {
            body += steps[at].sign + steps[at].line + "\n";
            count_a += steps[at].sign != '+' ? 1 : 0;
            count_b += steps[at].sign != '-' ? 1 : 0;
        }
        out +=
            fmt::format("@@ -{} +{} @@\n", range(line_a, count_a), range(line_b, count_b)) + body;
        line_a += count_a, line_b += count_b;
    }
    return out;
}

}  // namespace howdah::cli
