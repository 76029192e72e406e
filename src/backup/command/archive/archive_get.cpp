#include "backup/command/archive/archive_get.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstring>
#include <filesystem>

#include "backup/command/archive/background.h"
#include "backup/command/archive/get_file.h"
#include "backup/command/archive/spool.h"
#include "backup/local_file.h"
#include "backup/options/exit_code.h"
#include "backup/pump.h"
#include "io/files.h"
#include "pg/wal_segment.h"
#include "repo/archive_name.h"
#include "repo/stream/pipeline.h"

namespace howdah::backup {
namespace {

using Clock = std::chrono::steady_clock;

std::uint64_t size_of(const std::string& path) {
    std::error_code none;
    const auto size = std::filesystem::file_size(path, none);
    return none ? 0 : size;
}

/// A size that initdb --wal-segsize gives: 1 MiB to 1 GiB. What a loss of power has cut has not.
bool is_segment_size(std::uint64_t size) {
    return std::has_single_bit(size) && size >= (1U << 20) && size <= (1U << 30);
}

/// The system identifier in a segment's first page. Source: PostgreSQL's XLogLongPageHeaderData.
Result<std::uint64_t> system_id_in(const std::string& path) {
    HD_TRY(const auto source, open_local(path));
    std::array<std::byte, 40> header{};
    HD_TRY(const auto got, source->read(header));
    std::uint64_t id = 0;
    std::memcpy(&id, header.data() + 24, got == header.size() ? sizeof id : 0);
    return id;
}

Result<> sync_file(const std::string& path) {
    const io::Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    return fd && fsync(fd.get()) == 0 ? Result<>{} : io::fail_errno("sync " + path);
}

/// Within one file system at once, else by a copy, as archive-get writes any file.
Result<> move_file(const std::string& from, const std::string& to) {
    if (rename(from.c_str(), to.c_str()) == 0) {
        return {};
    }
    if (errno != EXDEV) {
        return io::fail_errno(fmt::format("move {} to {}", from, to));
    }
    HD_TRY(const auto source, open_local(from));
    HD_TRY(const auto sink, create_local(to));
    repo::Pipeline as_it_is;
    HD_TRY_VOID(pump(*source, as_it_is, [&](Bytes bytes) { return sink->write(bytes); }));
    HD_TRY_VOID(sink->finish());
    return unlink(from.c_str()) == 0 ? Result<>{} : io::fail_errno("remove " + from);
}

/// Of what get_file says, only this is not about a repository.
bool is_of_the_spool(ExitCode code) {
    return code == ExitCode::file_write;
}

/// One request to the queue.
class Queue {
public:
    Queue(Site& site, const ClusterFacts& cluster, std::string name, std::string destination)
        : site_(site),
          cluster_(cluster),
          name_(std::move(name)),
          destination_(std::move(destination)) {}

    /// Whether the archive has it. nullopt: the queue cannot say.
    Result<std::optional<bool>> get() {
        if (const auto usable = spool_.prepare(); !usable) {
            site_.notes.warn(usable.error().message);
            return std::nullopt;
        }
        const auto end = Clock::now() + site_.options.archive.timeout;
        std::optional<std::int64_t> old;  // what was said before anybody was asked
        for (bool first = true;; first = false) {
            const bool last_look = process_.ended();
            HD_TRY(const auto taken, take());
            if (taken) {
                return true;
            }
            HD_TRY(const auto status, spool_.status(name_));
            if (first && status && site_.options.archive.missing_retry) {
                old = status->told_ns;
            }
            if (status && status->told_ns != old) {
                return answer(*status);
            }
            if (last_look || Clock::now() > end) {
                return std::nullopt;
            }
            if (!process_.started() && !process_.is_at_work()) {
                HD_TRY_VOID(process_.start(names_from(name_)));
            }
            process_.wait();
            if (getppid() != asked_by_) {
                return fail(Errc::cancelled, "the PostgreSQL that asked has ended",
                            "the next one asks again");
            }
        }
    }

private:
    /// What went wrong is told by who asks the repositories next, but for the spool's own faults.
    std::optional<bool> answer(const SpoolStatus& status) const {
        if (is_of_the_spool(static_cast<ExitCode>(status.exit_code))) {
            site_.notes.warn(status.message);
        }
        return status.exit_code == 0 ? std::optional(false) : std::nullopt;
    }

    Result<bool> take() {
        const auto queued = spool_.path_of(name_);
        const auto size = size_of(queued);
        if (size == 0) {
            return false;
        }
        const auto system_id = system_id_in(queued);
        if (!is_segment_size(size) || !system_id || *system_id != cluster_.system_id) {
            HD_TRY_VOID(spool_.remove(name_));
            return false;
        }
        HD_TRY_VOID(move_file(queued, destination_));
        const auto status = spool_.status(name_);
        if (status && *status && !(*status)->message.empty()) {
            site_.notes.warn((*status)->message);
        }
        HD_TRY_VOID(refill(size));
        return true;
    }

    Result<> refill(std::uint64_t size) {
        HD_TRY(const auto files, spool_.files());
        const auto queued = std::ranges::count_if(files, [](const TimedName& file) {
            return pg::WalSegment::parse(file.name).has_value();
        });
        if (static_cast<std::size_t>(queued) >= room(size) / 2 || process_.is_at_work()) {
            return {};
        }
        HD_TRY(const auto segment, pg::WalSegment::parse(name_));
        return process_.start(names_from(segment.next(size).name(), size));
    }

    std::size_t room(std::uint64_t size) const {
        return std::max<std::size_t>(site_.options.archive.get_queue_max / size, 2);
    }

    std::vector<std::string> names_from(const std::string& first,
                                        std::uint64_t size = pg::WalSegment::default_size) const {
        std::vector<std::string> names;
        auto segment = pg::WalSegment::parse(first).value();
        for (const auto count = room(size); names.size() < count; segment = segment.next(size)) {
            names.push_back(segment.name());
        }
        return names;
    }

    Site& site_;
    const ClusterFacts& cluster_;
    std::string name_, destination_;
    /// Its successor lets fetch to the same place.
    pid_t asked_by_ = getppid();
    Spool spool_{site_.options, Direction::get};
    Background process_{site_};
};

/// Leaves in the queue what is wanted and whole.
Result<> tidy(const Spool& spool, const std::vector<std::string>& wanted) {
    HD_TRY(const auto files, spool.files());
    for (const auto& file : files) {
        if (std::ranges::find(wanted, file.name) == wanted.end() ||
            !is_segment_size(size_of(spool.path_of(file.name)))) {
            HD_TRY_VOID(spool.remove(file.name));
        }
    }
    return {};
}

/// Into the queue, where it appears whole and survives a loss of power as a whole or not at all.
Result<bool> fetch(Site& site, const ClusterFacts& cluster, const Spool& spool,
                   const std::string& name) {
    const auto whole = spool.path_of(name);
    const auto unfinished = whole + std::string(spool_unfinished);
    const auto found = get_file(site, cluster, name, unfinished);
    if (!found && is_of_the_spool(exit_code_of(found.error()))) {
        return std::unexpected(about_spool(found.error()));
    }
    if (!found || !*found) {
        return found;
    }
    HD_TRY_VOID(sync_file(unfinished));
    if (rename(unfinished.c_str(), whole.c_str()) != 0) {
        return std::unexpected(about_spool(io::fail_errno("rename to " + whole).error()));
    }
    return true;
}

}  // namespace

Result<bool> archive_get(Site& site, const std::string& name, const std::string& destination) {
    HD_TRY_VOID(site.needs_stanza());
    HD_TRY(const auto path, site.local_path(destination));
    HD_TRY(const auto cluster, site.cluster());
    std::optional<bool> found;
    if (site.options.archive.async && pg::WalSegment::parse(name)) {
        const auto by_queue = Queue(site, cluster, name, path).get();
        found = by_queue.value_or(std::nullopt);
        if (!by_queue && by_queue.error().code == Errc::cancelled) {
            return std::unexpected(by_queue.error());
        }
        if (!by_queue) {  // it may be at fault, and the archive not
            site.notes.warn(by_queue.error().message);
        }
    }
    const bool by_queue = found.has_value();
    if (!by_queue) {
        HD_TRY(found, get_file(site, cluster, name, path));
    }
    site.notes.info(fmt::format("{} {} in the archive{}", *found ? "found" : "unable to find", name,
                                by_queue ? " asynchronously" : ""));
    return *found;
}

Result<> archive_get_in_background(Site& site) {
    HD_TRY_VOID(site.needs_stanza());
    const auto& wanted = site.options.arguments;
    for (const auto& name : wanted) {
        HD_TRY_VOID(pg::WalSegment::parse(name));
    }
    const Spool spool(site.options, Direction::get);
    HD_TRY_VOID(spool.prepare());
    HD_TRY(const auto locks, site.lock(LockKind::archive));
    HD_TRY_VOID(tidy(spool, wanted));
    HD_TRY(const auto cluster, site.cluster());
    std::atomic<bool> at_the_end = false;
    return site.in_parallel(wanted.size(), [&](std::size_t at) -> Result<> {
        const auto& name = wanted[at];
        if (at_the_end || size_of(spool.path_of(name)) > 0) {
            return {};
        }
        const auto found = fetch(site, cluster, spool, name);
        if (!found) {
            HD_TRY_VOID(spool.tell(
                name, {.exit_code = static_cast<std::uint8_t>(exit_code_of(found.error())),
                       .message = found.error().message}));
            return std::unexpected(found.error());
        }
        if (!*found) {
            at_the_end = true;
            return spool.tell(name, {});
        }
        return {};
    });
}

}  // namespace howdah::backup
