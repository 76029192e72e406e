#include "cli/ask.h"

#include <iostream>

#include "config/quantity.h"

namespace howdah::cli {

namespace {

Result<std::string> line_from(std::istream& in) {
    std::string line;
    return std::getline(in, line) ? Result<std::string>(line) : fail(Errc::cancelled, "Aborted!");
}

}  // namespace

Result<std::string> ask(const std::string& question, std::istream& in, std::ostream& out) {
    out << question << ": " << std::flush;
    return line_from(in);
}

Result<bool> confirm(const std::string& question, std::istream& in, std::ostream& out) {
    while (true) {
        out << question << " [y/N]: " << std::flush;
        HD_TRY(const auto line, line_from(in));
        const auto word = config::lower_case(line);
        if (word == "y" || word == "yes") {
            return true;
        }
        if (word.empty() || word == "n" || word == "no") {
            return false;
        }
        out << "Error: invalid input\n";
    }
}

}  // namespace howdah::cli
