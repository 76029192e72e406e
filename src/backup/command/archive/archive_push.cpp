#include "backup/command/archive/archive_push.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <set>

#include "backup/command/archive/background.h"
#include "backup/command/archive/push_file.h"
#include "backup/command/archive/push_plan.h"
#include "backup/command/archive/pusher_socket.h"
#include "backup/command/archive/spool.h"
#include "backup/options/exit_code.h"
#include "backup/size_text.h"
#include "pg/wal_segment.h"

namespace howdah::backup {
namespace {

using Clock = std::chrono::steady_clock;

std::string name_of(const std::string& path) {
    return std::filesystem::path(path).filename().string();
}

/// In bytes, as the files of this cluster have it.
std::uint64_t segment_size(const std::string& path) {
    std::error_code unknown;
    const auto size = std::filesystem::file_size(path, unknown);
    return unknown || size < (1U << 20) ? pg::WalSegment::default_size : size;
}

/// Whether so much waits that the disk of PostgreSQL counts for more than the archive.
Result<bool> is_dropped(const Site& site, const std::string& path) {
    const auto most = site.options.archive.push_queue_max;
    if (!most) {
        return false;
    }
    HD_TRY(const auto data, site.data_directory());
    HD_TRY(const auto ready, ready_files(data + "/pg_wal"));
    if (ready.size() * segment_size(path) <= *most) {
        return false;
    }
    site.notes.warn(fmt::format("dropped WAL file '{}' because archive queue exceeded {}",
                                name_of(path), size_text(*most)));
    return true;
}

void tell_pushed(const Site& site, const std::string& name, const SpoolStatus& status) {
    if (!status.message.empty()) {
        site.notes.warn(status.message);
    }
    site.notes.info(fmt::format("pushed WAL file '{}' to the archive asynchronously", name));
}

/// False: the process in the background has said nothing, and this one must push the file. Errors:
/// what it said.
Result<bool> push_by_background(Site& site, const std::string& path) {
    const auto give_up = [&](std::string_view why) {
        site.notes.warn(why);
        return false;
    };
    const auto name = name_of(path);
    const Spool spool(site.options, Direction::push);
    if (const auto usable = spool.prepare(); !usable) {
        return give_up(usable.error().message);
    }
    HD_TRY(const auto changed, arrived_ns(path));
    Background process(site);
    const auto end = Clock::now() + site.options.archive.timeout;
    std::optional<std::int64_t> old_error;  // of an earlier attempt: what is started now repeats it
    for (bool first = true;; first = false) {
        const bool last_look = process.ended();
        const auto said = spool.status(name, changed);
        if (!said) {
            return give_up(said.error().message);
        }
        const auto& status = *said;
        if (status && status->exit_code == 0) {
            tell_pushed(site, name, *status);
            return true;
        }
        if (status && first) {
            old_error = status->told_ns;
        } else if (status && status->told_ns != old_error) {
            return fail_with(static_cast<ExitCode>(status->exit_code), Errc::io, status->message);
        }
        if (last_look) {
            return false;
        }
        if (Clock::now() > end) {
            return give_up("another archive-push:async works on this stanza and says nothing");
        }
        if (!process.started() && !process.is_at_work()) {
            if (const auto begun = process.start({}); !begun) {
                return give_up(begun.error().message);
            }
        }
        process.wait();
    }
}

/// The resident pusher says so at least once a second while it works.
constexpr std::chrono::seconds pusher_patience{10};

/// A configuration named by a relative path is another file to another process.
bool is_same_for_all(const std::string& word) {
    const auto equals = word.find('=');
    return !word.starts_with("--config") || equals == std::string::npos ||
           word.substr(equals + 1).starts_with('/');
}

/// False: there is none that could; whatever it may have done, this process must push the file.
bool push_by_pusher(const Site& site, const std::string& path) {
    const auto& words = site.options.option_words;
    if (site.pusher_socket.empty() || !path.starts_with('/') ||
        !std::ranges::all_of(words, is_same_for_all)) {
        return false;
    }
    const auto warnings = ask_pusher(
        site.pusher_socket, {.words = words, .environment = site.environment, .path = path},
        pusher_patience);
    for (const auto& warning : warnings.value_or(std::vector<std::string>{})) {
        site.notes.warn(warning);
    }
    return warnings.has_value();
}

/// One room a thread, used again by the next file.
class Rooms {
public:
    std::unique_ptr<PushRoom> take() {
        const std::scoped_lock lock(mutex_);
        if (free_.empty()) {
            return std::make_unique<PushRoom>();
        }
        auto room = std::move(free_.back());
        free_.pop_back();
        return room;
    }
    void give_back(std::unique_ptr<PushRoom> room) {
        const std::scoped_lock lock(mutex_);
        free_.push_back(std::move(room));
    }

private:
    std::mutex mutex_{};
    std::vector<std::unique_ptr<PushRoom>> free_{};
};

/// Pushes one file and tells the spool how it went.
Result<> push_and_tell(Site& site, const ClusterFacts& cluster, const std::string& path,
                       const Spool& spool, Rooms& rooms) {
    std::string warning;
    const Notes notes{.on_warn = [&](std::string_view text) {
        warning += fmt::format("{}{}", warning.empty() ? "" : "\n", text);
        site.notes.warn(text);
    }};
    auto room = rooms.take();
    const auto pushed = push_file(site, cluster, path, notes, *room);
    rooms.give_back(std::move(room));
    if (!pushed) {
        const auto& error = pushed.error();
        HD_TRY_VOID(
            spool.tell(name_of(path), {.exit_code = static_cast<std::uint8_t>(exit_code_of(error)),
                                       .message = error.message}));
        return pushed;
    }
    return spool.tell(name_of(path), {.message = warning});
}

/// All that is wanted now and not among `pushed`, where it is noted; how many files.
Result<std::size_t> push_batch(Site& site, const Spool& spool, Rooms& rooms,
                               std::set<std::string>& pushed) {
    HD_TRY(const auto data, site.data_directory());
    HD_TRY(const auto cluster, site.cluster());
    const auto wal = data + "/pg_wal";
    HD_TRY(const auto ready, ready_files(wal));
    HD_TRY(const auto told, spool.files());
    const auto size =
        ready.empty() ? pg::WalSegment::default_size : segment_size(wal + "/" + ready.front().name);
    const auto most = std::max<std::uint64_t>(site.options.archive.push_batch_size / size, 1);
    auto plan = plan_push(ready, told, most);
    std::erase_if(plan.push, [&](const std::string& name) { return pushed.contains(name); });
    for (const auto& file : plan.stale) {
        HD_TRY_VOID(spool.remove(file));
    }
    if (!plan.push.empty()) {
        site.notes.info(fmt::format("push {} WAL file(s) to archive: {}{}", plan.push.size(),
                                    plan.push.front(),
                                    plan.push.size() > 1 ? "..." + plan.push.back() : ""));
    }
    HD_TRY_VOID(site.in_parallel(plan.push.size(), [&](std::size_t at) {
        return push_and_tell(site, cluster, wal + "/" + plan.push[at], spool, rooms);
    }));
    pushed.insert(plan.push.begin(), plan.push.end());
    return plan.push.size();
}

}  // namespace

Result<> archive_push(Site& site, const std::string& wal_file) {
    HD_TRY_VOID(site.may_work());
    HD_TRY(const auto path, site.local_path(wal_file));
    HD_TRY(const auto dropped, is_dropped(site, path));
    if (dropped) {
        return {};
    }
    if (push_by_pusher(site, path)) {
        site.notes.info(
            fmt::format("pushed WAL file '{}' to the archive by the agent", name_of(path)));
        return {};
    }
    if (site.options.archive.async) {
        HD_TRY(const auto pushed, push_by_background(site, path));
        if (pushed) {
            return {};
        }
    }
    HD_TRY(const auto cluster, site.cluster());
    PushRoom room;
    HD_TRY_VOID(push_file(site, cluster, path, site.notes, room));
    site.notes.info(fmt::format("pushed WAL file '{}' to the archive", name_of(path)));
    return {};
}

Result<> archive_push_in_background(Site& site) {
    HD_TRY_VOID(site.may_work());
    const Spool spool(site.options, Direction::push);
    HD_TRY_VOID(spool.prepare());
    HD_TRY(const auto locks, site.lock(LockKind::archive));
    Rooms rooms;
    std::set<std::string> pushed;
    for (std::size_t count = 1; count > 0;) {
        HD_TRY(count, push_batch(site, spool, rooms, pushed));
    }
    return {};
}

}  // namespace howdah::backup
