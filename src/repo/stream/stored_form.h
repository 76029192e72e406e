#pragma once

#include <string>

#include "repo/stream/cipher.h"
#include "repo/stream/compression.h"
#include "repo/stream/pipeline.h"

namespace howdah::repo {

/// How bytes stand in a repository: compressed, then encrypted.
struct StoredForm {
    CompressType compress = CompressType::none;
    int level = 0;              ///< matters to writers only
    std::string cipher_pass{};  ///< empty: not encrypted
    bool raw = false;           ///< of bundles that say so, of super blocks and block maps
};

/// From original bytes to stored ones. `salt` is called once a file if it is encrypted.
/// Taps: `original` sees what goes in, `stored` what comes out; either may be null.
Pipeline writer_of(const StoredForm& form, SaltSource salt, Tap* original, Tap* stored);
/// The way back; the same taps see the same bytes.
Pipeline reader_of(const StoredForm& form, Tap* original, Tap* stored);

/// A small file at once, as archive.info. Errors: those of the filters, and Errc::corrupt above
/// `limit_bytes`.
Result<ByteBuffer> unpack(const StoredForm& form, Bytes stored, std::size_t limit_bytes);
ByteBuffer pack(const StoredForm& form, Bytes original, SaltSource salt);

}  // namespace howdah::repo
