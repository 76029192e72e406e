#include "repo/stream/cipher.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "base/base64.h"

namespace howdah::repo {
namespace {

constexpr std::string_view magic = "Salted__";
constexpr std::size_t block_size = 16;
// One call of OpenSSL counts in int; a piece may give one block more than it takes.
constexpr std::size_t piece_size = 64U << 10;

struct Free {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

const EVP_CIPHER* algorithm() {
    static const EVP_CIPHER* const aes = EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr);
    HD_CHECK(aes != nullptr);
    return aes;
}

enum class Direction : std::uint8_t { decrypt, encrypt };

/// The ciphertext itself, without its header.
class Aes {
public:
    explicit Aes(Direction direction) : direction_(direction), context_(EVP_CIPHER_CTX_new()) {
        HD_CHECK(context_ != nullptr);
    }

    void begin(std::string_view pass, const Salt& salt) {
        std::array<unsigned char, 32> key{};
        std::array<unsigned char, block_size> iv{};
        HD_CHECK(EVP_BytesToKey(algorithm(), EVP_sha1(), octets(Bytes(salt)),
                                octets(bytes_of(pass)), static_cast<int>(pass.size()), 1,
                                key.data(), iv.data()) == static_cast<int>(key.size()));
        HD_CHECK(EVP_CipherInit_ex(context_.get(), algorithm(), nullptr, key.data(), iv.data(),
                                   direction_ == Direction::encrypt ? 1 : 0) == 1);
    }
    /// `room` is a block larger than `in`. Returns how much was written.
    std::size_t update(Bytes in, MutableBytes room) {
        int size = 0;
        HD_CHECK(EVP_CipherUpdate(context_.get(), octets(room), &size, octets(in),
                                  static_cast<int>(in.size())) == 1);
        return static_cast<std::size_t>(size);
    }
    /// nullopt: the padding is wrong.
    std::optional<std::size_t> finish(MutableBytes room) {
        int size = 0;
        if (EVP_CipherFinal_ex(context_.get(), octets(room), &size) != 1) {
            return std::nullopt;
        }
        return static_cast<std::size_t>(size);
    }

private:
    Direction direction_;
    std::unique_ptr<EVP_CIPHER_CTX, Free> context_;
};

/// What both directions share: output that waits for room.
class Cipher : public Filter {
public:
    Cipher(std::string_view pass, Direction direction) : pass_(pass), aes_(direction) {}

protected:
    void give(MutableBytes& out) {
        const auto size = std::min(end_ - begin_, out.size());
        if (size > 0) {
            std::memcpy(out.data(), waiting_.data() + begin_, size);
            out = out.subspan(size);
            begin_ += size;
        }
    }
    bool waits() const { return begin_ != end_; }
    void await(std::size_t size) {
        begin_ = 0;
        end_ = size;
    }
    /// A piece, straight into `out` if it has room for more than a few blocks.
    void work(Bytes& in, MutableBytes& out) {
        const bool direct = out.size() > waiting_.size();
        const auto room = direct ? out : MutableBytes(waiting_);
        const auto piece = in.first(std::min({in.size(), room.size() - block_size, piece_size}));
        const auto size = aes_.update(piece, room);
        in = in.subspan(piece.size());
        if (direct) {
            out = out.subspan(size);
        } else {
            await(size);
        }
    }

    std::string pass_;
    Aes aes_;
    std::array<std::byte, 4 * block_size> waiting_{};
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    bool begun_ = false;
    bool ended_ = false;
};

class Encryptor final : public Cipher {
public:
    Encryptor(std::string_view pass, SaltSource salt, bool raw)
        : Cipher(pass, Direction::encrypt), salt_(std::move(salt)), raw_(raw) {}

    Result<Flow> step(Bytes& in, MutableBytes& out, bool last) override {
        for (;;) {
            give(out);
            if (waits()) {
                return Flow::wants_room;
            }
            if (ended_) {
                return Flow::done;
            }
            if (!begun_) {
                begin();
            } else if (!in.empty()) {
                work(in, out);
            } else if (last) {
                const auto size = aes_.finish(waiting_);
                HD_CHECK(size.has_value());
                await(*size);
                ended_ = true;
            } else {
                return Flow::wants_input;
            }
        }
    }
    void reset() override {
        await(0);
        begun_ = ended_ = false;
    }

private:
    void begin() {
        const auto salt = salt_();
        aes_.begin(pass_, salt);
        auto* place = waiting_.data();
        if (!raw_) {
            place = std::ranges::copy(bytes_of(magic), place).out;
        }
        place = std::ranges::copy(salt, place).out;
        await(static_cast<std::size_t>(place - waiting_.data()));
        begun_ = true;
    }

    SaltSource salt_;
    bool raw_;
};

class Decryptor final : public Cipher {
public:
    Decryptor(std::string_view pass, bool raw)
        : Cipher(pass, Direction::decrypt),
          header_size_((raw ? 0 : magic.size()) + Salt{}.size()) {}

    Result<Flow> step(Bytes& in, MutableBytes& out, bool last) override {
        for (;;) {
            give(out);
            if (waits()) {
                return Flow::wants_room;
            }
            if (ended_) {
                return Flow::done;
            }
            if (in.empty() && !last) {
                return Flow::wants_input;
            }
            if (!begun_) {
                HD_TRY_VOID(read_header(in));
            } else if (!in.empty()) {
                work(in, out);
            } else {
                HD_TRY_VOID(finish());
            }
        }
    }
    void reset() override {
        await(0);
        header_ = {};
        header_read_ = 0;
        begun_ = ended_ = false;
    }

private:
    static std::unexpected<Error> wrong(std::string_view why) {
        return fail(Errc::corrupt, "cannot decrypt: " + std::string(why),
                    "is it the right pass phrase (repo-cipher-pass), and the file complete?");
    }

    Result<> read_header(Bytes& in) {
        if (in.empty()) {
            return wrong("the data end too soon");
        }
        const auto piece = in.first(std::min(in.size(), header_size_ - header_read_));
        std::ranges::copy(piece, header_.begin() + static_cast<std::ptrdiff_t>(header_read_));
        header_read_ += piece.size();
        in = in.subspan(piece.size());
        if (header_read_ < header_size_) {
            return {};
        }
        const auto header = Bytes(header_).first(header_size_);
        Salt salt;
        std::ranges::copy(header.last(salt.size()), salt.begin());
        if (!magic.starts_with(text_of(header.first(header_size_ - salt.size())))) {
            return wrong("it does not begin as encrypted data do");
        }
        aes_.begin(pass_, salt);
        begun_ = true;
        return {};
    }

    Result<> finish() {
        const auto size = aes_.finish(waiting_);
        if (!size) {
            return wrong("wrong pass phrase, or damaged data");
        }
        await(*size);
        ended_ = true;
        return {};
    }

    std::size_t header_size_;
    std::array<std::byte, 16> header_{};
    std::size_t header_read_ = 0;
};

}  // namespace

std::unique_ptr<Filter> encryptor(std::string_view pass, SaltSource salt, bool raw) {
    return std::make_unique<Encryptor>(pass, std::move(salt), raw);
}

std::unique_ptr<Filter> decryptor(std::string_view pass, bool raw) {
    return std::make_unique<Decryptor>(pass, raw);
}

std::string pass_phrase(const std::array<std::byte, 48>& random) {
    return to_base64(text_of(random));
}

}  // namespace howdah::repo
