#pragma once

#include <cstddef>
#include <cstdint>

#include "proxy/session.h"

namespace howdah::proxy {

/// Reads from `from` and writes to `to` until a socket would block, `from` ends or `budget` bytes
/// have been moved; the end of `from` is passed on as a half-close. Returns the bytes moved. What
/// can't be written now stays in `parcel`, and nothing more is read meanwhile: that is the
/// back-pressure.
std::size_t flow(Side& from, Side& to, Parcel& parcel, BufferPool& pool, std::size_t budget);

/// `from` can be read and `to` written: another call would move something.
bool could_flow(const Side& from, const Side& to, const Parcel& parcel);

}  // namespace howdah::proxy
