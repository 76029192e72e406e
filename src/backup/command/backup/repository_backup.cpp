#include "backup/command/backup/repository_backup.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "backup/command/backup/listing.h"
#include "backup/command/backup/unfinished.h"
#include "backup/command/known_backups.h"
#include "backup/options/exit_code.h"
#include "backup/size_text.h"
#include "repo/archive_name.h"
#include "repo/paths.h"
#include "repo/plan/backup_summary.h"
#include "repo/plan/changes.h"

namespace howdah::backup {
namespace {

bool is_blank(std::string_view text) {
    return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

/// What a manifest says of options that Howdah has not: pgBackRest's defaults.
constexpr std::uint64_t usual_buffer_size = std::uint64_t{1} << 20;
constexpr std::int64_t usual_network_level = 1;

constexpr std::array of_running_servers{"archive-check", "archive-copy", "start-fast"};

/// Options that contradict each other. Errors: ExitCode::option_invalid.
Result<> check_options_fit(const Options& options, const RepositoryOptions& into) {
    const auto invalid = [](const std::string& option, const std::string& why) {
        return fail_with(ExitCode::option_invalid, Errc::invalid,
                         fmt::format("option '{}' is not valid {}", option, why));
    };
    for (const auto& name : options.named) {
        if (!options.online &&
            std::ranges::find(of_running_servers, name) != of_running_servers.end()) {
            return invalid(name, "without option 'online'");
        }
    }
    if (options.backup.archive_copy && !options.backup.archive_check) {
        return invalid("archive-copy", "without option 'archive-check'");
    }
    const auto own = [&](std::string_view name) {
        return fmt::format("repo{}-{}", into.index, name);
    };
    if (into.block && !into.bundle) {
        return invalid(own("block"), fmt::format("without option '{}'", own("bundle")));
    }
    if (into.hardlink && into.bundle) {
        return invalid(own("hardlink"), fmt::format("with option '{}'", own("bundle")));
    }
    return {};
}

}  // namespace

RepositoryBackup::RepositoryBackup(Site& site, Repository& repository, BackupFacts& facts)
    : site_(site),
      repository_(repository),
      facts_(facts),
      into_(site.options.repository(repository.index())) {}

Result<> RepositoryBackup::open() {
    type_ = facts_.type;
    HD_TRY_VOID(check_options_fit(options(), into_));
    HD_TRY(info_, known_backups(site_, repository_));
    return {};
}

Result<> RepositoryBackup::prepare() {
    HD_TRY_VOID(check_cluster());
    describe();
    return choose_prior();
}

Result<> RepositoryBackup::check_cluster() {
    const auto& cluster = facts_.cluster;
    HD_TRY(archive_, repository_.archive_info(site_.stanza()));
    const auto& known = info_.cluster();
    const auto& archived = archive_.history.at(archive_.current);
    if (known.system_id != cluster.system_id || known.version != cluster.version ||
        archived.system_id != cluster.system_id || archived.version != cluster.version) {
        return fail_with(
            ExitCode::backup_mismatch, Errc::unsafe,
            fmt::format("PostgreSQL version {}, system-id {} do not match stanza version {}, "
                        "system-id {}",
                        cluster.version, cluster.system_id, known.version, known.system_id),
            "is this the correct stanza? After pg_upgrade run stanza-upgrade");
    }
    return {};
}

/// What the manifest's header says of this cluster and these options.
void RepositoryBackup::describe() {
    const auto& options = site_.options;
    const auto usual = repo::levels_of(options.compress).standard;
    header() = {
        .written_by = std::string(written_by),
        .bundle = into_.bundle,
        .bundle_raw = into_.block,
        .block_incremental = into_.block,
        .history_id = info_.current,
        .cluster = {.catalog_version = facts_.cluster.catalog_version,
                    .control_version = facts_.cluster.control_version,
                    .system_id = facts_.cluster.system_id,
                    .version = facts_.cluster.version},
        .options = {.archive_check = online() && order().archive_check,
                    .archive_copy = online() && order().archive_check && order().archive_copy,
                    .backup_standby = !facts_.origin->standby_data.empty(),
                    .buffer_size = usual_buffer_size,
                    .checksum_page = order().checksum_page.value_or(server().page_checksums),
                    .compress = options.compress,
                    .compress_level = options.compress_level.value_or(usual),
                    .compress_level_network = usual_network_level,
                    .delta = order().delta,
                    .hardlink = into_.hardlink,
                    .online = online(),
                    .process_max = options.process_max},
        .cipher_pass = repository_.encrypted() ? fresh_pass_phrase() : "",
        .annotations = order().annotations};
    std::erase_if(header().annotations, [](const auto& each) { return each.second.empty(); });
    if (online() && header().options.checksum_page == true && !server().page_checksums) {
        site_.notes.warn(
            "checksum-page option set to true but checksums are not enabled on the "
            "cluster, resetting to false");
        header().options.checksum_page = false;
    }
}

Result<> RepositoryBackup::choose_prior() {
    const auto label = info_.prior_for(type_);
    if (!label && type_ != repo::BackupType::full) {
        site_.notes.warn(fmt::format("no prior backup exists, {} backup has been changed to full",
                                     repo::name_of(type_)));
        type_ = repo::BackupType::full;
    }
    header().type = type_;
    if (!label) {
        return {};
    }
    HD_TRY(prior_, repository_.manifest(site_.stanza(), *label));
    const auto& before = prior_->header;
    site_.notes.info(
        fmt::format("last backup label = {}, version = {}", label->text(), before.written_by));
    const auto reset = [&](std::string_view option, std::string_view value, std::string_view kept) {
        site_.notes.warn(
            fmt::format("{} backup cannot alter '{}' option to '{}', reset to '{}' "
                        "from {}",
                        repo::name_of(type_), option, value, kept, label->text()));
    };
    const auto yes_no = [](bool value) { return value ? "true" : "false"; };
    if (before.options.compress != options().compress) {
        reset("compress-type", repo::name_of(options().compress),
              repo::name_of(before.options.compress));
        header().options.compress_level = repo::levels_of(before.options.compress).standard;
    }
    if (before.options.checksum_page != header().options.checksum_page) {
        reset("checksum-page", yes_no(header().options.checksum_page.value_or(false)),
              yes_no(before.options.checksum_page.value_or(false)));
    }
    return {};
}

Result<> RepositoryBackup::await_segment(const std::string& segment) {
    HD_TRY_VOID(wait_for_archive(site_, repository_, needed(segment, segment)));
    return {};
}

NeededWal RepositoryBackup::needed(const std::string& first, const std::string& last) const {
    return {.archive_id = archive_.archive_id(),
            .first = pg::WalSegment::parse(first).value_or(pg::WalSegment{}),
            .last = pg::WalSegment::parse(last).value_or(pg::WalSegment{}),
            .segment_bytes = server().wal_segment_bytes,
            .data_directory = facts_.origin->data};
}

Result<> RepositoryBackup::list() {
    header().started = facts_.started;
    header().databases = facts_.databases;
    if (facts_.start) {
        header().wal_start = facts_.start->segment;
        header().lsn_start = facts_.start->lsn.text();
    }
    return list_cluster({.data = facts_.origin->data,
                         .online = online(),
                         .cluster = header().cluster,
                         .tablespaces = facts_.tablespaces,
                         .excludes = order().excludes},
                        manifest_, site_.notes);
}

Result<> RepositoryBackup::copy() {
    header().copy_started = facts_.copy_started;
    HD_TRY_VOID(choose_label());
    return copy_files();
}

Result<> RepositoryBackup::finish() {
    HD_TRY_VOID(online() ? add_end() : Result<>{});
    header().stopped = online() ? facts_.stopped : std::time(nullptr);
    return complete();
}

/// The label, which is that of an unfinished backup when this one goes on with it.
Result<> RepositoryBackup::choose_label() {
    HD_TRY(const auto unfinished,
           take_up_unfinished(site_, repository_,
                              {.resume = order().resume,
                               .written_by = header().written_by,
                               .type = type_,
                               .prior = prior_ ? std::optional(prior_->header.label) : std::nullopt,
                               .compress = header().options.compress,
                               .bundle = header().bundle,
                               .block_incremental = header().block_incremental}));
    if (unfinished) {
        HD_TRY(const auto kept, keep_copied(site_, repository_, *unfinished, manifest_));
        site_.notes.detail(fmt::format("{} files stay from the unfinished backup", kept));
    } else {
        HD_TRY(const auto newest, newest_label(repository_, site_.stanza()));
        HD_TRY(header().label,
               repo::next_label(
                   {.type = type_,
                    .full = prior_ ? std::optional(prior_->header.label.full()) : std::nullopt,
                    .now = local_time(header().started),
                    .newest = newest}));
    }
    header().references = {header().label};
    if (prior_) {
        repo::inherit(header(), prior_->header);
    }
    return {};
}

Result<> RepositoryBackup::keep_alive() {
    if (!online()) {
        return {};
    }
    auto& origin = *facts_.origin;
    HD_TRY_VOID(origin.primary->keep_alive());
    return origin.standby ? origin.standby->keep_alive() : Result<>{};
}

Result<> RepositoryBackup::copy_files() {
    const auto& checked = header().options.checksum_page;
    copies_.emplace(
        CopyOrder{.site = site_,
                  .repository = repository_,
                  .manifest_pass = info_.cipher_pass,
                  .data = facts_.origin->data,
                  .standby_data = facts_.origin->standby_data,
                  .level = static_cast<int>(header().options.compress_level.value_or(0)),
                  .bundling = {.on = into_.bundle,
                               .largest_file = into_.bundle_limit,
                               .full_at = into_.bundle_size},
                  .check_pages = checked.value_or(false),
                  .young_from = facts_.start ? std::optional(facts_.start->lsn) : std::nullopt,
                  .prior = prior_ ? &*prior_ : nullptr,
                  .save_every = order().manifest_save_threshold},
        manifest_, [this] { return keep_alive(); });
    HD_TRY_VOID(copies_->plan());
    HD_TRY_VOID(repository_.save_unfinished(site_.stanza(), manifest_, info_.cipher_pass));
    HD_TRY_VOID(make_folders());
    return copies_->run();
}

/// A full backup without bundles is a usable data directory when it is neither compressed nor
/// encrypted: empty folders and links to tablespaces belong to it.
Result<> RepositoryBackup::make_folders() {
    if (into_.bundle || (type_ != repo::BackupType::full && !into_.hardlink)) {
        return {};
    }
    const auto below = repo::backup_path(site_.stanza(), header().label) + "/";
    auto& files = repository_.files();
    for (const auto& path : header().paths) {
        HD_TRY_VOID(files.make_folder(below + path.name));
    }
    for (const auto& target : header().targets) {
        if (target.tablespace && into_.symlink) {
            HD_TRY_VOID(files.link(fmt::format("{}pg_data/{}", below, target.name),
                                   fmt::format("../../{}", target.name)));
        }
    }
    return {};
}

Result<> RepositoryBackup::add_end() {
    const auto& end = *facts_.end;
    header().stopped = facts_.stopped;
    header().wal_stop = end.place.segment;
    header().lsn_stop = end.place.lsn.text();
    TextSource label(end.backup_label);
    HD_TRY_VOID(
        copies_->add("pg_data/backup_label", label, end.backup_label.size(), header().stopped));
    if (!is_blank(end.tablespace_map)) {
        TextSource map(end.tablespace_map);
        HD_TRY_VOID(copies_->add("pg_data/tablespace_map", map, end.tablespace_map.size(),
                                 header().stopped));
    }
    if (!order().archive_check) {
        return {};
    }
    site_.notes.info(
        fmt::format("check archive for segment(s) {}:{}", *header().wal_start, *header().wal_stop));
    HD_TRY(const auto stored,
           wait_for_archive(site_, repository_, needed(*header().wal_start, *header().wal_stop)));
    return header().options.archive_copy ? archive_copy(stored) : Result<>{};
}

/// The WAL that makes the backup consistent, in the backup itself.
Result<> RepositoryBackup::archive_copy(const std::vector<std::string>& stored) {
    for (const auto& path : stored) {
        const auto file = path.substr(path.rfind('/') + 1);
        const auto segment = repo::parse_stored_segment(file);
        HD_TRY(auto source, repository_.files().read(path));
        UnpackedSource wal(std::move(source),
                           {.compress = segment->compress, .cipher_pass = archive_.cipher_pass});
        HD_TRY_VOID(copies_->add("pg_data/pg_wal/" + segment->name, wal, server().wal_segment_bytes,
                                 header().stopped));
    }
    return {};
}

Result<> RepositoryBackup::complete() {
    const auto& stanza = site_.stanza();
    HD_TRY_VOID(repository_.files().sync_tree(repo::backup_path(stanza, header().label)));
    site_.notes.info(fmt::format("new backup label = {}", header().label.text()));
    HD_TRY_VOID(repository_.save(stanza, manifest_, info_.cipher_pass));
    HD_TRY_VOID(repository_.save_history(stanza, manifest_, info_.cipher_pass));
    if (into_.symlink) {
        HD_TRY_VOID(repository_.files().link(repo::latest_path(stanza), header().label.text()));
    }
    return save_info();
}

Result<> RepositoryBackup::save_info() {
    const auto& stanza = site_.stanza();
    const auto summary = repo::summary_of(manifest_);
    info_.written_by = written_by;
    info_.backups.insert_or_assign(header().label, summary);
    HD_TRY_VOID(repository_.save(stanza, info_));
    // The same content anew, so that rules by age of an object store do not take it.
    HD_TRY_VOID(repository_.save(stanza, archive_));
    site_.notes.info(fmt::format("{} backup size = {}, file total = {}", repo::name_of(type_),
                                 size_text(summary.sizes.delta), manifest_.files.size()));
    return {};
}

}  // namespace howdah::backup
