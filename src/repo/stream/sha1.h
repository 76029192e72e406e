#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

struct evp_md_ctx_st;

namespace howdah::repo {

/// A SHA-1 sum. The repository names content by it; it is no protection against forgery.
struct Sha1Digest {
    std::array<std::byte, 20> bytes{};

    /// 40 lower-case hexadecimal digits.
    std::string hex() const;
    /// nullopt unless `text` is 40 lower-case hexadecimal digits.
    static std::optional<Sha1Digest> parse(std::string_view text);
    bool operator==(const Sha1Digest&) const = default;
};

/// SHA-1 as the bytes come, by the processor's own instructions where OpenSSL finds them.
class Sha1 {
public:
    Sha1();
    void update(Bytes bytes);
    void update(std::string_view text) { update(bytes_of(text)); }
    /// The sum of all that was given; then it begins anew.
    Sha1Digest finish();

private:
    struct Free {
        void operator()(evp_md_ctx_st* context) const;
    };
    void begin();
    std::unique_ptr<evp_md_ctx_st, Free> context_;
};

Sha1Digest sha1_of(Bytes bytes);

}  // namespace howdah::repo
