#include "base/result.h"

#include <cstdio>
#include <cstdlib>

namespace howdah {

void check_failed(const char* file, int line, const char* what) {
    std::fprintf(stderr, "howdah: broken promise of its own code: %s (%s:%d)\n", what, file, line);
    std::abort();
}

}  // namespace howdah
