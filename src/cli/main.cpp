#include "cli/main.h"

#include <cstdio>
#include <string_view>

#include "fencer/fencer.h"

namespace howdah::cli {

int main(int argc, char** argv) {
    if (argc > 1 && std::string_view(argv[1]) == "fencer") {
        return fencer::run(argc, argv);
    }
    std::puts("howdah");
    return 0;
}

}  // namespace howdah::cli
