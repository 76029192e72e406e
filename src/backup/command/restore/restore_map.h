#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "backup/options/options.h"
#include "repo/manifest/manifest.h"

namespace howdah::backup {

/// A symbolic link that a restore makes.
struct RestoredLink {
    std::string path{};         ///< on this host
    std::string destination{};  ///< as the link says; relative ones count from the link's folder
};

/// Where the parts of a backup go on this host.
class RestoreMap {
public:
    /// Errors: Errc::invalid for a map of a tablespace, folder or file that is not there,
    /// Errc::unsafe when two targets would lie in each other.
    static Result<RestoreMap> make(const repo::Manifest& manifest,
                                   const std::string& data_directory,
                                   const RestoreOptions& options);

    /// "pg_data/base/5/1249" -> "/var/lib/postgresql/15/main/base/5/1249". `name` is one that the
    /// manifest reader let pass: it has neither "." nor "..".
    std::string path_of(std::string_view name) const;
    /// Folders that belong to the restore alone, by name in the manifest: they must be empty, or
    /// are cleaned by --delta.
    const std::map<std::string, std::string>& own_folders() const { return own_folders_; }
    /// Single files outside that links lead to, likewise: they must not be there.
    const std::map<std::string, std::string>& own_files() const { return own_files_; }
    const std::string& data_directory() const { return roots_.find("pg_data")->second; }
    const std::vector<RestoredLink>& links() const { return links_; }
    /// Links of the backup that become plain folders or files.
    const std::vector<std::string>& plain_links() const { return plain_links_; }

private:
    Result<> add_tablespace(const repo::ManifestHeader& header, const repo::ManifestTarget& target,
                            const RestoreOptions& options);
    void add_link(const repo::ManifestTarget& target, const RestoreOptions& options);
    /// Of what is a plain folder or file in the backup.
    Result<> add_new_link(const repo::Manifest& manifest, const std::string& below,
                          const std::string& destination);
    void add_link_to(const std::string& name, const std::string& destination, bool is_file);
    Result<> check_apart() const;

    std::map<std::string, std::string, std::less<>> roots_{};  ///< name in the manifest -> path
    std::map<std::string, std::string> own_folders_{}, own_files_{};
    std::vector<RestoredLink> links_{};
    std::vector<std::string> plain_links_{};
};

}  // namespace howdah::backup
