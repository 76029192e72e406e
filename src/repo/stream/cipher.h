#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "repo/stream/filter.h"

/// AES-256-CBC as `openssl enc -aes-256-cbc -md sha1` writes it: "Salted__", 8 bytes of salt, the
/// ciphertext with PKCS#7 padding. The raw form is the same without the magic word.
namespace howdah::repo {

using Salt = std::array<std::byte, 8>;
/// Gives a fresh salt for each file. Random numbers are no function, so they come from outside.
using SaltSource = std::function<Salt()>;

/// `pass` is used as the bytes of its text, also where it looks like base64.
std::unique_ptr<Filter> encryptor(std::string_view pass, SaltSource salt, bool raw);
/// Errors of its steps: Errc::corrupt for a wrong pass phrase or damaged data, which look alike.
std::unique_ptr<Filter> decryptor(std::string_view pass, bool raw);

/// A new pass phrase as pgBackRest makes them: 48 random bytes in base64.
std::string pass_phrase(const std::array<std::byte, 48>& random);

}  // namespace howdah::repo
