#include "io/readiness.h"

#include <boost/asio/posix/stream_descriptor.hpp>

namespace howdah::io {
namespace {

using Descriptor = asio::posix::stream_descriptor;

/// Gives the descriptor back unclosed, whatever ends the wait.
struct Borrowed {
    Descriptor descriptor;
    ~Borrowed() {
        if (descriptor.is_open()) {
            descriptor.release();
        }
    }
};

Task<Result<>> wait_for(int fd, Descriptor::wait_type type) {
    Borrowed borrowed{Descriptor(co_await asio::this_coro::executor)};
    boost::system::error_code ec;
    borrowed.descriptor.assign(fd, ec);
    if (ec) {
        co_return fail(Errc::io, "wait for a descriptor: " + ec.message());
    }
    std::tie(ec) = co_await borrowed.descriptor.async_wait(type, as_result);
    if (ec == asio::error::operation_aborted) {
        co_return fail(Errc::cancelled, "wait cancelled");
    }
    if (ec) {
        co_return fail(Errc::io, "wait for a descriptor: " + ec.message());
    }
    co_return Result<>{};
}

}  // namespace

Task<Result<>> wait_readable(int fd) {
    return wait_for(fd, Descriptor::wait_read);
}

Task<Result<>> wait_writable(int fd) {
    return wait_for(fd, Descriptor::wait_write);
}

}  // namespace howdah::io
