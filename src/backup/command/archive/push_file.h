#pragma once

#include <memory>
#include <string>

#include "backup/site.h"

namespace howdah::backup {

/// Memory that grows to what the largest file needs and stays: fresh memory costs as much as its
/// use. One thread's.
class Room {
public:
    /// At least that many bytes, of any content.
    MutableBytes of(std::size_t bytes);

private:
    struct Free {
        void operator()(void* memory) const;
    };
    std::unique_ptr<std::byte, Free> bytes_{};
    std::size_t size_ = 0;
};

/// What one thread works with while it pushes file after file.
struct PushRoom {
    Room original{}, stored{};
};

/// Archives one file everywhere it must be, durably: in every repository of the site but those that
/// repo-optional names. These get it afterwards; what they do not get is noted (behind.h), warned
/// of, and copied from another repository when they answer again. In each: the same segment with
/// the same content is success with a warning; with other content an error
/// (ExitCode::archive_duplicate), and nothing is overwritten. All repositories are tried before an
/// error of one is returned. Several threads and processes may push at once, also the same file.
/// Warnings go to `notes`. Errors: Errc::invalid (no name of WAL), Errc::unsafe (another cluster's
/// WAL, or other content under the same name), else naming each repository that failed.
Result<> push_file(Site& site, const ClusterFacts& cluster, const std::string& path,
                   const Notes& notes, PushRoom& room);

}  // namespace howdah::backup
