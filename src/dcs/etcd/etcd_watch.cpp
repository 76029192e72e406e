#include "dcs/etcd/etcd_watch.h"

#include <algorithm>

#include "dcs/etcd/etcd_json.h"
#include "io/http.h"

namespace howdah::dcs::etcd {
namespace {

constexpr Nanos probe_period = Millis(1500);
constexpr Nanos probe_limit = Millis(1500);

}  // namespace

EtcdWatch::EtcdWatch(io::Executor executor, io::Clock& clock, EtcdOptions options,
                     std::size_t first, std::string prefix, Revision from)
    : executor_(executor),
      clock_(clock),
      options_(std::move(options)),
      index_(first % options_.endpoints.size()),
      prefix_(std::move(prefix)),
      next_revision_(from) {}

EtcdWatch::~EtcdWatch() = default;

void EtcdWatch::leave_endpoint() {
    stream_.reset();
    client_.reset();
    token_.clear();
    text_.clear();
    index_ = (index_ + 1) % options_.endpoints.size();
}

io::Task<Result<>> EtcdWatch::connect() {
    const auto& e = options_.endpoints[index_];
    client_ = std::make_unique<io::HttpClient>(executor_, clock_, e.host, e.port, options_.tls);
    // A watch on an endpoint without a quorum would just be quiet.
    HD_CO_TRY_VOID(co_await probe());
    io::HttpRequest request{.method = "POST",
                            .target = "/v3/watch",
                            .headers = {{"content-type", "application/json"}},
                            .body = render_watch(prefix_, next_revision_)};
    if (!token_.empty()) {
        request.headers["authorization"] = token_;
    }
    HD_CO_TRY(stream_, co_await client_->open(std::move(request), probe_limit));
    co_return Result<>{};
}

io::Task<Result<>> EtcdWatch::probe() {
    HD_CO_TRY_VOID(
        co_await post(*client_, options_, token_, "/kv/range", render_probe(), probe_limit));
    co_return Result<>{};
}

Result<> EtcdWatch::take() {
    text_ += stream_->take();
    while (const auto object = cut_object(text_)) {
        HD_TRY(auto message, parse_watch(*object));
        if (message.compacted) {
            return fail(Errc::conflict, "watch of etcd: what was missed has been compacted");
        }
        if (message.cancelled) {
            return fail(Errc::unavailable, "watch of etcd: " + message.reason);
        }
        for (auto& event : message.events) {
            next_revision_ = std::max(next_revision_, event.kv.mod_revision + 1);
            events_.push_back(std::move(event));
        }
    }
    return stream_->ended() ? fail(Errc::unavailable, "watch of etcd ended") : Result<>{};
}

io::Task<Result<std::vector<Event>>> EtcdWatch::next() {
    std::size_t failures = 0;
    while (events_.empty()) {
        Result<> going = stream_ ? Result<>{} : co_await connect();
        if (going) {
            going = take();
        }
        if (going && events_.empty()) {
            going = co_await io::within(clock_, probe_period, stream_->read());
            if (!going && going.error().code == Errc::timeout) {
                going = co_await probe();
            }
            failures = going ? 0 : failures;
        }
        if (!events_.empty()) {
            break;
        }
        if (!going) {
            const auto code = going.error().code;
            leave_endpoint();
            if (code == Errc::conflict || code == Errc::cancelled || code == Errc::invalid ||
                ++failures >= 2 * options_.endpoints.size()) {
                co_return std::unexpected(std::move(going).error());
            }
        }
    }
    co_return std::exchange(events_, {});
}

}  // namespace howdah::dcs::etcd
