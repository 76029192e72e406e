#include "repo/stream/filter.h"

#include <fmt/format.h>

#include <algorithm>

namespace howdah::repo {

Result<ByteBuffer> run(Filter& filter, Bytes in, std::size_t limit_bytes) {
    constexpr std::size_t first_guess = 1U << 16;
    ByteBuffer buffer(std::min(std::max(in.size(), std::size_t{64}), first_guess));
    std::size_t used = 0;
    for (;;) {
        auto out = MutableBytes(buffer).subspan(used);
        HD_TRY(const auto flow, filter.step(in, out, true));
        used = buffer.size() - out.size();
        if (used > limit_bytes) {
            return fail(Errc::corrupt, fmt::format("holds more than {} bytes", limit_bytes));
        }
        if (flow == Flow::done) {
            buffer.resize(used);
            return buffer;
        }
        if (out.empty()) {
            buffer.resize(buffer.size() * 2);
        }
    }
}

}  // namespace howdah::repo
