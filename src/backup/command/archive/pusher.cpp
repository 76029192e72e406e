#include "backup/command/archive/pusher.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "backup/command/archive/push_plan.h"
#include "io/files.h"

namespace howdah::backup {
namespace {

/// Of files that are pushed and not asked for yet, for each worker: enough that none waits for
/// PostgreSQL to ask, and few enough to push again after a crash.
constexpr std::size_t ahead_per_worker = 4;

}  // namespace

Pusher::~Pusher() {
    {
        const std::scoped_lock lock(mutex_);
        ends_ = true;
    }
    changed_.notify_all();
}

Result<Pusher::Content> Pusher::look_at(const std::string& path) {
    struct stat found{};
    if (stat(path.c_str(), &found) != 0) {
        return io::fail_errno("look at " + path);
    }
    return Content{
        .device = found.st_dev,
        .inode = found.st_ino,
        .size = static_cast<std::uint64_t>(found.st_size),
        .modified_ns = std::int64_t{found.st_mtim.tv_sec} * 1'000'000'000 + found.st_mtim.tv_nsec,
        .changed_ns = std::int64_t{found.st_ctim.tv_sec} * 1'000'000'000 + found.st_ctim.tv_nsec};
}

Result<std::vector<std::string>> Pusher::push(const PushRequest& request,
                                              const std::function<void()>& working) {
    HD_TRY(auto opened, open_(request));
    const std::shared_ptr<Site> site = std::move(opened);
    HD_TRY_VOID(site->may_work());
    HD_TRY(const auto job, find_or_begin(site, request.path));
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, std::chrono::seconds(1), [&] { return job->done; })) {
        lock.unlock();
        working();
        lock.lock();
    }
    if (--job->askers == 0) {
        std::erase(jobs_, job);
    }
    HD_TRY_VOID(job->outcome);
    return job->warnings;
}

Result<std::shared_ptr<Pusher::Job>> Pusher::find_or_begin(const std::shared_ptr<Site>& site,
                                                           const std::string& path) {
    HD_TRY(const auto content, look_at(path));
    HD_TRY(const auto cluster, site->cluster());
    auto asked = std::make_shared<Job>(
        Job{.site = site,
            .where = fmt::format("{} {}", site->stanza(), fmt::join(site->options.given, " ")),
            .path = path,
            .content = content,
            .cluster = cluster});
    const std::scoped_lock lock(mutex_);
    if (auto job = known(*asked)) {
        asked = std::move(job);
    } else {
        std::erase_if(jobs_, [&](const auto& old) {
            return old->path == path && old->askers == 0 && (old->done || !old->begun);
        });
        jobs_.push_front(asked);
    }
    ++asked->askers;
    push_ahead(*asked);
    want_workers(site->options.process_max);
    changed_.notify_all();
    return asked;
}

/// A job for the same content on its way to the same places.
std::shared_ptr<Pusher::Job> Pusher::known(const Job& like) const {
    const auto found = std::ranges::find_if(jobs_, [&](const auto& job) {
        return job->path == like.path && job->content == like.content && job->where == like.where &&
               job->cluster == like.cluster && (!job->done || job->outcome);
    });
    return found == jobs_.end() ? nullptr : *found;
}

void Pusher::push_ahead(const Job& asked) {
    const std::size_t most = ahead_per_worker * asked.site->options.process_max;
    const auto folder = std::filesystem::path(asked.path).parent_path().string();
    if (failed_ || jobs_.size() > most / 2) {
        return;
    }
    // What cannot be listed is not pushed ahead; it will be asked for.
    const auto ready = ready_files(folder).value_or(std::vector<TimedName>{});
    std::set<std::string> wanted;
    for (const auto& file : ready) {
        wanted.insert(folder + "/" + file.name);
    }
    forget_what_nobody_wants(wanted);
    for (const auto& name : plan_push(ready, {}, ready.size()).push) {
        Job next{.site = asked.site,
                 .where = asked.where,
                 .path = folder + "/" + name,
                 .cluster = asked.cluster};
        const auto content = look_at(next.path);
        if (jobs_.size() >= most) {
            return;
        }
        if (content) {
            next.content = *content;
        }
        if (content && !known(next)) {
            jobs_.push_back(std::make_shared<Job>(std::move(next)));
        }
    }
}

void Pusher::forget_what_nobody_wants(const std::set<std::string>& wanted) {
    std::erase_if(jobs_, [&](const auto& job) {
        return job->askers == 0 && (job->done || !job->begun) && !wanted.contains(job->path);
    });
}

void Pusher::want_workers(std::size_t count) {
    while (workers_.size() < count) {
        workers_.emplace_back([this] { work(); });
    }
}

/// The next one that is asked for, else the next one ahead; nullptr at the end.
std::shared_ptr<Pusher::Job> Pusher::next_job() {
    std::unique_lock lock(mutex_);
    while (!ends_) {
        std::shared_ptr<Job> next;
        for (const auto& job : jobs_) {
            if (!job->begun && (!next || (next->askers == 0 && job->askers > 0))) {
                next = job;
            }
        }
        if (next) {
            next->begun = true;
            return next;
        }
        changed_.wait(lock);
    }
    return nullptr;
}

void Pusher::work() {
    PushRoom room;
    while (const auto job = next_job()) {
        const Notes notes{
            .on_warn = [&](std::string_view text) { job->warnings.emplace_back(text); }};
        auto outcome = job->site->may_work();
        if (outcome) {
            outcome = push_file(*job->site, job->cluster, job->path, notes, room);
        }
        // The file that was read must be the one that was looked at.
        const auto content = look_at(job->path);
        if (outcome && (!content || *content != job->content)) {
            outcome = fail(Errc::conflict, job->path + " changed while it was pushed");
        }
        finish(*job, std::move(outcome));
    }
}

void Pusher::finish(Job& job, Result<> outcome) {
    {
        const std::scoped_lock lock(mutex_);
        failed_ = !outcome;
        job.outcome = std::move(outcome);
        job.done = true;
        if (failed_) {
            std::erase_if(jobs_, [](const auto& other) {
                return other->askers == 0 && (other->done ? !other->outcome : !other->begun);
            });
        }
    }
    changed_.notify_all();
}

}  // namespace howdah::backup
