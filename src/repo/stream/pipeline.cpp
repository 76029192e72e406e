#include "repo/stream/pipeline.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace howdah::repo {
namespace {

constexpr std::size_t buffer_size = 64U << 10;

}  // namespace

Pipeline& Pipeline::tap(Tap& tap) {
    taps_.back().push_back(&tap);
    return *this;
}

Pipeline& Pipeline::then(std::unique_ptr<Filter> filter) {
    if (!stages_.empty()) {
        stages_.back().buffer.resize(buffer_size);
    }
    stages_.push_back(Stage{.filter = std::move(filter)});
    taps_.emplace_back();
    return *this;
}

void Pipeline::reset() {
    for (auto& stage : stages_) {
        stage.filter->reset();
        stage.begin = stage.end = 0;
        stage.flow = Flow::wants_input;
    }
}

void Pipeline::show(std::size_t place, Bytes bytes) {
    if (bytes.empty()) {
        return;
    }
    for (auto* const tap : taps_[place]) {
        tap->see(bytes);
    }
}

Flow Pipeline::copy(Bytes& in, MutableBytes& out, bool last) {
    const auto size = std::min(in.size(), out.size());
    if (size > 0) {
        show(0, in.first(size));
        std::memcpy(out.data(), in.data(), size);
        in = in.subspan(size);
        out = out.subspan(size);
    }
    if (!in.empty()) {
        return Flow::wants_room;
    }
    return last ? Flow::done : Flow::wants_input;
}

Result<Flow> Pipeline::step(Bytes& in, MutableBytes& out, bool last) {
    if (stages_.empty()) {
        return copy(in, out, last);
    }
    for (bool moved = true; moved;) {
        moved = false;
        for (std::size_t at = 0; at < stages_.size(); ++at) {
            HD_TRY(const bool any, advance(at, in, out, last));
            moved = moved || any;
        }
    }
    const auto is_done = [](const Stage& stage) { return stage.flow == Flow::done; };
    if (std::ranges::all_of(stages_, is_done)) {
        return Flow::done;
    }
    return out.empty() ? Flow::wants_room : Flow::wants_input;
}

Result<bool> Pipeline::advance(std::size_t at, Bytes& in, MutableBytes& out, bool last) {
    auto& stage = stages_[at];
    auto* const before = at == 0 ? nullptr : &stages_[at - 1];
    Bytes source =
        before ? Bytes(before->buffer).subspan(before->begin, before->end - before->begin) : in;
    const bool source_last = before ? before->flow == Flow::done : last;
    if (stage.begin == stage.end) {
        stage.begin = stage.end = 0;
    }
    const bool final_stage = at + 1 == stages_.size();
    MutableBytes room = final_stage ? out : MutableBytes(stage.buffer).subspan(stage.end);
    const auto was_source = source;
    const auto was_room = room;
    HD_TRY(const bool moved, advance_stage(stage, source, room, source_last));
    if (at == 0) {
        show(0, was_source.first(was_source.size() - source.size()));
        in = source;
    } else {
        before->begin = before->end - source.size();
    }
    show(at + 1, was_room.first(was_room.size() - room.size()));
    if (final_stage) {
        out = room;
    } else {
        stage.end = stage.buffer.size() - room.size();
    }
    return moved;
}

Result<bool> Pipeline::advance_stage(Stage& stage, Bytes& source, MutableBytes& room, bool last) {
    if (stage.flow == Flow::done) {
        if (!source.empty()) {
            return fail(Errc::corrupt, "data follow the end");
        }
        return false;
    }
    const bool due = !source.empty() || last || stage.flow == Flow::wants_room;
    if (!due || room.empty()) {
        return false;
    }
    const auto before = source.size() + room.size();
    HD_TRY(stage.flow, stage.filter->step(source, room, last));
    return stage.flow == Flow::done || source.size() + room.size() != before;
}

}  // namespace howdah::repo
