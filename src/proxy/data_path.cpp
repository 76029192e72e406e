#include "proxy/data_path.h"

#include <algorithm>
#include <thread>

#include "proxy/loop.h"
#include "proxy/sockets.h"

namespace howdah::proxy {

struct DataPath::Impl {
    DataPathOptions options{};
    std::vector<std::unique_ptr<Loop>> loops{};
    Address listening[2]{};
    bool started = false;
};

DataPath::DataPath(DataPathOptions options) : impl_(std::make_unique<Impl>()) {
    if (options.threads == 0) {
        options.threads = std::clamp(std::thread::hardware_concurrency(), 1U, 2U);
    }
    impl_->options = options;
    for (unsigned i = 0; i < options.threads; ++i) {
        impl_->loops.push_back(std::make_unique<Loop>(impl_->options, impl_->loops));
    }
}

DataPath::~DataPath() {
    stop();
}

Result<> DataPath::listen(Port port, Address address) {
    HD_CHECK(!impl_->started);
    auto& acceptor = *impl_->loops.front();
    HD_TRY(auto fd, open_listener(address));
    auto& bound = impl_->listening[port == Port::read_write ? 0 : 1];
    bound.length = sizeof bound.storage;
    (void)getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound.storage), &bound.length);
    acceptor.add_listener(port, std::move(fd));
    return {};
}

Result<> DataPath::start() {
    for (auto& loop : impl_->loops) {
        HD_TRY_VOID(loop->prepare());
    }
    impl_->started = true;
    unsigned number = 0;
    for (auto& loop : impl_->loops) {
        loop->start(number++);
    }
    return {};
}

void DataPath::publish(std::shared_ptr<const Routing> routing) {
    for (auto& loop : impl_->loops) {
        loop->publish(routing);
    }
}

void DataPath::stop() {
    for (auto& loop : impl_->loops) {
        loop->stop();
    }
}

Counts DataPath::counts() const {
    Counts sum;
    const auto read = [](const std::atomic<std::uint64_t>& counter) {
        return counter.load(std::memory_order_relaxed);
    };
    for (const auto& loop : impl_->loops) {
        const auto& counts = loop->counts;
        sum.sessions += read(counts.sessions);
        sum.held += read(counts.held);
        sum.accepted_total += read(counts.accepted);
        sum.refused_total += read(counts.refused);
        sum.cut_total += read(counts.cut);
        sum.connect_failures_total += read(counts.connect_failures);
        sum.bytes_to_servers_total += read(counts.bytes_up);
        sum.bytes_to_clients_total += read(counts.bytes_down);
    }
    return sum;
}

Address DataPath::listening(Port port) const {
    return impl_->listening[port == Port::read_write ? 0 : 1];
}

}  // namespace howdah::proxy
