#include "cli/main.h"

#include <cstdio>

namespace howdah::cli {

int main(int /*argc*/, char** /*argv*/) {
    std::puts("howdah");
    return 0;
}

}  // namespace howdah::cli
