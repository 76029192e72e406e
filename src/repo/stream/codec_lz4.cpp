#include <lz4frame.h>

#include <algorithm>
#include <cstring>

#include "repo/stream/codecs.h"

namespace howdah::repo {
namespace {

// LZ4 wants room for the worst case before it takes a piece: pieces are small enough to keep that
// small.
constexpr std::size_t piece_size = 64U << 10;

class Lz4Compressor final : public Filter {
public:
    Lz4Compressor(int level, bool raw) {
        HD_CHECK(!LZ4F_isError(LZ4F_createCompressionContext(&context_, LZ4F_VERSION)));
        preferences_.compressionLevel = level;
        preferences_.frameInfo.contentChecksumFlag =
            raw ? LZ4F_noContentChecksum : LZ4F_contentChecksumEnabled;
        waiting_.resize(LZ4F_compressBound(piece_size, &preferences_));
    }
    Lz4Compressor(const Lz4Compressor&) = delete;
    Lz4Compressor& operator=(const Lz4Compressor&) = delete;
    ~Lz4Compressor() override { LZ4F_freeCompressionContext(context_); }

    Result<Flow> step(Bytes& in, MutableBytes& out, bool last) override {
        for (;;) {
            give(out);
            if (begin_ != end_) {
                return Flow::wants_room;
            }
            if (ended_) {
                return Flow::done;
            }
            if (begun_ && in.empty() && !last) {
                return Flow::wants_input;
            }
            work(in, out, last);
        }
    }
    void reset() override {
        begin_ = end_ = 0;
        begun_ = ended_ = false;
    }

private:
    void give(MutableBytes& out) {
        const auto size = std::min(end_ - begin_, out.size());
        if (size > 0) {
            std::memcpy(out.data(), waiting_.data() + begin_, size);
            out = out.subspan(size);
            begin_ += size;
        }
    }

    /// One piece, straight into `out` where the worst case fits.
    void work(Bytes& in, MutableBytes& out, bool last) {
        const bool direct = out.size() >= waiting_.size();
        const auto room = direct ? out : MutableBytes(waiting_);
        const auto written = write_piece(in, room, last);
        HD_CHECK(!LZ4F_isError(written));
        if (direct) {
            out = out.subspan(written);
        } else {
            begin_ = 0;
            end_ = written;
        }
    }

    std::size_t write_piece(Bytes& in, MutableBytes room, bool last) {
        if (!begun_) {
            begun_ = true;
            return LZ4F_compressBegin(context_, room.data(), room.size(), &preferences_);
        }
        if (in.empty() && last) {
            ended_ = true;
            return LZ4F_compressEnd(context_, room.data(), room.size(), nullptr);
        }
        const auto piece = in.first(std::min(in.size(), piece_size));
        in = in.subspan(piece.size());
        return LZ4F_compressUpdate(context_, room.data(), room.size(), piece.data(), piece.size(),
                                   nullptr);
    }

    LZ4F_cctx* context_ = nullptr;
    LZ4F_preferences_t preferences_{};
    ByteBuffer waiting_{};
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    bool begun_ = false;
    bool ended_ = false;
};

class Lz4Decompressor final : public Filter {
public:
    Lz4Decompressor() {
        HD_CHECK(!LZ4F_isError(LZ4F_createDecompressionContext(&context_, LZ4F_VERSION)));
    }
    Lz4Decompressor(const Lz4Decompressor&) = delete;
    Lz4Decompressor& operator=(const Lz4Decompressor&) = delete;
    ~Lz4Decompressor() override { LZ4F_freeDecompressionContext(context_); }

    Result<Flow> step(Bytes& in, MutableBytes& out, bool last) override {
        auto taken = in.size();
        auto given = out.size();
        const auto left = LZ4F_decompress(context_, out.data(), &given, in.data(), &taken, nullptr);
        if (LZ4F_isError(left)) {
            return damaged("lz4", LZ4F_getErrorName(left));
        }
        in = in.subspan(taken);
        out = out.subspan(given);
        if (left == 0) {
            return Flow::done;
        }
        return not_done("lz4", taken + given == 0, in, out, last);
    }
    void reset() override { LZ4F_resetDecompressionContext(context_); }

private:
    LZ4F_dctx* context_ = nullptr;
};

}  // namespace

std::unique_ptr<Filter> lz4_compressor(int level, bool raw) {
    return std::make_unique<Lz4Compressor>(level, raw);
}

std::unique_ptr<Filter> lz4_decompressor() {
    return std::make_unique<Lz4Decompressor>();
}

}  // namespace howdah::repo
