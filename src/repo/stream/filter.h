#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace howdah::repo {

/// Why a step came to its end.
enum class Flow : std::uint8_t {
    wants_input,  ///< all input is taken
    wants_room,   ///< the output is full, and more is waiting
    done,         ///< all output is written; there will be no more
};

/// Turns one stream of bytes into another in steps of any size, with bounded memory. Whoever moves
/// the bytes owns the loop, so that it can wait for a disk or a socket between two steps:
///
///     for (auto flow = Flow::wants_input; flow != Flow::done;) {
///         if (in.empty() && !last) in = ...;      // read on
///         if (out.empty()) out = ...;             // write away what is full
///         HD_TRY(flow, filter.step(in, out, last));
///     }
class Filter {
public:
    virtual ~Filter() = default;
    /// Takes bytes from the front of `in`, puts bytes at the front of `out`, and shortens both by
    /// them. `last`: nothing follows `in`. Errors: Errc::corrupt when the input is not what it
    /// should be.
    virtual Result<Flow> step(Bytes& in, MutableBytes& out, bool last) = 0;
    /// As new, with the memory that it has: for the next of many small files.
    virtual void reset() = 0;
};

/// Sees the bytes that pass a place, and changes nothing.
class Tap {
public:
    virtual ~Tap() = default;
    virtual void see(Bytes bytes) = 0;
};

/// Runs `filter` over all of `in` at once. Errors: Errc::corrupt when the output would exceed
/// `limit_bytes`, so that a small file cannot ask for all memory; what the filter answers.
Result<ByteBuffer> run(Filter& filter, Bytes in, std::size_t limit_bytes);

}  // namespace howdah::repo
