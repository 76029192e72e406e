#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "repo/archive_info.h"
#include "repo/backup_info.h"
#include "repo/cipher.h"
#include "repo/manifest.h"
#include "repo/stored_form.h"
#include "store/store.h"

namespace howdah::backup {

/// One configured repository: its files, and the pass phrase of its info files.
class Repository {
public:
    /// `cipher_pass`: empty when it is not encrypted.
    Repository(std::uint32_t index, std::unique_ptr<store::Store> store, std::string cipher_pass);

    std::uint32_t index() const { return index_; }
    std::string name() const;  ///< "repo1", as messages say
    store::Store& store() { return *store_; }
    bool encrypted() const { return !cipher_pass_.empty(); }

    /// Main file or copy. Errors: Errc::not_found when neither is there, others when damaged.
    Result<repo::ArchiveInfo> archive_info(std::string_view stanza);
    Result<repo::BackupInfo> backup_info(std::string_view stanza);
    /// Main file or copy. Errors: as above; Errc::corrupt for the manifest of another backup.
    Result<repo::Manifest> manifest(std::string_view stanza, const repo::Label& label);
    /// Main file, then copy.
    Result<> save(std::string_view stanza, const repo::ArchiveInfo& info);
    Result<> save(std::string_view stanza, const repo::BackupInfo& info);

    /// Writes what `source` gives in this form; it is durable then. Returns the stored size.
    Result<std::uint64_t> put(std::string_view path, store::Source& source,
                              const repo::StoredForm& form);
    /// How to decrypt the file at `path`, by what lies there; bundles as they are. Errors: those of
    /// the info file or manifest that holds the pass phrase.
    Result<repo::StoredForm> cipher_of(std::string_view path);
    /// The way back, into `sink`, with the SHA-1 of what came out. `sink` may be null: only the
    /// sum.
    Result<repo::Sha1Digest> get(std::string_view path, store::Sink* sink,
                                 const repo::StoredForm& form);

private:
    Result<std::string> load(const std::string& path);
    Result<> save_both(const std::string& path, std::string_view text);

    std::uint32_t index_;
    std::unique_ptr<store::Store> store_;
    std::string cipher_pass_;
};

/// Random bytes of the system for salts and pass phrases.
repo::Salt fresh_salt();
std::string fresh_pass_phrase();

}  // namespace howdah::backup
