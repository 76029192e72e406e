#include "ha/explain.h"

#include <fmt/format.h>

#include "ha/rules.h"

namespace howdah::ha {
namespace {

std::string local_obstacle(const View& v) {
    const auto& local = v.local;
    if (local.data_dir == DataDir::empty) {
        return "there is no data here yet: a base backup has to be made";
    }
    if (local.data_dir == DataDir::broken) {
        return "the data directory holds files, but no PostgreSQL cluster, or a restore was broken "
               "off in it (backup.manifest is there): finish that with restore --delta, or move "
               "the directory away";
    }
    if (local.job.running) {
        return fmt::format("a job has been running for {} and has to end",
                           seconds_text(v.now - local.job.since));
    }
    if (!local.postmaster) {
        return local.job.error.empty()
                   ? "PostgreSQL does not run here"
                   : fmt::format("PostgreSQL does not run here: {}", local.job.error);
    }
    if (!local.accepting) {
        return local.no_answer.empty() ? "PostgreSQL does not answer here"
                                       : "PostgreSQL does not answer here: " + local.no_answer;
    }
    return {};
}

/// What others, or time, have to do first.
std::string outer_obstacle(const View& v) {
    const auto* record = record_of(v);
    if (record == nullptr) {
        const auto damage = damage_of(v.cluster->record);
        return damage.empty() ? "the scope has no leader record"
                              : damage + "; `howdah dcs recover` writes it anew";
    }
    if (record->holder == v.self.uuid && v.tenure) {
        return votes_missing(v)
                   ? "the members of the sync set have to answer its seal; if they are gone for "
                     "good: " +
                         way_out(v)
               : !barrier_passed(v)
                   ? fmt::format("'{}' must hold its WAL up to {}", v.local.sync_standby_names,
                                 v.memory.noticed.writable_lsn.text())
                   : "it holds the record; PostgreSQL has to become writable";
    }
    switch (record->state) {
        case RecordState::handover:
            return record->handover_to == v.self.uuid
                       ? fmt::format("it has to replay WAL up to {}", record->lsn.text())
                       : "the record is handed to another member";
        case RecordState::released:
            return fmt::format("{} released the record at {}; who has all WAL claims first",
                               record->holder_name, record->lsn.text());
        case RecordState::claimed:
        case RecordState::primary:
            break;
    }
    const auto free_at = wait_ends(v);
    return fmt::format(
        "{} holds epoch {}: it has to hand over or release, or be silent for {} "
        "(now for {})",
        record->holder_name, record->epoch,
        seconds_text(free_at - v.memory.noticed.record_first_seen),
        seconds_text(v.now - v.memory.noticed.record_first_seen));
}

}  // namespace

std::vector<std::string> obstacles(const View& v) {
    std::vector<std::string> all;
    if (v.tenure && v.tenure->record.state == RecordState::primary &&
        v.local.role == Role::primary && v.local.accepting) {
        return all;
    }
    if (!v.cluster) {
        return {"the store has not answered yet"};
    }
    if (auto here = local_obstacle(v); !here.empty()) {
        all.push_back(std::move(here));
    }
    if (record_of(v) != nullptr && !v.tenure) {
        const auto more = ineligibilities(v);
        all.insert(all.end(), more.begin(), more.end());
    }
    all.push_back(outer_obstacle(v));
    return all;
}

}  // namespace howdah::ha
