#include "backup/unpacked_source.h"

#include <fmt/format.h>

namespace howdah::backup {

Result<std::size_t> UnpackedSource::read(MutableBytes out) {
    auto room = out;
    while (room.size() == out.size() && !done_) {
        if (waiting_.empty() && !ended_) {
            HD_TRY(const auto got, stored_->read(block_));
            waiting_ = Bytes(block_).first(got);
            ended_ = got == 0;
        }
        HD_TRY(const auto flow, pipeline_.step(waiting_, room, ended_));
        done_ = flow == repo::Flow::done;
    }
    if (done_ && expected_) {
        const auto sum = sum_.finish();
        if (sum != *std::exchange(expected_, std::nullopt)) {
            return fail(Errc::corrupt, fmt::format("its content has SHA-1 {}", sum.hex()));
        }
    }
    return out.size() - room.size();
}

}  // namespace howdah::backup
