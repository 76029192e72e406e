#pragma once

namespace howdah::cli {

/// Parses the command line, runs one verb, turns its Result into text and exit code.
int main(int argc, char** argv);

}  // namespace howdah::cli
