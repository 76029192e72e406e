// Compiled once for all files that see these libraries as headers.h shows them.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#define HOWDAH_TEMPLATE template
#include "templates.h"
