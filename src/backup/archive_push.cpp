#include "backup/archive_push.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <filesystem>

#include "backup/local_file.h"
#include "repo/archive_name.h"
#include "repo/paths.h"

namespace howdah::backup {
namespace {

constexpr std::uint16_t long_header_flag = 2;  // XLP_LONG_HEADER of xlog_internal.h

/// The system identifier in the first page of a segment. Source: PostgreSQL's
/// XLogLongPageHeaderData.
Result<> check_header(const std::string& path, std::uint64_t system_id) {
    HD_TRY(const auto source, open_local(path));
    std::array<std::byte, 40> header{};
    HD_TRY(const auto got, source->read(header));
    std::uint16_t info = 0;
    std::uint64_t found = 0;
    std::memcpy(&info, header.data() + 2, sizeof info);
    std::memcpy(&found, header.data() + 24, sizeof found);
    if (got < header.size() || (info & long_header_flag) == 0) {
        return fail(Errc::unsafe, fmt::format("{} does not begin as a WAL segment does", path),
                    "--no-archive-header-check archives it all the same");
    }
    if (found != system_id) {
        return fail(Errc::unsafe,
                    fmt::format("{} is WAL of the cluster with system identifier {}, not of {}",
                                path, found, system_id));
    }
    return {};
}

/// One file on its way into one repository.
class Push {
public:
    Push(Repository& repository, const PushOrder& order, std::string name)
        : repository_(repository), order_(order), name_(std::move(name)) {}

    Result<> run(const std::optional<repo::Sha1Digest>& sum, std::vector<std::string>& warnings) {
        HD_TRY(const auto info, repository_.archive_info(order_.stanza));
        const auto& archived = info.history.at(info.current);
        if (archived.system_id != order_.cluster.system_id ||
            archived.version != order_.cluster.version) {
            return fail(Errc::unsafe,
                        fmt::format("the stanza takes WAL of cluster {} version {}, this is "
                                    "cluster {} version {}",
                                    archived.system_id, archived.version, order_.cluster.system_id,
                                    order_.cluster.version),
                        "after pg_upgrade run stanza-upgrade");
        }
        auto folder = repo::archive_folder(order_.stanza) + "/" + info.archive_id();
        if (const auto below = repo::wal_folder(name_); !below.empty()) {
            folder += "/" + below;
        }
        if (sum) {
            HD_TRY(const auto there, look_for(folder, *sum));
            if (there) {
                warnings.push_back(
                    fmt::format("WAL file '{}' already exists in the {} archive "
                                "with the same checksum",
                                name_, repository_.name()));
                return {};
            }
        }
        const auto compress = sum ? order_.compress : repo::CompressType::none;
        const auto stored = sum ? repo::stored_wal_name(name_, *sum, compress) : name_;
        HD_TRY(const auto source, open_local(order_.wal_file));
        HD_TRY(const auto size,
               repository_.put(
                   folder + "/" + stored, *source,
                   {.compress = compress, .level = order_.level, .cipher_pass = info.cipher_pass}));
        (void)size;
        return {};
    }

private:
    /// Whether this very content is there. Errors: Errc::unsafe when another is.
    Result<bool> look_for(const std::string& folder, const repo::Sha1Digest& sum) {
        bool there = false;
        HD_TRY_VOID(repository_.store().list(folder, [&](const store::Entry& entry) -> Result<> {
            const auto file = entry.path.substr(entry.path.rfind('/') + 1);
            const auto segment = repo::parse_stored_segment(file);
            if (!segment || segment->name != name_) {
                return {};
            }
            if (segment->sum != sum) {
                return fail(Errc::unsafe,
                            fmt::format("WAL file '{}' already exists in the {} archive with a "
                                        "different checksum",
                                        name_, repository_.name()),
                            "two clusters may be archiving into one stanza: nothing was changed");
            }
            there = true;
            return {};
        }));
        return there;
    }

    Repository& repository_;
    const PushOrder& order_;
    std::string name_;
};

}  // namespace

Result<std::vector<std::string>> archive_push(std::vector<Repository>& repositories,
                                              const PushOrder& order) {
    const auto name = std::filesystem::path(order.wal_file).filename().string();
    HD_TRY(const auto kind, repo::wal_file(name));
    std::optional<repo::Sha1Digest> sum;
    if (repo::is_hashed(kind)) {
        if (order.check_header) {
            HD_TRY_VOID(check_header(order.wal_file, order.cluster.system_id));
        }
        HD_TRY(sum, sum_of_local(order.wal_file));
    }
    std::vector<std::string> warnings;
    std::optional<Error> failed;
    for (auto& repository : repositories) {
        const auto pushed = Push(repository, order, name).run(sum, warnings);
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
    return warnings;
}

}  // namespace howdah::backup
