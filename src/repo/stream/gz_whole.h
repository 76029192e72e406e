#pragma once

#include "base/bytes.h"

/// gzip files of what lies in memory as a whole, by libdeflate: three to five times as fast as
/// the stream in compression.h, which reads them. There is no way back beside it: a fresh buffer
/// for the original costs more than libdeflate saves on a file.
namespace howdah::repo {

/// How much room the gzip file of an original of that size may need.
std::size_t gz_bound(std::size_t original_size);
/// Writes the gzip file to the front of `room`, which has gz_bound(original.size()) bytes; returns
/// it. `level`: one of levels_of(CompressType::gz).
Bytes gz_pack(Bytes original, int level, MutableBytes room);

}  // namespace howdah::repo
