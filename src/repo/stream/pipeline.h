#pragma once

#include <memory>
#include <vector>

#include "repo/stream/filter.h"
#include "repo/stream/sha1.h"

namespace howdah::repo {

/// Filters in a row, and taps between them; itself a filter. Holds 64 KiB between two filters, and
/// nothing else but what the filters hold.
class Pipeline final : public Filter {
public:
    /// Sees what passes behind the filters added so far. `tap` must outlive the pipeline.
    Pipeline& tap(Tap& tap);
    Pipeline& then(std::unique_ptr<Filter> filter);

    /// It is done when every filter is. Errors: Errc::corrupt, also when data follow the end.
    Result<Flow> step(Bytes& in, MutableBytes& out, bool last) override;
    /// Taps are not reset: they are their owner's.
    void reset() override;

private:
    struct Stage {
        std::unique_ptr<Filter> filter{};
        ByteBuffer buffer{};  ///< its output; empty for the last one
        std::size_t begin = 0;
        std::size_t end = 0;
        Flow flow = Flow::wants_input;
    };

    Result<bool> advance(std::size_t at, Bytes& in, MutableBytes& out, bool last);
    Result<bool> advance_stage(Stage& stage, Bytes& source, MutableBytes& room, bool last);
    Flow copy(Bytes& in, MutableBytes& out, bool last);
    void show(std::size_t place, Bytes bytes);

    std::vector<Stage> stages_{};
    std::vector<std::vector<Tap*>> taps_ = std::vector<std::vector<Tap*>>(1);
};

/// A tap that counts and sums.
class SumTap final : public Tap {
public:
    void see(Bytes bytes) override {
        sum_.update(bytes);
        size_ += bytes.size();
    }
    std::uint64_t size() const { return size_; }
    /// Of all since the last call; the size begins anew, too.
    Sha1Digest finish() {
        size_ = 0;
        return sum_.finish();
    }

private:
    Sha1 sum_{};
    std::uint64_t size_ = 0;
};

}  // namespace howdah::repo
