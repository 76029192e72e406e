#include "files/remote/remote_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "files/remote/entry_json.h"
#include "remote/fields.h"

namespace howdah::files {
namespace {

using remote::Channel;
using remote::Json;
using remote::Message;

constexpr std::size_t most_idle = 16;

/// A file that is written in small pieces goes in parts of this size.
constexpr std::size_t part_size = std::size_t{256} << 10;

Error at(const RemotePool& pool, Error error) {
    return std::move(error).within("repository host " + pool.place());
}

/// Whether the error is the connection's, so that there is nothing to give back.
bool is_broken(const Error& error) {
    return error.code == Errc::unavailable || error.code == Errc::timeout ||
           error.code == Errc::corrupt;
}

class RemoteSource final : public Source {
public:
    RemoteSource(std::shared_ptr<RemotePool> pool, std::unique_ptr<Channel> channel, Message first)
        : pool_(std::move(pool)), channel_(std::move(channel)) {
        take(std::move(first));
    }

    Result<std::size_t> read(MutableBytes out) override {
        while (given_ == part_.size() && channel_) {
            auto next = channel_->receive();
            if (!next) {
                channel_.reset();
                failed_ = at(*pool_, std::move(next).error());
                break;
            }
            take(*std::move(next));
        }
        if (given_ == part_.size() && failed_) {
            return std::unexpected(*failed_);
        }
        const auto size = std::min(out.size(), part_.size() - given_);
        if (size > 0) {
            std::memcpy(out.data(), part_.data() + given_, size);
            given_ += size;
        }
        return size;
    }

private:
    void take(Message message) {
        part_ = std::move(message.body);
        given_ = 0;
        if (remote::flag_in(message.head, "last")) {
            pool_->give_back(std::move(channel_));
        }
    }

    std::shared_ptr<RemotePool> pool_;
    std::unique_ptr<Channel> channel_;  ///< while more comes
    ByteBuffer part_{};
    std::size_t given_ = 0;
    std::optional<Error> failed_{};
};

class RemoteSink final : public Sink {
public:
    RemoteSink(std::shared_ptr<RemotePool> pool, std::unique_ptr<Channel> channel)
        : pool_(std::move(pool)), channel_(std::move(channel)) {}
    ~RemoteSink() override {
        // A host that does not answer soon finds out by the end of the connection.
        constexpr Millis patience{5000};
        if (channel_ && channel_->send({{"do", "give_up"}}) &&
            channel_->receive_within(std::min(patience, pool_->limit()))) {
            pool_->give_back(std::move(channel_));
        }
    }

    Result<> write(Bytes bytes) override {
        while (!bytes.empty()) {
            const auto size = std::min(bytes.size(), part_size - part_.size());
            part_.insert(part_.end(), bytes.begin(),
                         bytes.begin() + static_cast<std::ptrdiff_t>(size));
            bytes = bytes.subspan(size);
            if (part_.size() == part_size) {
                HD_TRY_VOID(send_part());
            }
        }
        return {};
    }
    Result<> finish() override {
        HD_TRY_VOID(part_.empty() ? Result<>{} : send_part());
        HD_TRY_VOID(still_open());
        auto answer = channel_->ask({{"do", "finish"}});
        if (!answer) {
            auto error = std::move(answer).error();
            if (is_broken(error)) {
                channel_.reset();
                error.code = Errc::unavailable;
            } else {
                pool_->give_back(std::move(channel_));
            }
            return std::unexpected(at(*pool_, std::move(error)));
        }
        pool_->give_back(std::move(channel_));
        return {};
    }

private:
    Result<> still_open() const {
        return channel_ ? Result<>{}
                        : Result<>(fail(Errc::io, "the file was given up after an error"));
    }
    Result<> send_part() {
        HD_TRY_VOID(still_open());
        // The host says something before the end only when it cannot go on.
        auto sent = channel_->has_input() ? told() : channel_->send({{"do", "part"}}, part_);
        part_.clear();
        if (!sent) {
            channel_.reset();
            return std::unexpected(at(*pool_, std::move(sent).error()));
        }
        return {};
    }
    Result<> told() {
        const auto message = channel_->receive();
        return message ? fail(Errc::corrupt, "an answer that nobody asked for")
                       : std::unexpected(message.error());
    }

    std::shared_ptr<RemotePool> pool_;
    std::unique_ptr<Channel> channel_;  ///< until it is finished, or broke
    ByteBuffer part_{};
};

}  // namespace

Result<RemotePool::Taken> RemotePool::take() {
    while (true) {
        std::unique_ptr<Channel> channel;
        {
            const std::scoped_lock lock(mutex_);
            if (idle_.empty()) {
                break;
            }
            channel = std::move(idle_.back());
            idle_.pop_back();
        }
        if (!channel->has_input()) {
            return Taken{.channel = std::move(channel), .used_before = true};
        }
    }
    return take_new();
}

Result<RemotePool::Taken> RemotePool::take_new() {
    auto connected = remote::connect(place_, tls_, service_, hello_);
    if (!connected) {
        return std::unexpected(std::move(connected).error().within("repository host"));
    }
    const std::scoped_lock lock(mutex_);
    welcome_ = std::move(connected->welcome);
    return Taken{.channel = std::move(connected->channel)};
}

void RemotePool::give_back(std::unique_ptr<Channel> channel) {
    const std::scoped_lock lock(mutex_);
    if (idle_.size() < most_idle) {
        idle_.push_back(std::move(channel));
    }
}

Result<Json> RemotePool::welcome() {
    HD_TRY(auto taken, take());
    give_back(std::move(taken.channel));
    const std::scoped_lock lock(mutex_);
    return welcome_;
}

Result<RemoteFiles::Asked> RemoteFiles::ask(Json request, bool again) {
    {
        const std::scoped_lock lock(rights_->mutex);
        if (!rights_->ids.empty()) {
            request["holds"] = rights_->ids;
        }
    }
    HD_TRY(auto taken, again ? pool_->take() : pool_->take_new());
    auto answer = taken.channel->ask(request);
    if (!answer && taken.used_before && answer.error().code == Errc::unavailable) {
        HD_TRY(taken, pool_->take_new());
        answer = taken.channel->ask(request);
    }
    if (!answer) {
        auto error = std::move(answer).error();
        if (!is_broken(error)) {
            pool_->give_back(std::move(taken.channel));
        }
        return std::unexpected(at(*pool_, std::move(error)));
    }
    return Asked{.channel = std::move(taken.channel), .answer = *std::move(answer)};
}

Result<> RemoteFiles::change(const char* what, std::string_view path, Json more) {
    HD_TRY_VOID(check_path(path));
    Json request = more.is_object() ? std::move(more) : Json::object();
    request["do"] = what;
    request["path"] = encode_name(path);
    HD_TRY(auto asked, ask(std::move(request), std::string_view(what) != "hard_link"));
    pool_->give_back(std::move(asked.channel));
    return {};
}

Result<std::unique_ptr<Source>> RemoteFiles::read(std::string_view path, ReadRange range) {
    HD_TRY_VOID(check_path(path));
    Json request{{"do", "read"}, {"path", encode_name(path)}, {"offset", range.offset}};
    if (range.size) {
        request["size"] = *range.size;
    }
    HD_TRY(auto asked, ask(std::move(request)));
    return std::make_unique<RemoteSource>(pool_, std::move(asked.channel), std::move(asked.answer));
}

Result<std::unique_ptr<Sink>> RemoteFiles::write(std::string_view path, NameSync names,
                                                 IfTaken taken) {
    HD_TRY_VOID(check_path(path));
    HD_TRY(auto asked, ask({{"do", "write"},
                            {"path", encode_name(path)},
                            {"by_sync_tree", names == NameSync::by_sync_tree},
                            {"refuse_taken", taken == IfTaken::refuse}}));
    return std::make_unique<RemoteSink>(pool_, std::move(asked.channel));
}

Result<> RemoteFiles::remove_unfinished(std::string_view folder) {
    return change("remove_unfinished", folder);
}

Result<> RemoteFiles::sync_tree(std::string_view folder) {
    return change("sync_tree", folder);
}

Result<std::optional<Entry>> RemoteFiles::stat(std::string_view path) {
    HD_TRY_VOID(check_path(path));
    HD_TRY(auto asked, ask({{"do", "stat"}, {"path", encode_name(path)}}));
    pool_->give_back(std::move(asked.channel));
    if (!asked.answer.head.contains("entry")) {
        return std::nullopt;
    }
    HD_TRY(auto entry, to_entry(asked.answer.head["entry"]));
    return entry;
}

/// All of them are here before the first is told: what is done with it may take long, or ask the
/// same host.
Result<> RemoteFiles::list(std::string_view folder,
                           const std::function<Result<>(const Entry&)>& each) {
    HD_TRY_VOID(check_path(folder));
    HD_TRY(auto asked, ask({{"do", "list"}, {"path", encode_name(folder)}}));
    std::vector<Entry> all;
    auto message = std::move(asked.answer);
    while (true) {
        for (const auto& json : remote::list_in(message.head, "entries")) {
            HD_TRY(auto entry, to_entry(json));
            all.push_back(std::move(entry));
        }
        if (remote::flag_in(message.head, "last")) {
            break;
        }
        auto next = asked.channel->receive();
        if (!next) {
            return std::unexpected(at(*pool_, std::move(next).error()));
        }
        message = *std::move(next);
    }
    pool_->give_back(std::move(asked.channel));
    for (const auto& entry : all) {
        HD_TRY_VOID(each(entry));
    }
    return {};
}

Result<> RemoteFiles::remove(std::string_view path) {
    return change("remove", path);
}

Result<> RemoteFiles::remove_tree(std::string_view folder) {
    return change("remove_tree", folder);
}

Result<> RemoteFiles::make_folder(std::string_view folder) {
    return change("make_folder", folder);
}

Result<> RemoteFiles::hard_link(std::string_view path, std::string_view existing) {
    HD_TRY_VOID(check_path(existing));
    return change("hard_link", path, {{"existing", encode_name(existing)}});
}

Result<> RemoteFiles::link(std::string_view path, std::string_view target) {
    return change("link", path, {{"target", encode_name(target)}});
}

/// Its connection's end is the end of the right.
class RemoteFiles::RemoteHold final : public Hold {
public:
    RemoteHold(std::shared_ptr<RemotePool> pool, std::unique_ptr<Channel> channel,
               std::shared_ptr<Rights> rights, std::uint64_t id)
        : pool_(std::move(pool)),
          channel_(std::move(channel)),
          rights_(std::move(rights)),
          id_(id) {}
    ~RemoteHold() override {
        {
            const std::scoped_lock lock(rights_->mutex);
            std::erase(rights_->ids, id_);
        }
        // The next command may want it at once: it is free when the host says so.
        if (channel_->ask({{"do", "release"}})) {
            pool_->give_back(std::move(channel_));
        }
    }
    void note_progress(std::uint32_t hundredths) override {
        (void)channel_->send({{"do", "note"}, {"progress", hundredths}});
    }

private:
    std::shared_ptr<RemotePool> pool_;
    std::unique_ptr<Channel> channel_;
    std::shared_ptr<Rights> rights_;
    std::uint64_t id_;
};

Result<std::unique_ptr<Hold>> RemoteFiles::hold(std::string_view what) {
    HD_TRY(auto asked, ask({{"do", "hold"}, {"what", what}}, false));
    const auto id = asked.answer.head.find("hold");
    if (id == asked.answer.head.end() || !id->is_number_unsigned()) {
        return fail(Errc::corrupt, pool_->place() + ": no lock was granted");
    }
    {
        const std::scoped_lock lock(rights_->mutex);
        rights_->ids.push_back(*id);
    }
    return std::make_unique<RemoteHold>(pool_, std::move(asked.channel), rights_, *id);
}

Result<std::optional<Held>> RemoteFiles::held(std::string_view what, std::string_view stanza) {
    HD_TRY(auto asked, ask({{"do", "held"}, {"what", what}, {"stanza", stanza}}));
    pool_->give_back(std::move(asked.channel));
    if (!remote::flag_in(asked.answer.head, "held")) {
        return std::nullopt;
    }
    const auto done = remote::number_in(asked.answer.head, "progress");
    return Held{.hundredths =
                    done ? std::optional(static_cast<std::uint32_t>(*done)) : std::nullopt};
}

}  // namespace howdah::files
