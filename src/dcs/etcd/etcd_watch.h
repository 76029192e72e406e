#pragma once

#include <memory>
#include <string>
#include <vector>

#include "dcs/etcd/etcd_store.h"

namespace howdah::io {
class HttpClient;
class HttpStream;
}  // namespace howdah::io

namespace howdah::dcs::etcd {

/// A stream of changes that moves to the next endpoint when one goes quiet: while nothing comes, it
/// makes the endpoint prove every 1.5 s that it reaches a quorum, so that a frozen one costs 3 s.
/// Cancelling next() loses no event.
class EtcdWatch final : public Watch {
public:
    EtcdWatch(io::Executor executor, io::Clock& clock, EtcdOptions options, std::size_t first,
              std::string prefix, Revision from);
    ~EtcdWatch() override;

    io::Task<Result<std::vector<Event>>> next() override;

private:
    io::Task<Result<>> connect();
    io::Task<Result<>> probe();
    /// Takes over what the stream has brought. Errors: Errc::conflict, Errc::unavailable.
    Result<> take();
    void leave_endpoint();

    io::Executor executor_;
    io::Clock& clock_;
    EtcdOptions options_;
    std::size_t index_;
    std::string prefix_;
    Revision next_revision_;
    std::string token_{};
    std::unique_ptr<io::HttpClient> client_{};
    std::unique_ptr<io::HttpStream> stream_{};
    std::string text_{};
    std::vector<Event> events_{};
};

}  // namespace howdah::dcs::etcd
