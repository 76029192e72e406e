#pragma once

#include <mutex>
#include <string>

#include "agent/ports.h"
#include "io/fd.h"

namespace howdah::agent {

/// A member's state directory (architecture.md, section 7): member_uuid, epoch, epochs, record,
/// names, timeline, promise, held_wal, agent.pid, and the lock that lets one agent at a time use
/// it. The lock is held as long as the object lives.
class StateDir final : public Durable {
public:
    /// Makes the directory (0700) where it is missing, locks it, draws the uuid at the first start,
    /// writes agent.pid. Errors: Errc::conflict (another agent runs on it), Errc::io (not writable;
    /// with a hint), Errc::corrupt, Errc::unsafe (a newer Howdah made it).
    static Result<std::unique_ptr<StateDir>> open(const std::string& path);
    ~StateDir() override;

    const std::string& path() const { return path_; }
    const ha::Uuid& member_uuid() const { return uuid_; }

    Stored load() const override;
    Result<> store(const Stored& stored) override;
    std::vector<ha::EpochStart> epochs() const override;
    Result<> remember(ha::EpochStart start) override;
    std::optional<ha::Record> last_record() const override;
    Result<> keep(const ha::Record& record) override;
    ha::MemberNames names() const override;
    Result<> keep_names(const ha::MemberNames& names) override;
    pg::Timeline greatest_timeline() const override;
    Result<> keep_timeline(pg::Timeline timeline) override;
    std::optional<ha::StoredPromise> promise() const override;
    Result<> store_promise(const ha::StoredPromise& promise) override;
    ha::HeldWal held_wal() const override;
    Result<> keep_held_wal(const ha::HeldWal& held) override;
    bool paused() const override;
    Result<> keep_paused(bool paused) override;

private:
    StateDir(std::string path, io::Fd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
    Result<> check_format() const;
    Result<> read_or_draw();

    std::string path_;
    io::Fd lock_;
    ha::Uuid uuid_{};
    mutable std::mutex mutex_{};
    Stored stored_{};
    std::vector<ha::EpochStart> epochs_{};
    std::optional<ha::Record> record_{};
    ha::MemberNames names_{};
    pg::Timeline greatest_timeline_ = 0;
    std::optional<ha::StoredPromise> promise_{};
    ha::HeldWal held_wal_{};
    bool paused_ = false;
};

/// 32 random hexadecimal digits.
ha::Uuid draw_uuid();

}  // namespace howdah::agent
