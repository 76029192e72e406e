#pragma once

#include <memory>
#include <string_view>

#include "repo/stream/filter.h"

/// The four libraries behind compression.h.
namespace howdah::repo {

std::unique_ptr<Filter> gz_compressor(int level, bool raw);
std::unique_ptr<Filter> gz_decompressor(bool raw);
std::unique_ptr<Filter> bz2_compressor(int level);
std::unique_ptr<Filter> bz2_decompressor();
std::unique_ptr<Filter> lz4_compressor(int level, bool raw);
std::unique_ptr<Filter> lz4_decompressor();
std::unique_ptr<Filter> zst_compressor(int level);
std::unique_ptr<Filter> zst_decompressor();

/// What zlib and bzip2 count in.
inline constexpr std::size_t most_at_once = 1U << 30;

inline std::unexpected<Error> damaged(std::string_view format, std::string_view why) {
    return fail(Errc::corrupt, std::string(format) + " data are damaged: " + std::string(why));
}

/// How a decoder's step ended that did not reach the end. Errors: the input ended too soon.
inline Result<Flow> not_done(std::string_view format, bool stuck, Bytes in, MutableBytes out,
                             bool last) {
    if (out.empty()) {
        return Flow::wants_room;
    }
    if (last && in.empty() && stuck) {
        return damaged(format, "they end too soon");
    }
    return in.empty() ? Flow::wants_input : Flow::wants_room;
}

}  // namespace howdah::repo
