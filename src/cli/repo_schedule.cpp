#include "cli/repo_schedule.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <condition_variable>
#include <ctime>
#include <mutex>
#include <nlohmann/json.hpp>

#include "backup/jobs/job.h"
#include "backup/jobs/job_process.h"
#include "io/files.h"
#include "remote/fields.h"

namespace howdah::cli {
namespace {

constexpr Millis look{200};  ///< how often a running job is looked at for being told to stop

repo::WallMinute wall_minute(std::int64_t unix_s) {
    const std::time_t time = unix_s;
    std::tm local{};
    localtime_r(&time, &local);
    return {.year = local.tm_year + 1900,
            .month = local.tm_mon + 1,
            .day = local.tm_mday,
            .hour = local.tm_hour,
            .minute = local.tm_min};
}

/// Of a minute that a clock shows twice, or never, when it is set: one of them, or one near it.
std::int64_t unix_time(const repo::WallMinute& wall) {
    std::tm local{};
    local.tm_year = wall.year - 1900;
    local.tm_mon = wall.month - 1;
    local.tm_mday = wall.day;
    local.tm_hour = wall.hour;
    local.tm_min = wall.minute;
    local.tm_isdst = -1;
    return std::mktime(&local);
}

std::string text_of(const std::optional<repo::WallMinute>& wall) {
    return wall ? fmt::format("{:04}-{:02}-{:02} {:02}:{:02}", wall->year, wall->month, wall->day,
                              wall->hour, wall->minute)
                : "never";
}

std::string text_of(std::int64_t unix_s) {
    return text_of(wall_minute(unix_s));
}

std::vector<std::string> words_of(const std::string& what) {
    const bool is_backup = what == "full" || what == "diff" || what == "incr";
    return is_backup ? std::vector<std::string>{"backup", "--type=" + what}
                     : std::vector<std::string>{what};
}

}  // namespace

Result<RepoSchedule> RepoSchedule::open(const config::RepoConfig& config,
                                        std::vector<std::string> stanzas, std::string program) {
    RepoSchedule made;
    made.config_ = config.pgbackrest_config;
    made.program_ = std::move(program);
    made.state_file_ = config.state;
    made.stanzas_ = std::move(stanzas);
    for (const auto& [what, when] : config.schedule) {
        auto cron = repo::Cron::parse(when);
        if (!cron) {
            return std::unexpected(std::move(cron).error().within("repo.schedule." + what));
        }
        made.jobs_.push_back({.what = what, .when = *cron, .text = when});
    }
    if (!made.empty()) {
        HD_TRY_VOID(made.load());
    }
    return made;
}

Result<> RepoSchedule::load() {
    const auto text = io::read_file(state_file_);
    if (!text && text.error().code != Errc::not_found) {
        return std::unexpected(text.error());
    }
    const auto json = nlohmann::json::parse(text.value_or("{}"), nullptr, false);
    if (!json.is_object()) {
        return fail(Errc::corrupt, fmt::format("{} is damaged", state_file_),
                    "remove it: what came due meanwhile is not run then");
    }
    const auto now = std::time(nullptr);
    for (const auto& stanza : stanzas_) {
        for (const auto& job : jobs_) {
            const auto known = json.find(stanza);
            const auto at =
                known == json.end() ? std::nullopt : remote::number_in(*known, job.what.c_str());
            // What is new has never been missed.
            handled_[stanza][job.what] = at ? static_cast<std::int64_t>(*at) : now;
        }
    }
    return {};
}

Result<> RepoSchedule::save() const {
    const auto slash = state_file_.rfind('/');
    HD_TRY_VOID(io::make_directories(state_file_.substr(0, slash), 0755));
    return io::write_file_atomically(state_file_, nlohmann::json(handled_).dump(1) + "\n", 0644);
}

void RepoSchedule::mark(const std::string& stanza, const std::string& what, std::int64_t handled) {
    handled_[stanza][what] = handled;
    if (const auto saved = save(); !saved) {
        spdlog::error(
            "the schedule's state was not written: after a restart a job may run twice "
            "why=\"{}\"",
            saved.error().message);
    }
}

std::vector<repo::ScheduledTimes> RepoSchedule::times(const std::string& stanza,
                                                      std::int64_t now) const {
    std::vector<repo::ScheduledTimes> all;
    for (const auto& job : jobs_) {
        const auto due = job.when.last(wall_minute(now));
        auto& times = all.emplace_back();
        times.what = job.what;
        times.due = due ? std::optional(unix_time(*due)) : std::nullopt;
        times.due = times.due && *times.due <= now ? times.due : std::nullopt;
        times.handled = handled_.at(stanza).at(job.what);
    }
    return all;
}

bool RepoSchedule::run_job(const std::string& stanza, const std::string& what,
                           const std::stop_token& stop) const {
    std::vector<std::string> words{program_};
    for (auto& word : words_of(what)) {
        words.push_back(std::move(word));
    }
    words.push_back("--config=" + config_);
    words.push_back("--stanza=" + stanza);
    const auto who = fmt::format("{} {}", stanza, what);
    const backup::Notes notes{
        .on_detail = [&](std::string_view text) { spdlog::debug("{}: {}", who, text); },
        .on_info = [&](std::string_view text) { spdlog::info("{}: {}", who, text); },
        .on_warn = [&](std::string_view text) { spdlog::warn("{}: {}", who, text); }};
    auto job = backup::JobProcess::begin(words);
    if (!job) {
        spdlog::error("{}: {}", who, job.error().message);
        return false;
    }
    std::optional<Error> failed;
    while (!stop.stop_requested()) {
        const auto lines = (*job)->lines(look);
        if (!lines || !*lines) {
            break;
        }
        for (const auto& line : **lines) {
            auto error = backup::take_job_line(line, notes);
            failed = error ? std::move(error) : std::move(failed);
        }
    }
    const int code = stop.stop_requested() ? (*job)->end() : (*job)->reap();
    if (code != 0) {
        spdlog::error("{}: ended with code {}{}{}", who, code,
                      failed ? " why=\"" + failed->message + "\"" : "",
                      failed && !failed->hint.empty() ? " hint=\"" + failed->hint + "\"" : "");
    }
    return code == 0;
}

bool RepoSchedule::run_due_of(const std::string& stanza, const std::stop_token& stop) {
    bool good = true;
    while (!stop.stop_requested()) {
        const auto now = std::time(nullptr);
        const auto known = last_.find(stanza);
        const auto step = repo::next_step(
            times(stanza, now), known == last_.end() ? std::nullopt : std::optional(known->second));
        for (const auto& [what, why] : step.skipped) {
            spdlog::warn("{} {}: skipped why=\"{}\"", stanza, what, why);
            mark(stanza, what, now);
        }
        if (!step.run) {
            return good;
        }
        spdlog::info("{} {}: begins", stanza, *step.run);
        mark(stanza, *step.run, now);
        good = run_job(stanza, *step.run, stop) && good;
        last_[stanza] = {.what = *step.run, .began = now, .ended = std::time(nullptr)};
    }
    return good;
}

bool RepoSchedule::run_due(const std::stop_token& stop) {
    bool good = true;
    for (const auto& stanza : stanzas_) {
        good = run_due_of(stanza, stop) && good;
    }
    return good;
}

void RepoSchedule::run(const std::stop_token& stop) {
    for (const auto& stanza : stanzas_) {
        for (const auto& job : jobs_) {
            mark(stanza, job.what, handled_.at(stanza).at(job.what));  // known from now on
        }
    }
    std::mutex mutex;
    std::condition_variable_any told;
    std::unique_lock lock(mutex);
    while (!stop.stop_requested()) {
        run_due(stop);
        told.wait_for(lock, stop, Millis(1000), [] { return false; });
    }
}

std::string RepoSchedule::plan() const {
    const auto now = std::time(nullptr);
    std::string text;
    for (const auto& stanza : stanzas_) {
        const auto step = repo::next_step(times(stanza, now), std::nullopt);
        for (const auto& job : jobs_) {
            const auto skipped = std::ranges::find(step.skipped, job.what, &repo::SkippedJob::what);
            text += fmt::format(
                "{} {:<12} next {}, seen to until {}{}\n", stanza, job.what,
                text_of(job.when.next(wall_minute(now))), text_of(handled_.at(stanza).at(job.what)),
                step.run == job.what            ? "; would run now"
                : skipped != step.skipped.end() ? "; would be skipped: " + skipped->why
                                                : "");
        }
    }
    return text.empty() ? "nothing is scheduled\n" : text;
}

}  // namespace howdah::cli
