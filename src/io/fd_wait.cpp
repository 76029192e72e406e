#include "io/fd_wait.h"

#include <fcntl.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstring>

namespace howdah::io {

Task<Result<>> wait_for(int fd, Ready what) {
    const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0) {
        co_return fail(Errc::io, std::string("cannot watch a descriptor: ") + std::strerror(errno));
    }
    asio::posix::stream_descriptor descriptor(co_await asio::this_coro::executor, own);
    const auto kind = what == Ready::readable ? asio::posix::stream_descriptor::wait_read
                                              : asio::posix::stream_descriptor::wait_write;
    const auto [error] = co_await descriptor.async_wait(kind, as_result);
    if (error == asio::error::operation_aborted) {
        co_return fail(Errc::cancelled, "wait cancelled");
    }
    if (error) {
        co_return fail(Errc::io, error.message());
    }
    co_return Result<>{};
}

}  // namespace howdah::io
