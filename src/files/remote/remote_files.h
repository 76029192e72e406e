#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "files/files.h"
#include "remote/channel.h"

namespace howdah::files {

/// Connections to one repository host, all with the same hello: kept for the next call when one has
/// done its work. Thread-safe; shared by all that uses them.
class RemotePool {
public:
    RemotePool(remote::Place place, std::shared_ptr<io::TlsContext> tls, std::string service,
               remote::Json hello)
        : place_(std::move(place)),
          tls_(std::move(tls)),
          service_(std::move(service)),
          hello_(std::move(hello)) {}

    struct Taken {
        std::unique_ptr<remote::Channel> channel{};
        bool used_before = false;  ///< the host may have closed it meanwhile
    };
    /// Errors: as remote::connect.
    Result<Taken> take();
    Result<Taken> take_new();
    void give_back(std::unique_ptr<remote::Channel> channel);

    /// What the host said first. Errors: as take().
    Result<remote::Json> welcome();
    std::string place() const { return place_.text(); }
    Millis limit() const { return place_.limit; }

private:
    remote::Place place_;
    std::shared_ptr<io::TlsContext> tls_;
    std::string service_;
    remote::Json hello_;
    std::mutex mutex_{};
    remote::Json welcome_{};
    std::vector<std::unique_ptr<remote::Channel>> idle_{};
};

/// Files that another host serves (file_server.h). Nothing is asked before the first call; each
/// open Source, Sink or Hold has a connection of its own.
class RemoteFiles final : public Files {
public:
    /// `name`: as the host calls them, "/var/lib/pgbackrest".
    RemoteFiles(std::shared_ptr<RemotePool> pool, std::string name)
        : pool_(std::move(pool)), name_(std::move(name)) {}

    std::string name() const override { return name_; }
    Result<std::unique_ptr<Source>> read(std::string_view path, ReadRange range) override;
    Result<std::unique_ptr<Sink>> write(std::string_view path, NameSync names,
                                        IfTaken taken) override;
    Result<> remove_unfinished(std::string_view folder) override;
    Result<> sync_tree(std::string_view folder) override;
    Result<std::optional<Entry>> stat(std::string_view path) override;
    Result<> list(std::string_view folder,
                  const std::function<Result<>(const Entry&)>& each) override;
    Result<> remove(std::string_view path) override;
    Result<> remove_tree(std::string_view folder) override;
    Result<> make_folder(std::string_view folder) override;
    Result<> hard_link(std::string_view path, std::string_view existing) override;
    Result<> link(std::string_view path, std::string_view target) override;
    Result<std::unique_ptr<Hold>> hold(std::string_view what) override;
    Result<std::optional<Held>> held(std::string_view what, std::string_view stanza) override;

private:
    class RemoteHold;
    /// Numbers of the rights that are held, which every change names.
    struct Rights {
        std::mutex mutex{};
        std::vector<std::uint64_t> ids{};
    };
    struct Asked {
        std::unique_ptr<remote::Channel> channel{};
        remote::Message answer{};
    };
    /// `again`: whether it does no harm to ask twice, should a kept connection turn out to be dead.
    Result<Asked> ask(remote::Json request, bool again = true);
    Result<> change(const char* what, std::string_view path, remote::Json more = {});

    std::shared_ptr<RemotePool> pool_;
    std::string name_;
    std::shared_ptr<Rights> rights_ = std::make_shared<Rights>();
};

}  // namespace howdah::files
