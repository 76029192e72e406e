#include "files/throttled_files.h"

#include <algorithm>
#include <thread>

namespace howdah::files {
namespace {

constexpr std::chrono::milliseconds burst{250};

class ThrottledSource final : public Source {
public:
    ThrottledSource(std::unique_ptr<Source> source, std::shared_ptr<Rate> rate)
        : source_(std::move(source)), rate_(std::move(rate)) {}
    Result<std::size_t> read(MutableBytes out) override {
        HD_TRY(const auto got, source_->read(out));
        rate_->wait_for(got);
        return got;
    }

private:
    std::unique_ptr<Source> source_;
    std::shared_ptr<Rate> rate_;
};

class ThrottledSink final : public Sink {
public:
    ThrottledSink(std::unique_ptr<Sink> sink, std::shared_ptr<Rate> rate)
        : sink_(std::move(sink)), rate_(std::move(rate)) {}
    Result<> write(Bytes bytes) override {
        rate_->wait_for(bytes.size());
        return sink_->write(bytes);
    }
    Result<> finish() override { return sink_->finish(); }

private:
    std::unique_ptr<Sink> sink_;
    std::shared_ptr<Rate> rate_;
};

}  // namespace

Rate::Clock::time_point Rate::book(std::uint64_t bytes, Clock::time_point now) {
    const std::scoped_lock lock(mutex_);
    const auto begin = std::max(free_at_, now - burst);
    const std::chrono::duration<double> taken(static_cast<double>(bytes) /
                                              static_cast<double>(per_second_));
    free_at_ = begin + std::chrono::duration_cast<Clock::duration>(taken);
    return free_at_;
}

void Rate::wait_for(std::uint64_t bytes) {
    if (bytes > 0) {
        std::this_thread::sleep_until(book(bytes, Clock::now()));
    }
}

Result<std::unique_ptr<Source>> ThrottledFiles::read(std::string_view path, ReadRange range) {
    HD_TRY(auto source, files_->read(path, range));
    return std::make_unique<ThrottledSource>(std::move(source), rate_);
}

Result<std::unique_ptr<Sink>> ThrottledFiles::write(std::string_view path, NameSync names,
                                                    IfTaken taken) {
    HD_TRY(auto sink, files_->write(path, names, taken));
    return std::make_unique<ThrottledSink>(std::move(sink), rate_);
}

}  // namespace howdah::files
