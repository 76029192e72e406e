#include "repo/stream/compression.h"

#include <array>

#include "repo/stream/codecs.h"

namespace howdah::repo {
namespace {

struct Facts {
    std::string_view name;
    std::string_view extension;
    LevelRange levels;
};

// In the order of CompressType. Levels: pgBackRest's documentation of compress-level.
constexpr std::array<Facts, 5> facts{{
    {"none", "", {}},
    {"gz", ".gz", {.lowest = -1, .highest = 9, .standard = 6}},
    {"bz2", ".bz2", {.lowest = 1, .highest = 9, .standard = 9}},
    {"lz4", ".lz4", {.lowest = -5, .highest = 12, .standard = 1}},
    {"zst", ".zst", {.lowest = -7, .highest = 22, .standard = 3}},
}};

const Facts& facts_of(CompressType type) {
    return facts[static_cast<std::size_t>(type)];
}

}  // namespace

std::string_view name_of(CompressType type) {
    return facts_of(type).name;
}

std::string_view extension_of(CompressType type) {
    return facts_of(type).extension;
}

LevelRange levels_of(CompressType type) {
    return facts_of(type).levels;
}

std::optional<CompressType> compress_type(std::string_view name) {
    for (std::size_t i = 0; i < facts.size(); ++i) {
        if (facts[i].name == name) {
            return static_cast<CompressType>(i);
        }
    }
    return std::nullopt;
}

CompressType type_of_file(std::string_view file_name) {
    for (std::size_t i = 1; i < facts.size(); ++i) {
        if (file_name.ends_with(facts[i].extension)) {
            return static_cast<CompressType>(i);
        }
    }
    return CompressType::none;
}

std::unique_ptr<Filter> compressor(CompressType type, int level, bool raw) {
    switch (type) {
        case CompressType::gz:
            return gz_compressor(level, raw);
        case CompressType::bz2:
            return bz2_compressor(level);
        case CompressType::lz4:
            return lz4_compressor(level, raw);
        case CompressType::zst:
            return zst_compressor(level);
        case CompressType::none:
            break;
    }
    return nullptr;
}

std::unique_ptr<Filter> decompressor(CompressType type, bool raw) {
    switch (type) {
        case CompressType::gz:
            return gz_decompressor(raw);
        case CompressType::bz2:
            return bz2_decompressor();
        case CompressType::lz4:
            return lz4_decompressor();
        case CompressType::zst:
            return zst_decompressor();
        case CompressType::none:
            break;
    }
    return nullptr;
}

}  // namespace howdah::repo
