#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dcs/kv.h"
#include "io/tls.h"

namespace howdah::io {
class HttpClient;
}

namespace howdah::dcs::etcd {

struct Endpoint {
    std::string host{};
    std::uint16_t port = 2379;
    bool operator==(const Endpoint&) const = default;
};

struct EtcdOptions {
    std::vector<Endpoint> endpoints{};  ///< at least one
    std::string user{};                 ///< empty: no authentication
    std::string password{};
    std::shared_ptr<const io::TlsFiles> tls{};  ///< none: plain HTTP
};

/// etcd 3.4 and later through its JSON gateway. Stays with the endpoint that answered last; a call
/// that it doesn't answer goes to the next ones, as Patience says.
///
/// A commit that is sent twice may be told "failed" about a change that its first sending made:
/// compare what the Gets of `otherwise` found with what was to be written.
class EtcdStore final : public KeyValueStore {
public:
    EtcdStore(io::Executor executor, io::Clock& clock, EtcdOptions options);
    ~EtcdStore() override;

    io::Task<Result<Snapshot>> get(std::string prefix, bool stale_is_fine, Patience) override;
    io::Task<Result<TxnAnswer>> commit(Txn, Patience) override;
    io::Task<Result<Lease>> grant(Seconds ttl, Patience) override;
    io::Task<Result<>> keep_alive(LeaseId, Patience) override;
    io::Task<Result<>> revoke(LeaseId, Patience) override;
    io::Task<Result<>> compact(Revision revision, Patience) override;
    io::Task<Result<Space>> space(Patience) override;
    std::unique_ptr<Watch> watch(std::string prefix, Revision from) override;

private:
    struct Race;
    using Likes = std::function<bool(const std::string&)>;

    io::Task<Result<std::string>> call(std::string path, std::string body, Patience patience,
                                       Likes likes = {});
    io::Task<Result<std::string>> one_by_one(std::string path, std::string body, Nanos limit);
    io::Task<Result<std::string>> race(std::string path, std::string body, Patience patience,
                                       Likes likes);
    io::Task<> run_in(Race& race, std::size_t index, std::string path, std::string body,
                      Nanos limit);
    /// One sending to one endpoint.
    io::Task<Result<std::string>> attempt(std::size_t index, std::string path, std::string body,
                                          Nanos limit);

    io::Executor executor_;
    io::Clock& clock_;
    EtcdOptions options_;
    std::vector<std::unique_ptr<io::HttpClient>> clients_{};
    std::vector<std::string> tokens_{};
    std::size_t preferred_ = 0;
};

/// The answer's body. `token` is renewed when etcd asks for that. Errors: those of KeyValueStore.
io::Task<Result<std::string>> post(io::HttpClient& client, const EtcdOptions& options,
                                   std::string& token, std::string path, std::string body,
                                   Nanos limit);
io::Task<Result<>> log_in(io::HttpClient& client, const EtcdOptions& options, std::string& token,
                          Nanos limit);

}  // namespace howdah::dcs::etcd
