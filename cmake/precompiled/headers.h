// What most files include, and the parts of it that cost a compiler most. Precompiled for every
// file of the house (cmake/precompiled.cmake); no file may rely on it. HOWDAH_PURE: for layers that
// may not see io.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

// What they share is compiled once, in templates.cpp: without `noinline` the optimizer would look
// at all of it again in every file.
#pragma clang attribute push(__attribute__((noinline)), apply_to = function)
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>
#pragma clang attribute pop

#define HOWDAH_TEMPLATE extern template
#include "templates.h"
#undef HOWDAH_TEMPLATE

#ifndef HOWDAH_PURE
#include "io/task.h"
#endif
