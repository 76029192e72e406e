#include "backup/command/archive/push_file.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <ranges>

#include "backup/command/archive/behind.h"
#include "backup/command/archive/segment_copy.h"
#include "backup/local_file.h"
#include "backup/options/exit_code.h"
#include "io/files.h"
#include "pg/reserved_timeline.h"
#include "repo/archive_name.h"
#include "repo/paths.h"
#include "repo/stream/gz_whole.h"

namespace howdah::backup {

void Room::Free::operator()(void* memory) const {
    std::free(memory);
}

/// In large pages, where the kernel has them: page by page the faults of 16 MiB cost a single push
/// as much as summing it.
MutableBytes Room::of(std::size_t bytes) {
    constexpr std::size_t large_page = std::size_t{2} << 20;
    if (bytes > size_) {
        size_ = (bytes + large_page - 1) / large_page * large_page;
        bytes_.reset(static_cast<std::byte*>(std::aligned_alloc(large_page, size_)));
        HD_CHECK(bytes_ != nullptr);
        (void)madvise(bytes_.get(), size_, MADV_HUGEPAGE);  // without them it is but slower
    }
    return {bytes_.get(), bytes};
}

namespace {

constexpr std::uint16_t long_header_flag = 2;  // XLP_LONG_HEADER of xlog_internal.h
constexpr std::size_t header_size = 40;
/// Longer files are read as streams; segments are 16 MiB, rarely more.
constexpr std::uint64_t longest_in_memory = std::uint64_t{64} << 20;

/// The system identifier and the size of a segment, in its first page. Source: PostgreSQL's
/// XLogLongPageHeaderData.
Result<> check_header(const std::string& path, Bytes header, std::uint64_t system_id) {
    std::uint16_t info = 0;
    std::uint64_t found = 0;
    std::uint32_t segment_bytes = 0;
    if (header.size() >= header_size) {
        std::memcpy(&info, header.data() + 2, sizeof info);
        std::memcpy(&found, header.data() + 24, sizeof found);
        std::memcpy(&segment_bytes, header.data() + 32, sizeof segment_bytes);
    }
    if ((info & long_header_flag) == 0) {
        return fail(Errc::unsafe, fmt::format("{} does not begin as a WAL segment does", path),
                    "--no-archive-header-check archives it all the same");
    }
    if (found != system_id) {
        return fail(Errc::unsafe,
                    fmt::format("{} is WAL of the cluster with system identifier {}, not of {}",
                                path, found, system_id));
    }
    struct stat facts{};
    if (stat(path.c_str(), &facts) != 0) {
        return fail_local("look at", path);
    }
    if (static_cast<std::uint64_t>(facts.st_size) != segment_bytes) {
        return fail(
            Errc::unsafe,
            fmt::format("{} has {} bytes, a segment of this cluster has {}: it is not whole", path,
                        facts.st_size, segment_bytes),
            "--no-archive-header-check archives it all the same");
    }
    return {};
}

/// Fills `out` from the front; how much there was.
Result<std::size_t> read_up_to(files::Source& source, MutableBytes out) {
    std::size_t used = 0;
    while (used < out.size()) {
        HD_TRY(const auto got, source.read(out.subspan(used)));
        if (got == 0) {
            break;
        }
        used += got;
    }
    return used;
}

/// A segment as all repositories shall get it, and its sum. For gz it is read into memory and
/// compressed as a whole, once for all of them; in other forms it passes in small blocks, for which
/// the processor's caches are faster than 16 MiB of fresh memory.
class SegmentContent {
public:
    SegmentContent(const Options& options, PushRoom& room)
        : compress_(options.compress),
          level_(options.compress_level.value_or(repo::levels_of(compress_).standard)),
          room_(room) {}

    /// The header and the sum. `system_id`: that the header must tell.
    Result<repo::Sha1Digest> read(const std::string& path, std::optional<std::uint64_t> system_id) {
        path_ = path;
        HD_TRY(const auto source, open_local(path));
        std::error_code unknown;
        const auto size = std::filesystem::file_size(path, unknown);
        const auto streamed =
            compress_ != repo::CompressType::gz || unknown || size > longest_in_memory;
        const auto room = room_.original.of(streamed ? header_size : size);
        HD_TRY(const auto got, read_up_to(*source, room));
        if (system_id) {
            HD_TRY_VOID(check_header(path, room.first(got), *system_id));
        }
        if (streamed) {
            return sum_of_local(path);
        }
        original_ = room.first(got);
        return repo::sha1_of(*original_);
    }

    /// Writes it to `path`, which must not be there yet: Errc::conflict.
    Result<> put(Repository& repository, const std::string& path, const std::string& pass) {
        constexpr auto taken = files::IfTaken::refuse;
        if (!original_) {
            const repo::StoredForm form{
                .compress = compress_, .level = level_, .cipher_pass = pass};
            HD_TRY(const auto source, open_local(path_));
            HD_TRY_VOID(repository.put(path, *source, form, taken));
            return {};
        }
        if (!packed_) {
            packed_ = repo::gz_pack(*original_, level_,
                                    room_.stored.of(repo::gz_bound(original_->size())));
        }
        return repository.put(path, *packed_, {.cipher_pass = pass}, taken);
    }

private:
    repo::CompressType compress_;
    int level_;
    PushRoom& room_;
    std::string path_{};
    std::optional<Bytes> original_{}, packed_{};  ///< in the room
};

/// One file on its way into the repositories.
class Push {
public:
    Push(const Site& site, const ClusterFacts& cluster, std::string path, const Notes& notes,
         PushRoom& room)
        : site_(site),
          cluster_(cluster),
          notes_(notes),
          path_(std::move(path)),
          name_(std::filesystem::path(path_).filename().string()),
          content_(site.options, room) {}

    const std::string& name() const { return name_; }

    /// Reads the file once, if it is one whose name will tell its sum.
    Result<> prepare() {
        HD_TRY(const auto kind, repo::wal_file(name_));
        if (repo::is_hashed(kind)) {
            HD_TRY(sum_, content_.read(path_, site_.options.archive_header_check
                                                  ? std::optional(cluster_.system_id)
                                                  : std::nullopt));
        }
        return {};
    }

    Result<> into(Repository& repository) {
        const auto loaded = repository.archive_info(site_.stanza());
        if (!loaded) {
            return std::unexpected(ending_with(ExitCode::repo_invalid, loaded.error()));
        }
        const auto& info = *loaded;
        const auto& archived = info.history.at(info.current);
        if (archived.system_id != cluster_.system_id || archived.version != cluster_.version) {
            return fail_with(ExitCode::repo_invalid, Errc::unsafe,
                             fmt::format("the stanza takes WAL of cluster {} version {}, this is "
                                         "cluster {} version {}",
                                         archived.system_id, archived.version, cluster_.system_id,
                                         cluster_.version),
                             "after pg_upgrade run stanza-upgrade");
        }
        auto folder = repo::archive_folder(site_.stanza()) + "/" + info.archive_id();
        if (const auto below = repo::wal_folder(name_); !below.empty()) {
            folder += "/" + below;
        }
        if (!sum_) {
            const auto put = put_by_name(repository, folder, info.cipher_pass);
            const bool taken = !put && exit_code_of(put.error()) == ExitCode::archive_duplicate;
            return taken && is_nobodys_history() ? Result<>{} : put;
        }
        HD_TRY(const auto there, holds(repository, folder));
        return there.empty() ? put_new(repository, folder, info.cipher_pass)
                             : is_there_already(repository, folder);
    }

private:
    Result<> put_new(Repository& repository, const std::string& folder, const std::string& pass) {
        const auto stored =
            folder + "/" + repo::stored_wal_name(name_, *sum_, site_.options.compress);
        const auto put = content_.put(repository, stored, pass);
        const bool taken = !put && put.error().code == Errc::conflict;
        if (!put && !taken) {
            return std::unexpected(put.error());
        }
        const auto there = holds(repository, folder);
        if (!there && put && there.error().code == Errc::unsafe) {
            // Other bytes of that name: neither says that it archived anything until one is alone.
            HD_TRY_VOID(repository.files().remove(stored));
        }
        if (!there) {
            // What could not be looked at stays: somebody else may have counted on it.
            return std::unexpected(there.error());
        }
        if (there->empty()) {
            return fail(
                Errc::unavailable,
                fmt::format("{} was being written by somebody else, and is not there", stored),
                "it is tried again");
        }
        return taken ? is_there_already(repository, folder) : keep_one(repository, *there, pass);
    }

    /// Somebody else may have pushed the same bytes in another form between the look and the write:
    /// pgBackRest takes two of one segment for an error. Whoever comes last sees both; the first by
    /// name stays, if it is whole.
    Result<> keep_one(Repository& repository, const std::vector<std::string>& stored,
                      const std::string& pass) const {
        if (stored.size() < 2) {
            return {};
        }
        const auto& stays = stored.front();
        const auto sum = repository.get(
            stays, nullptr, {.compress = repo::type_of_file(stays), .cipher_pass = pass});
        if (!sum || *sum != *sum_) {
            return {};
        }
        for (const auto& path : stored | std::views::drop(1)) {
            HD_TRY_VOID(repository.files().remove(path));
        }
        return {};
    }

    /// Whoever wrote it may not have made its name durable yet; PostgreSQL removes its own after
    /// this.
    Result<> is_there_already(Repository& repository, const std::string& folder) const {
        HD_TRY_VOID(repository.files().sync_tree(folder));
        notes_.warn(
            fmt::format("WAL file '{}' already exists in the {} archive with the same "
                        "checksum",
                        name_, repository.name()));
        return {};
    }

    /// A file whose name says nothing of its content: the one that is there stays.
    Result<> put_by_name(Repository& repository, const std::string& folder,
                         const std::string& pass) const {
        const auto path = folder + "/" + name_;
        HD_TRY(const auto source, open_local(path_));
        const auto put =
            repository.put(path, *source, {.cipher_pass = pass}, files::IfTaken::refuse);
        if (put || put.error().code != Errc::conflict) {
            return put ? Result<>{} : std::unexpected(put.error());
        }
        const auto stored = repository.get(path, nullptr, {.cipher_pass = pass});
        HD_TRY(const auto own, sum_of_local(path_));
        if (stored == own) {
            return is_there_already(repository, folder);
        }
        if (name_.ends_with(".history")) {
            // Another cluster's timeline of that number.
            return stored ? is_of_another(repository) : std::unexpected(stored.error());
        }
        // PostgreSQL may lose the end of its own in a crash; nothing is recovered by it.
        notes_.warn(
            fmt::format("backup label '{}' already exists in the {} archive with another "
                        "content, which stays",
                        name_, repository.name()));
        return {};
    }

    /// One that only keeps a number from being taken: whose it has become, an earlier primary whom
    /// this one never saw has archived.
    bool is_nobodys_history() const {
        const auto content = io::read_file(path_);
        return content && *content == pg::reserved_history;
    }

    std::unexpected<Error> is_of_another(const Repository& repository) const {
        return fail_with(ExitCode::archive_duplicate, Errc::unsafe,
                         fmt::format("WAL file '{}' already exists in the {} archive with a "
                                     "different checksum",
                                     name_, repository.name()),
                         "two clusters may be archiving into one stanza: nothing was changed");
    }

    /// The paths of this very content, by name; more than one in several forms. Errors:
    /// Errc::unsafe when another content is there.
    Result<std::vector<std::string>> holds(Repository& repository,
                                           const std::string& folder) const {
        std::vector<std::string> there;
        HD_TRY_VOID(repository.files().list(folder, [&](const files::Entry& entry) -> Result<> {
            const auto file = entry.path.substr(entry.path.rfind('/') + 1);
            const auto segment = repo::parse_stored_segment(file);
            if (!segment || segment->name != name_) {
                return {};
            }
            if (segment->sum != *sum_) {
                return is_of_another(repository);
            }
            there.push_back(entry.path);
            return {};
        }));
        return there;
    }

    const Site& site_;
    const ClusterFacts& cluster_;
    const Notes& notes_;
    std::string path_, name_;
    SegmentContent content_;
    std::optional<repo::Sha1Digest> sum_{};
};

/// How many files an optional repository is given after it has come back, each time that another
/// is pushed.
constexpr std::size_t caught_up_at_once = 16;

/// A repository that nobody waits for: what it does not get is noted, and follows.
class OptionalPush {
public:
    OptionalPush(Site& site, const ClusterFacts& cluster, Repository& repository,
                 const Notes& notes)
        : site_(site),
          cluster_(cluster),
          repository_(repository),
          notes_(notes),
          behind_(site.options.archive.spool_path, site.stanza(), repository.index()) {}

    void run(Push& push) {
        if (behind_.rests()) {
            owe(push.name(), "it failed less than half a minute ago");
            return;
        }
        if (const auto pushed = push.into(repository_); !pushed) {
            if (!is_about_the_file(pushed.error())) {
                behind_.failed();
            }
            owe(push.name(), pushed.error().message);
            return;
        }
        (void)behind_.settle(push.name());
        if (const auto caught_up = catch_up(); !caught_up) {
            behind_.failed();
            notes_.warn(fmt::format("{} is still behind: {}", repository_.name(),
                                    caught_up.error().message));
        }
    }

private:
    void owe(const std::string& name, const std::string& why) {
        const auto noted = behind_.add(name);
        notes_.warn(noted ? fmt::format("WAL file '{}' is not in {} yet, which is optional: {}",
                                        name, repository_.name(), why)
                          : fmt::format("WAL file '{}' is missing in {}, which is optional, and "
                                        "this cannot be noted, so that it will not follow: {}; {}",
                                        name, repository_.name(), why, noted.error().message));
    }

    /// From a repository that had to have them.
    Result<> catch_up() {
        HD_TRY(const auto names, behind_.files());
        if (names.empty()) {
            return {};
        }
        const auto from = std::ranges::find_if(site_.repositories, [&](const Repository& each) {
            return !site_.options.repository(each.index()).optional;
        });
        const repo::ArchivedCluster whose{.system_id = cluster_.system_id,
                                          .version = cluster_.version};
        HD_TRY(const auto source, wal_home(*from, site_.stanza(), whose));
        HD_TRY(const auto target, wal_home(repository_, site_.stanza(), whose));
        std::size_t settled = 0, stuck = 0;
        for (const auto& name : names) {
            if (settled == caught_up_at_once || stuck == caught_up_at_once) {
                break;
            }
            const auto copied = copy_wal_file(site_, source, target, name);
            if (!copied && is_about_the_file(copied.error())) {
                ++stuck;
                notes_.warn(fmt::format("WAL file '{}' cannot follow into {}: {}", name,
                                        repository_.name(), copied.error().message));
                continue;
            }
            if (!copied && copied.error().code != Errc::not_found) {
                return std::unexpected(copied.error());
            }
            if (!copied) {
                notes_.warn(fmt::format("WAL file '{}' never came to {}: {} has it no more", name,
                                        repository_.name(), from->name()));
            }
            HD_TRY_VOID(behind_.settle(name));
            ++settled;
        }
        return {};
    }

    /// Damaged, or another content is there: the others may follow all the same.
    static bool is_about_the_file(const Error& error) {
        return error.code == Errc::corrupt || error.code == Errc::unsafe ||
               error.code == Errc::conflict;
    }

    Site& site_;
    const ClusterFacts& cluster_;
    Repository& repository_;
    const Notes& notes_;
    Behind behind_;
};

}  // namespace

Result<> push_file(Site& site, const ClusterFacts& cluster, const std::string& path,
                   const Notes& notes, PushRoom& room) {
    Push push(site, cluster, path, notes, room);
    HD_TRY_VOID(push.prepare());
    const auto is_optional = [&](const Repository& repository) {
        return site.options.repository(repository.index()).optional;
    };
    std::optional<Error> failed;
    for (auto& repository : site.repositories) {
        const auto pushed = is_optional(repository) ? Result<>{} : push.into(repository);
        if (pushed) {
            continue;
        }
        auto error = Error(pushed.error()).within(repository.name());
        if (!failed) {
            failed = std::move(error);
        } else {
            failed->message += "; " + error.message;
        }
    }
    if (failed) {
        return std::unexpected(*std::move(failed));
    }
    for (auto& repository : site.repositories) {
        if (is_optional(repository)) {
            OptionalPush(site, cluster, repository, notes).run(push);
        }
    }
    return {};
}

}  // namespace howdah::backup
