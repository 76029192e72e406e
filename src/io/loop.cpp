#include "io/loop.h"

#include <boost/asio/signal_set.hpp>

namespace howdah::io {

Loop::Loop() : context_(1) {}
Loop::~Loop() = default;

Executor Loop::executor() {
    return context_.get_executor();
}

void Loop::run(Task<> task) {
    context_.restart();  // after an earlier run
    asio::co_spawn(context_, std::move(task), [this](std::exception_ptr error) {
        context_.stop();
        if (error && !is_cancellation(error)) {
            std::rethrow_exception(error);
        }
    });
    context_.run();
}

void Loop::stop() {
    context_.stop();
}

struct Signals::Impl {
    explicit Impl(Executor executor) : set(executor) {}
    asio::signal_set set;
};

Signals::Signals(Executor executor, std::initializer_list<int> numbers)
    : impl_(std::make_unique<Impl>(executor)) {
    for (const auto number : numbers) {
        impl_->set.add(number);
    }
}
Signals::~Signals() = default;

Task<Result<int>> Signals::next() {
    const auto [error, number] = co_await impl_->set.async_wait(as_result);
    if (error) {
        co_return fail(Errc::cancelled, "wait cancelled");
    }
    co_return number;
}

}  // namespace howdah::io
