#pragma once

#include "base/instant.h"
#include "base/result.h"
#include "proxy/address.h"
#include "proxy/fd.h"

namespace howdah::proxy {

/// CLOCK_BOOTTIME, as io::SystemClock reads it.
Instant boot_time();
/// CLOCK_REALTIME, since 1970.
std::int64_t wall_nanos();

/// A listening socket whose connections inherit TCP_NODELAY, keepalive and TCP_USER_TIMEOUT
/// (Linux). Errors: Errc::io, with the address and what to do.
Result<Fd> open_listener(const Address& address);
/// Begins a non-blocking connection. Errors: Errc::unavailable.
Result<Fd> begin_connect(const Address& address);
/// What became of it: 0 or errno.
int connect_error(int fd);
/// Makes the close that follows a reset: nothing more is sent, the peer learns at once.
void reset_on_close(int fd);

}  // namespace howdah::proxy
