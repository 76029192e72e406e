#include "proxy/flow.h"

#include <sys/socket.h>

#include <cerrno>

namespace howdah::proxy {
namespace {

bool would_block(int error) {
    return error == EAGAIN || error == EWOULDBLOCK;
}

/// False when nothing could be read now.
bool fill(Side& from, Parcel& parcel) {
    const auto n = recv(from.fd.get(), parcel.buffer->data(), parcel.buffer->size(), 0);
    if (n > 0) {
        parcel.begin = 0;
        parcel.end = static_cast<std::size_t>(n);
        // A short read has emptied the socket: what comes later makes a new edge (epoll(7)). An end
        // that has been announced makes none.
        from.readable = parcel.end == parcel.buffer->size() || from.hung_up;
        return true;
    }
    if (n < 0 && errno == EINTR) {
        return true;
    }
    from.readable = false;
    if (n == 0) {
        from.ended = true;
    } else if (!would_block(errno)) {
        from.ended = from.hung_up = true;
    }
    return false;
}

/// False when nothing could be written now.
bool drain(Side& to, Parcel& parcel, std::size_t& moved) {
    const auto n = send(to.fd.get(), parcel.buffer->data() + parcel.begin,
                        parcel.end - parcel.begin, MSG_NOSIGNAL);
    if (n >= 0) {
        parcel.begin += static_cast<std::size_t>(n);
        moved += static_cast<std::size_t>(n);
        return true;
    }
    if (errno == EINTR) {
        return true;
    }
    to.writable = false;
    if (!would_block(errno)) {
        to.hung_up = to.readable = to.shut = true;
        parcel.begin = parcel.end = 0;
    }
    return false;
}

}  // namespace

bool could_flow(const Side& from, const Side& to, const Parcel& parcel) {
    return parcel.empty() ? from.readable && !from.ended : to.writable;
}

std::size_t flow(Side& from, Side& to, Parcel& parcel, BufferPool& pool, std::size_t budget) {
    std::size_t moved = 0;
    std::size_t dropped = 0;
    while (moved + dropped < budget && could_flow(from, to, parcel)) {
        if (!parcel.buffer) {
            parcel.buffer = pool.take();
        }
        if (parcel.empty() ? !fill(from, parcel) : !drain(to, parcel, moved)) {
            break;
        }
        if (to.shut) {  // nobody listens any more; yet the end of `from` must be seen
            dropped += parcel.end - parcel.begin;
            parcel.begin = parcel.end = 0;
        }
    }
    if (parcel.empty()) {
        pool.give_back(std::move(parcel.buffer));
        parcel.begin = parcel.end = 0;
        if (from.ended && !to.shut) {
            (void)shutdown(to.fd.get(), SHUT_WR);
            to.shut = true;
        }
    }
    return moved;
}

}  // namespace howdah::proxy
