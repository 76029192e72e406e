#include <zstd.h>

#include "repo/stream/codecs.h"

namespace howdah::repo {
namespace {

class ZstCompressor final : public Filter {
public:
    explicit ZstCompressor(int level) : context_(ZSTD_createCCtx()) {
        HD_CHECK(context_ != nullptr);
        HD_CHECK(!ZSTD_isError(ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, level)));
    }
    ZstCompressor(const ZstCompressor&) = delete;
    ZstCompressor& operator=(const ZstCompressor&) = delete;
    ~ZstCompressor() override { ZSTD_freeCCtx(context_); }

    Result<Flow> step(Bytes& in, MutableBytes& out, bool last) override {
        ZSTD_inBuffer source{in.data(), in.size(), 0};
        ZSTD_outBuffer room{out.data(), out.size(), 0};
        const auto left =
            ZSTD_compressStream2(context_, &room, &source, last ? ZSTD_e_end : ZSTD_e_continue);
        HD_CHECK(!ZSTD_isError(left));
        in = in.subspan(source.pos);
        out = out.subspan(room.pos);
        if (last && left == 0) {
            return Flow::done;
        }
        return out.empty() || last ? Flow::wants_room : Flow::wants_input;
    }
    void reset() override { ZSTD_CCtx_reset(context_, ZSTD_reset_session_only); }

private:
    ZSTD_CCtx* context_;
};

class ZstDecompressor final : public Filter {
public:
    ZstDecompressor() : context_(ZSTD_createDCtx()) { HD_CHECK(context_ != nullptr); }
    ZstDecompressor(const ZstDecompressor&) = delete;
    ZstDecompressor& operator=(const ZstDecompressor&) = delete;
    ~ZstDecompressor() override { ZSTD_freeDCtx(context_); }

    Result<Flow> step(Bytes& in, MutableBytes& out, bool last) override {
        ZSTD_inBuffer source{in.data(), in.size(), 0};
        ZSTD_outBuffer room{out.data(), out.size(), 0};
        const auto left = ZSTD_decompressStream(context_, &room, &source);
        if (ZSTD_isError(left)) {
            return damaged("zst", ZSTD_getErrorName(left));
        }
        in = in.subspan(source.pos);
        out = out.subspan(room.pos);
        if (left == 0) {
            return Flow::done;
        }
        return not_done("zst", source.pos + room.pos == 0, in, out, last);
    }
    void reset() override { ZSTD_DCtx_reset(context_, ZSTD_reset_session_only); }

private:
    ZSTD_DCtx* context_;
};

}  // namespace

std::unique_ptr<Filter> zst_compressor(int level) {
    return std::make_unique<ZstCompressor>(level);
}

std::unique_ptr<Filter> zst_decompressor() {
    return std::make_unique<ZstDecompressor>();
}

}  // namespace howdah::repo
