#pragma once

#include "files/files.h"
#include "repo/stream/filter.h"

namespace howdah::backup {

inline constexpr std::size_t pump_block = std::size_t{256} << 10;

template <class Write>
Result<> drain(repo::Filter& filter, Bytes& in, bool last, MutableBytes room, Write write) {
    for (auto flow = repo::Flow::wants_room; flow == repo::Flow::wants_room;) {
        auto out = room;
        HD_TRY(flow, filter.step(in, out, last));
        HD_TRY_VOID(write(Bytes(room).first(room.size() - out.size())));
    }
    return {};
}

/// All of `source` through `filter` into `write`, a function of Bytes that returns Result<>, with
/// two blocks of memory, of `size` bytes each.
template <class Write>
Result<> pump(files::Source& source, repo::Filter& filter, Write write,
              std::size_t size = pump_block) {
    ByteBuffer block(size), room(size);
    while (true) {
        HD_TRY(const auto got, source.read(block));
        auto in = Bytes(block).first(got);
        HD_TRY_VOID(drain(filter, in, got == 0, room, write));
        if (got == 0) {
            return {};
        }
    }
}

}  // namespace howdah::backup
