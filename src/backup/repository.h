#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "files/files.h"
#include "repo/info/archive_info.h"
#include "repo/info/backup_info.h"
#include "repo/manifest/manifest.h"
#include "repo/stream/cipher.h"
#include "repo/stream/stored_form.h"

namespace howdah::backup {

/// The backrest-version that Howdah writes. pgBackRest reads any text there.
inline constexpr std::string_view written_by = "Howdah";

/// One configured repository: its files, and the pass phrase of its info files.
class Repository {
public:
    /// `cipher_pass`: empty when it is not encrypted.
    Repository(std::uint32_t index, std::unique_ptr<files::Files> files, std::string cipher_pass);

    std::uint32_t index() const { return index_; }
    std::string name() const;  ///< "repo1", as messages say
    files::Files& files() { return *files_; }
    bool encrypted() const { return !cipher_pass_.empty(); }

    /// Main file or copy. Errors: Errc::not_found when neither is there, others when damaged.
    Result<repo::ArchiveInfo> archive_info(std::string_view stanza);
    Result<repo::BackupInfo> backup_info(std::string_view stanza);
    /// Main file or copy. Errors: as above; Errc::corrupt for the manifest of another backup.
    Result<repo::Manifest> manifest(std::string_view stanza, const repo::Label& label);
    /// Main file, then copy.
    Result<> save(std::string_view stanza, const repo::ArchiveInfo& info);
    Result<> save(std::string_view stanza, const repo::BackupInfo& info);

    /// backup.manifest.copy, then backup.manifest: from now on the backup counts. `pass`: of
    /// manifests, in backup.info.
    Result<> save(std::string_view stanza, const repo::Manifest& manifest, const std::string& pass);
    /// backup.manifest.copy alone, while the backup goes on.
    Result<> save_unfinished(std::string_view stanza, const repo::Manifest& manifest,
                             const std::string& pass);
    /// The manifest in backup.history, which stays when the backup has expired.
    Result<> save_history(std::string_view stanza, const repo::Manifest& manifest,
                          const std::string& pass);

    /// Writes what `source` gives in this form; it is durable then. Returns the stored size.
    /// Errors: as Files::write and its sink.
    Result<std::uint64_t> put(std::string_view path, files::Source& source,
                              const repo::StoredForm& form,
                              files::IfTaken taken = files::IfTaken::replace);
    /// The same of what lies in memory.
    Result<> put(std::string_view path, Bytes content, const repo::StoredForm& form,
                 files::IfTaken taken = files::IfTaken::replace);
    /// How to decrypt the file at `path`, by what lies there; bundles as they are. Errors: those of
    /// the info file or manifest that holds the pass phrase.
    Result<repo::StoredForm> cipher_of(std::string_view path);
    /// The way back, into `sink`, with the SHA-1 of what came out. `sink` may be null: only the
    /// sum.
    Result<repo::Sha1Digest> get(std::string_view path, files::Sink* sink,
                                 const repo::StoredForm& form);

private:
    Result<std::string> load(const std::string& path);
    Result<> write_manifest(const std::string& path, const repo::Manifest& manifest,
                            const repo::StoredForm& form);
    Result<> save_both(const std::string& path, std::string_view text);

    std::uint32_t index_;
    std::unique_ptr<files::Files> files_;
    std::string cipher_pass_;
};

/// Random bytes of the system for salts and pass phrases.
repo::Salt fresh_salt();
std::string fresh_pass_phrase();

}  // namespace howdah::backup
