#include <zlib.h>

#include <algorithm>

#include "repo/stream/codecs.h"

namespace howdah::repo {
namespace {

constexpr int zlib_window = 15;
constexpr int gzip_window = 15 + 16;
constexpr int memory_level = 9;

/// Lends both spans to zlib for one call of `work`, and takes back what is left.
template <class Work>
int lend(z_stream& stream, Bytes& in, MutableBytes& out, Work work) {
    const auto in_size = std::min(in.size(), most_at_once);
    const auto out_size = std::min(out.size(), most_at_once);
    stream.next_in = const_cast<Bytef*>(octets(in));  // zlib reads only
    stream.avail_in = static_cast<uInt>(in_size);
    stream.next_out = octets(out);
    stream.avail_out = static_cast<uInt>(out_size);
    const int code = work(in_size == in.size());
    in = in.subspan(in_size - stream.avail_in);
    out = out.subspan(out_size - stream.avail_out);
    return code;
}

class GzCompressor final : public Filter {
public:
    GzCompressor(int level, bool raw) {
        HD_CHECK(deflateInit2(&stream_, level, Z_DEFLATED, raw ? zlib_window : gzip_window,
                              memory_level, Z_DEFAULT_STRATEGY) == Z_OK);
    }
    GzCompressor(const GzCompressor&) = delete;
    GzCompressor& operator=(const GzCompressor&) = delete;
    ~GzCompressor() override { deflateEnd(&stream_); }

    Result<Flow> step(Bytes& in, MutableBytes& out, bool last) override {
        const int code = lend(stream_, in, out, [&](bool all) {
            return deflate(&stream_, last && all ? Z_FINISH : Z_NO_FLUSH);
        });
        HD_CHECK(code != Z_STREAM_ERROR);
        if (code == Z_STREAM_END) {
            return Flow::done;
        }
        return out.empty() || last ? Flow::wants_room : Flow::wants_input;
    }
    void reset() override { deflateReset(&stream_); }

private:
    z_stream stream_{};
};

class GzDecompressor final : public Filter {
public:
    explicit GzDecompressor(bool raw) {
        HD_CHECK(inflateInit2(&stream_, raw ? zlib_window : gzip_window) == Z_OK);
    }
    GzDecompressor(const GzDecompressor&) = delete;
    GzDecompressor& operator=(const GzDecompressor&) = delete;
    ~GzDecompressor() override { inflateEnd(&stream_); }

    Result<Flow> step(Bytes& in, MutableBytes& out, bool last) override {
        const auto before = in.size() + out.size();
        const int code =
            lend(stream_, in, out, [&](bool) { return inflate(&stream_, Z_NO_FLUSH); });
        if (code == Z_STREAM_END) {
            return Flow::done;
        }
        if (code != Z_OK && code != Z_BUF_ERROR) {
            return damaged("gz", stream_.msg != nullptr ? stream_.msg : "no zlib stream");
        }
        return not_done("gz", in.size() + out.size() == before, in, out, last);
    }
    void reset() override { inflateReset(&stream_); }

private:
    z_stream stream_{};
};

}  // namespace

std::unique_ptr<Filter> gz_compressor(int level, bool raw) {
    return std::make_unique<GzCompressor>(level, raw);
}

std::unique_ptr<Filter> gz_decompressor(bool raw) {
    return std::make_unique<GzDecompressor>(raw);
}

}  // namespace howdah::repo
