#include <bzlib.h>

#include <algorithm>

#include "repo/stream/codecs.h"

namespace howdah::repo {
namespace {

template <class Work>
int lend(bz_stream& stream, Bytes& in, MutableBytes& out, Work work) {
    const auto in_size = std::min(in.size(), most_at_once);
    const auto out_size = std::min(out.size(), most_at_once);
    stream.next_in = const_cast<char*>(text_of(in).data());  // bzip2 reads only
    stream.avail_in = static_cast<unsigned>(in_size);
    stream.next_out = reinterpret_cast<char*>(out.data());
    stream.avail_out = static_cast<unsigned>(out_size);
    const int code = work(in_size == in.size());
    in = in.subspan(in_size - stream.avail_in);
    out = out.subspan(out_size - stream.avail_out);
    return code;
}

class Bz2Compressor final : public Filter {
public:
    explicit Bz2Compressor(int level) : level_(level) { begin(); }
    Bz2Compressor(const Bz2Compressor&) = delete;
    Bz2Compressor& operator=(const Bz2Compressor&) = delete;
    ~Bz2Compressor() override { BZ2_bzCompressEnd(&stream_); }

    Result<Flow> step(Bytes& in, MutableBytes& out, bool last) override {
        if (in.empty() && !last) {
            return Flow::wants_input;
        }
        const int code = lend(stream_, in, out, [&](bool all) {
            return BZ2_bzCompress(&stream_, last && all ? BZ_FINISH : BZ_RUN);
        });
        HD_CHECK(code >= 0);
        if (code == BZ_STREAM_END) {
            return Flow::done;
        }
        return out.empty() || last ? Flow::wants_room : Flow::wants_input;
    }
    void reset() override {
        BZ2_bzCompressEnd(&stream_);
        begin();
    }

private:
    void begin() {
        stream_ = {};
        HD_CHECK(BZ2_bzCompressInit(&stream_, level_, 0, 0) == BZ_OK);
    }

    int level_;
    bz_stream stream_{};
};

class Bz2Decompressor final : public Filter {
public:
    Bz2Decompressor() { begin(); }
    Bz2Decompressor(const Bz2Decompressor&) = delete;
    Bz2Decompressor& operator=(const Bz2Decompressor&) = delete;
    ~Bz2Decompressor() override { BZ2_bzDecompressEnd(&stream_); }

    Result<Flow> step(Bytes& in, MutableBytes& out, bool last) override {
        const auto before = in.size() + out.size();
        const int code = lend(stream_, in, out, [&](bool) { return BZ2_bzDecompress(&stream_); });
        if (code == BZ_STREAM_END) {
            return Flow::done;
        }
        if (code != BZ_OK) {
            return damaged("bz2", "no bzip2 stream, or a wrong sum");
        }
        return not_done("bz2", in.size() + out.size() == before, in, out, last);
    }
    void reset() override {
        BZ2_bzDecompressEnd(&stream_);
        begin();
    }

private:
    void begin() {
        stream_ = {};
        HD_CHECK(BZ2_bzDecompressInit(&stream_, 0, 0) == BZ_OK);
    }

    bz_stream stream_{};
};

}  // namespace

std::unique_ptr<Filter> bz2_compressor(int level) {
    return std::make_unique<Bz2Compressor>(level);
}

std::unique_ptr<Filter> bz2_decompressor() {
    return std::make_unique<Bz2Decompressor>();
}

}  // namespace howdah::repo
