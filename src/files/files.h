#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

/// A repository's files, wherever they lie: a folder (files/posix), a bucket (files/s3), memory for
/// tests (files/fake). Every call blocks the thread that makes it; one may be used by many
/// threads at once, a Source or a Sink by one.
///
/// Paths are relative to the root, parts divided by '/', and neither begin nor end with it;
/// "" is the root. Errc::invalid for a path with an empty part, "." or "..": nothing outside of the
/// root can be named.
namespace howdah::files {

enum class EntryKind : std::uint8_t { file, folder, link, other };

struct Entry {
    std::string path{};  ///< whole, from the root
    EntryKind kind = EntryKind::file;
    std::uint64_t size = 0;  ///< bytes, of a file
    std::int64_t modified_unix_s = 0;
    std::string target{};  ///< of a link, as it is written

    bool operator==(const Entry&) const = default;
};

/// Bytes of one stored file, in order.
class Source {
public:
    virtual ~Source() = default;
    /// Fills the front of `out`; how much. 0: the end. Errors: Errc::io, Errc::unavailable.
    virtual Result<std::size_t> read(MutableBytes out) = 0;
};

/// A file being written. Nobody sees it before finish() has returned; destroyed without it, it
/// never was.
class Sink {
public:
    virtual ~Sink() = default;
    virtual Result<> write(Bytes bytes) = 0;
    /// Afterwards the file is there as a whole and survives a power failure. Errors: as write; of
    /// Errc::unavailable it is unknown whether it happened.
    virtual Result<> finish() = 0;
};

struct ReadRange {
    std::uint64_t offset = 0;
    std::optional<std::uint64_t> size{};  ///< none: to the end
};

/// When the name of a new file survives a power failure; its content does as its sink finishes.
enum class NameSync : std::uint8_t {
    at_once,
    by_sync_tree,  ///< when sync_tree() has run on a folder above: for many files of one whole
};

/// What a sink does when the name it was made for is taken as it finishes.
enum class IfTaken : std::uint8_t {
    replace,  ///< at once: the old file or the new one is there
    /// Errc::conflict; of two that finish at the same moment one is refused, but in a bucket, where
    /// the last one stays, whole
    refuse,
};

/// A right that one holder at a time has; it ends with the object.
class Hold {
public:
    virtual ~Hold() = default;
    /// How far the holder has come, for whoever asks: 1234 is 12.34 %. May be lost.
    virtual void note_progress(std::uint32_t hundredths) = 0;
};

/// What is known of a right that somebody has.
struct Held {
    std::optional<std::uint32_t> hundredths{};  ///< as Hold::note_progress; none: nothing was noted
};

class Files {
public:
    virtual ~Files() = default;

    /// For messages: "/var/lib/pgbackrest", "s3://bucket/path".
    virtual std::string name() const = 0;

    /// Errors: Errc::not_found, Errc::io, Errc::unavailable.
    virtual Result<std::unique_ptr<Source>> read(std::string_view path, ReadRange range = {}) = 0;
    /// Folders above are made. Any number of sinks, also of several processes, may be open for one
    /// path: each writes a file of its own until it finishes.
    virtual Result<std::unique_ptr<Sink>> write(std::string_view path,
                                                NameSync names = NameSync::at_once,
                                                IfTaken taken = IfTaken::replace) = 0;
    /// Removes what sinks have left right below a folder that never finished, their processes being
    /// gone. Only for who knows that nobody writes there.
    virtual Result<> remove_unfinished(std::string_view folder) = 0;
    /// Makes all names in and below a folder durable.
    virtual Result<> sync_tree(std::string_view folder) = 0;

    /// nullopt: nothing there. A link is not followed.
    virtual Result<std::optional<Entry>> stat(std::string_view path) = 0;
    /// What lies right below a folder, in the order of bytes of the names; nothing for a folder
    /// that is not there. Sinks that are not finished do not show.
    virtual Result<> list(std::string_view folder,
                          const std::function<Result<>(const Entry&)>& each) = 0;

    /// Durable, as a sink's finish(). Nothing there is success.
    virtual Result<> remove(std::string_view path) = 0;
    /// A folder with all that is in it. Nothing there is success.
    virtual Result<> remove_tree(std::string_view folder) = 0;
    /// Where there are folders, so that an empty one is kept; elsewhere nothing happens.
    virtual Result<> make_folder(std::string_view folder) = 0;
    /// A second name for the file `existing`; where there are none (S3), nothing happens, so that
    /// nobody may rely on it. Errors: Errc::not_found, Errc::conflict when `path` is taken.
    virtual Result<> hard_link(std::string_view path, std::string_view existing) = 0;
    /// Where another host serves the files: keeps apart who works there on `what` ("backup",
    /// "archive") of the client's stanza, of all hosts and of programs on that one. Once it is lost
    /// (its connection broke), all that this object would change is refused with Errc::conflict.
    /// nullptr: nobody else serves them. Errors: Errc::conflict when somebody holds it,
    /// Errc::unavailable.
    virtual Result<std::unique_ptr<Hold>> hold(std::string_view what) {
        (void)what;
        return nullptr;
    }
    /// Of a stanza's right as hold() gives it, there, to whomever; nullopt: nobody holds it, or
    /// nobody else serves the files. Errors: Errc::invalid from a host that does not tell.
    virtual Result<std::optional<Held>> held(std::string_view what, std::string_view stanza) {
        (void)what, (void)stanza;
        return std::nullopt;
    }
    /// A symbolic link, replaced if it is there; where there are none (S3), nothing happens.
    virtual Result<> link(std::string_view path, std::string_view target) = 0;
};

/// A whole small file. Errors: as Files::read; Errc::corrupt when it is longer than `limit_bytes`.
Result<std::string> read_all(Files& files, std::string_view path,
                             std::size_t limit_bytes = std::size_t{64} << 20);
Result<> write_all(Files& files, std::string_view path, std::string_view content);

/// Checks the rule for paths that is told above.
Result<> check_path(std::string_view path);

}  // namespace howdah::files
