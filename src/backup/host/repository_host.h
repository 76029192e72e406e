#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backup/host/grants.h"
#include "backup/host/write_once.h"
#include "backup/site.h"
#include "files/remote/holds.h"
#include "remote/server.h"

namespace howdah::backup {

/// As clients look for it.
inline constexpr std::string_view repository_service = "repository host";

/// What a client asks for first.
struct RepositoryWish {
    std::string stanza{};  ///< empty: all of them
    std::string command{};
    std::uint32_t repository = 1;
    std::string process{};  ///< the client's execution_id(): it is no stranger to itself
};
remote::Json to_json(const RepositoryWish& wish);

/// Serves the repositories of one pgbackrest.conf to other hosts: each stanza to who has a right on
/// it (Grants), each lock to one at a time. The configuration is read for each client anew.
/// Thread-safe.
class RepositoryHost {
public:
    /// `config`: the file. `on_info`: what is worth a line of the log.
    RepositoryHost(std::string config, OpenFiles open, Notes::Text on_info)
        : config_(std::move(config)), open_(std::move(open)), on_info_(std::move(on_info)) {}

    /// Reads the configuration as a client would make it do. Errors: what is wrong with it.
    Result<std::vector<ConfigText>> read_config() const;
    /// For remote::Server. Errors: why this client is not served.
    Result<std::unique_ptr<remote::Service>> open(const io::PeerNames& peer,
                                                  const remote::Json& hello);
    /// The backup lock of a stanza in all repositories of this host, for one process of a client;
    /// it may ask for it again. Errors: as Site::lock.
    Result<std::shared_ptr<Locks>> lock(const Options& options, const std::string& process);
    files::Holds& holds() { return holds_; }
    /// Ends the connections of those who hold a lock of a stanza that is stopped.
    void end_stopped();
    /// A client that holds a lock, from one call to the other.
    void begins_to_hold(remote::Channel& channel, const Options& options);
    void ends_to_hold(const remote::Channel& channel);
    void info(std::string_view text) const { on_info_(text); }

private:
    std::string config_;
    OpenFiles open_;
    Notes::Text on_info_;
    files::Holds holds_{};
    OneAtATime archiving_{};
    std::mutex mutex_{};
    std::map<std::string, std::weak_ptr<Locks>> locks_{};  ///< by stanza and process
    struct Holder {
        const io::SecureStream* stream = nullptr;
        std::string lock_path{}, stanza{};
    };
    std::map<const remote::Channel*, Holder> holders_{};
};

}  // namespace howdah::backup
