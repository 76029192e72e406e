#include "cli/main.h"

int main(int argc, char** argv) {
    return howdah::cli::main(argc, argv);
}
