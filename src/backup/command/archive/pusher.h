#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "backup/command/archive/push_file.h"
#include "backup/site.h"

namespace howdah::backup {

/// What an archive-push asks of the resident pusher: to push as it would itself.
struct PushRequest {
    std::vector<std::string> words{};                  ///< its options, "--stanza=demo"
    std::map<std::string, std::string> environment{};  ///< PGBACKREST_… alone
    std::string path{};                                ///< absolute
};

/// Pushes what it is asked for, and meanwhile, ahead, what PostgreSQL will ask for next: up to
/// process-max files at once. Any number of threads may ask.
class Pusher {
public:
    /// Makes the site that a request's options describe.
    using OpenSite = std::function<Result<std::unique_ptr<Site>>(const PushRequest&)>;

    explicit Pusher(OpenSite open) : open_(std::move(open)) {}
    /// Waits for what is being pushed, and drops what is not.
    ~Pusher();
    Pusher(const Pusher&) = delete;
    Pusher& operator=(const Pusher&) = delete;

    /// Returns when the file is everywhere it must be; the warnings of its push. `working` is
    /// called about once a second until then. Errors: of the options; as archive_push.
    Result<std::vector<std::string>> push(const PushRequest& request,
                                          const std::function<void()>& working);

private:
    /// Which file of which content: what was pushed of another says nothing of this one.
    struct Content {
        std::uint64_t device = 0, inode = 0, size = 0;
        std::int64_t modified_ns = 0;
        std::int64_t changed_ns = 0;  ///< of its inode: a number that another file had before
        bool operator==(const Content&) const = default;
    };
    struct Job {
        std::shared_ptr<Site> site{};
        std::string where{};  ///< all that decides where it goes
        std::string path{};
        Content content{};
        ClusterFacts cluster{};
        bool begun = false, done = false;
        int askers = 0;
        Result<> outcome{};
        std::vector<std::string> warnings{};
    };
    using Jobs = std::deque<std::shared_ptr<Job>>;

    static Result<Content> look_at(const std::string& path);
    Result<std::shared_ptr<Job>> find_or_begin(const std::shared_ptr<Site>& site,
                                               const std::string& path);
    std::shared_ptr<Job> known(const Job& like) const;
    void push_ahead(const Job& asked);
    void forget_what_nobody_wants(const std::set<std::string>& wanted);
    void want_workers(std::size_t count);
    void work();
    std::shared_ptr<Job> next_job();
    void finish(Job& job, Result<> outcome);

    OpenSite open_;
    std::mutex mutex_{};
    std::condition_variable changed_{};
    Jobs jobs_{};          ///< in the order to push them; done ones stay until they are asked for
    bool failed_ = false;  ///< the last push: nothing is pushed ahead until one succeeds
    bool ends_ = false;
    std::vector<std::jthread> workers_{};
};

}  // namespace howdah::backup
