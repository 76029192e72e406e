#include "instance/local/timeline_history.h"

#include <sstream>

namespace howdah::instance {

std::vector<Branch> parse_history(const std::string& text) {
    std::vector<Branch> branches;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        Branch branch;
        std::string lsn;
        if (words >> branch.timeline >> lsn) {
            branch.end = pg::Lsn::parse(lsn).value_or(pg::Lsn{});
            branches.push_back(branch);
        }
    }
    return branches;
}

}  // namespace howdah::instance
