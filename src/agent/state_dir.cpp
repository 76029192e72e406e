#include "agent/state_dir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "io/files.h"

namespace howdah::agent {
namespace {

/// Raised when an older Howdah must not act on what a newer one keeps.
constexpr int state_format = 1;

constexpr auto not_writable_hint =
    "its owner must be the user that runs the agent; state_dir in the configuration moves it";

std::string trimmed(std::string text) {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
        text.pop_back();
    }
    return text;
}

Result<Stored> parse_stored(const std::string& text) {
    const auto doc = nlohmann::json::parse(text, nullptr, false);
    if (!doc.is_object() || !doc.contains("epoch") || !doc["epoch"].is_number_unsigned()) {
        return fail(Errc::corrupt, "epoch: not a JSON object with an epoch");
    }
    return Stored{.epoch = doc["epoch"],
                  .incarnation = doc.value("incarnation", ""),
                  .revision = doc.value("revision", std::int64_t{0})};
}

/// More than a data directory can be behind by without being made anew.
constexpr std::size_t epochs_kept = 64;

Result<std::vector<ha::EpochStart>> parse_epochs(const std::string& text) {
    const auto doc = nlohmann::json::parse(text, nullptr, false);
    std::vector<ha::EpochStart> epochs;
    try {
        for (const auto& e : doc) {
            epochs.push_back({.epoch = e.at("epoch"),
                              .timeline = e.at("tli"),
                              .begin = pg::Lsn(e.at("begin").get<std::uint64_t>())});
        }
    } catch (const nlohmann::json::exception& e) {
        return fail(Errc::corrupt, fmt::format("epochs: {}", e.what()));
    }
    return epochs;
}

Result<pg::Timeline> parse_timeline(const std::string& text) {
    const auto doc = nlohmann::json::parse(text, nullptr, false);
    if (!doc.is_number_unsigned()) {
        return fail(Errc::corrupt, "timeline: not a number");
    }
    return doc.get<pg::Timeline>();
}

/// Names serve messages and an operator's words, not decisions: of a damaged file there are none.
ha::MemberNames parse_names(const std::string& text) {
    const auto doc = nlohmann::json::parse(text, nullptr, false);
    ha::MemberNames names;
    if (doc.is_object()) {
        for (const auto& [uuid, name] : doc.items()) {
            names[uuid] = name.is_string() ? name.get<std::string>() : uuid;
        }
    }
    return names;
}

Result<ha::StoredPromise> parse_promise(const std::string& text) {
    try {
        const auto doc = nlohmann::json::parse(text);
        return ha::StoredPromise{.epoch = doc.at("epoch"),
                                 .incarnation = doc.at("incarnation"),
                                 .set_version = doc.at("set_version"),
                                 .ttl = Millis(doc.at("ttl_ms").get<std::int64_t>())};
    } catch (const nlohmann::json::exception& e) {
        return fail(Errc::corrupt, fmt::format("promise: {}", e.what()));
    }
}

std::string render(const ha::StoredPromise& p) {
    return nlohmann::ordered_json{{"epoch", p.epoch},
                                  {"incarnation", p.incarnation},
                                  {"set_version", p.set_version},
                                  {"ttl_ms", p.ttl.count()}}
               .dump() +
           "\n";
}

std::string render(const std::vector<ha::EpochStart>& epochs) {
    auto doc = nlohmann::ordered_json::array();
    for (const auto& e : epochs) {
        doc.push_back({{"epoch", e.epoch}, {"tli", e.timeline}, {"begin", e.begin.bytes()}});
    }
    return doc.dump() + "\n";
}

}  // namespace

ha::Uuid draw_uuid() {
    std::array<unsigned char, 16> bytes{};
    HD_CHECK(getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    std::string text;
    for (const auto byte : bytes) {
        text += fmt::format("{:02x}", byte);
    }
    return text;
}

Result<std::unique_ptr<StateDir>> StateDir::open(const std::string& path) {
    if (auto made = io::make_directories(path, 0700); !made) {
        auto error = std::move(made).error();
        error.hint = not_writable_hint;
        return std::unexpected(std::move(error).within("state directory"));
    }
    io::Fd lock(::open((path + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (lock.get() < 0) {
        auto error = io::fail_errno(path + "/lock").error();
        error.hint = not_writable_hint;
        return std::unexpected(std::move(error).within("state directory"));
    }
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        const auto pid = io::read_file(path + "/agent.pid");
        return fail(Errc::conflict,
                    fmt::format("{}: another agent runs on it{}", path,
                                pid ? " (pid " + trimmed(*pid) + ")" : ""),
                    "one data directory, one agent: stop the other, or name another data_dir");
    }
    std::unique_ptr<StateDir> dir(new StateDir(path, std::move(lock)));
    HD_TRY_VOID(dir->read_or_draw());
    HD_TRY_VOID(
        io::write_file_atomically(path + "/agent.pid", fmt::format("{}\n", getpid()), 0644));
    return dir;
}

/// One number for all files of the directory; a directory without the file is of format 1.
Result<> StateDir::check_format() const {
    const auto file = path_ + "/format";
    const auto text = io::read_file(file);
    if (!text && text.error().code != Errc::not_found) {
        return std::unexpected(text.error());
    }
    if (!text) {
        return io::write_file_atomically(file, fmt::format("{}\n", state_format));
    }
    const auto number = trimmed(*text);
    if (number != std::to_string(state_format)) {
        return fail(Errc::unsafe,
                    fmt::format("{}: the state directory is of format {}, this Howdah knows {}",
                                file, number, state_format),
                    "upgrade howdah on this host; nothing was changed");
    }
    return {};
}

Result<> StateDir::read_or_draw() {
    HD_TRY_VOID(check_format());
    const auto uuid_file = path_ + "/member_uuid";
    if (const auto text = io::read_file(uuid_file)) {
        uuid_ = trimmed(*text);
    } else if (text.error().code != Errc::not_found) {
        return std::unexpected(text.error());
    }
    if (uuid_.empty()) {
        uuid_ = draw_uuid();
        HD_TRY_VOID(io::write_file_atomically(uuid_file, uuid_ + "\n"));
    }
    if (const auto text = io::read_file(path_ + "/epoch")) {
        HD_TRY(stored_, parse_stored(*text));
    } else if (text.error().code != Errc::not_found) {
        return std::unexpected(text.error());
    }
    if (const auto text = io::read_file(path_ + "/promise")) {
        HD_TRY(promise_, parse_promise(*text));
    } else if (text.error().code != Errc::not_found) {
        return std::unexpected(text.error());
    }
    if (const auto text = io::read_file(path_ + "/held_wal")) {
        held_wal_ = ha::parse_held_wal(*text).value_or(ha::HeldWal{});  // cut off: none is known
    } else if (text.error().code != Errc::not_found) {
        return std::unexpected(text.error());
    }
    if (const auto text = io::read_file(path_ + "/paused")) {
        paused_ = trimmed(*text) == "yes";
    } else if (text.error().code != Errc::not_found) {
        return std::unexpected(text.error());
    }
    if (const auto text = io::read_file(path_ + "/record")) {
        HD_TRY(record_, ha::parse_record(*text));
    } else if (text.error().code != Errc::not_found) {
        return std::unexpected(text.error());
    }
    if (const auto text = io::read_file(path_ + "/names")) {
        names_ = parse_names(*text);
    } else if (text.error().code != Errc::not_found) {
        return std::unexpected(text.error());
    }
    if (const auto text = io::read_file(path_ + "/timeline")) {
        HD_TRY(greatest_timeline_, parse_timeline(*text));
    } else if (text.error().code != Errc::not_found) {
        return std::unexpected(text.error());
    }
    if (const auto text = io::read_file(path_ + "/epochs")) {
        HD_TRY(epochs_, parse_epochs(*text));
    } else if (text.error().code != Errc::not_found) {
        return std::unexpected(text.error());
    }
    return {};
}

StateDir::~StateDir() {
    ::unlink((path_ + "/agent.pid").c_str());
}

Stored StateDir::load() const {
    const std::scoped_lock lock(mutex_);
    return stored_;
}

std::vector<ha::EpochStart> StateDir::epochs() const {
    const std::scoped_lock lock(mutex_);
    return epochs_;
}

Result<> StateDir::remember(ha::EpochStart start) {
    const std::scoped_lock lock(mutex_);
    if (std::find(epochs_.begin(), epochs_.end(), start) != epochs_.end()) {
        return {};
    }
    auto next = epochs_;
    next.push_back(start);
    if (next.size() > epochs_kept) {
        next.erase(next.begin());
    }
    HD_TRY_VOID(io::write_file_atomically(path_ + "/epochs", render(next)));
    epochs_ = std::move(next);
    return {};
}

ha::HeldWal StateDir::held_wal() const {
    const std::scoped_lock lock(mutex_);
    return held_wal_;
}

Result<> StateDir::keep_held_wal(const ha::HeldWal& held) {
    const std::scoped_lock lock(mutex_);
    const auto file = path_ + "/held_wal";
    // One write over the same few bytes: nothing of it waits for the disk.
    const auto text = fmt::format("{:<120}\n", ha::render(held));
    const io::Fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    if (fd.get() < 0 ||
        ::pwrite(fd.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
        return io::fail_errno(file);
    }
    held_wal_ = held;
    return {};
}

std::optional<ha::Record> StateDir::last_record() const {
    const std::scoped_lock lock(mutex_);
    return record_;
}

Result<> StateDir::keep(const ha::Record& record) {
    const std::scoped_lock lock(mutex_);
    HD_TRY_VOID(io::write_file_atomically(path_ + "/record", ha::render(record) + "\n"));
    record_ = record;
    return {};
}

ha::MemberNames StateDir::names() const {
    const std::scoped_lock lock(mutex_);
    return names_;
}

Result<> StateDir::keep_names(const ha::MemberNames& names) {
    const std::scoped_lock lock(mutex_);
    if (names_ == names) {
        return {};
    }
    // A name that is no UTF-8 must not end the agent.
    const auto text =
        nlohmann::json(names).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    HD_TRY_VOID(io::write_file_atomically(path_ + "/names", text));
    names_ = names;
    return {};
}

pg::Timeline StateDir::greatest_timeline() const {
    const std::scoped_lock lock(mutex_);
    return greatest_timeline_;
}

Result<> StateDir::keep_timeline(pg::Timeline timeline) {
    const std::scoped_lock lock(mutex_);
    if (timeline <= greatest_timeline_) {
        return {};
    }
    HD_TRY_VOID(io::write_file_atomically(path_ + "/timeline", fmt::format("{}\n", timeline)));
    greatest_timeline_ = timeline;
    return {};
}

std::optional<ha::StoredPromise> StateDir::promise() const {
    const std::scoped_lock lock(mutex_);
    return promise_;
}

Result<> StateDir::store_promise(const ha::StoredPromise& promise) {
    const std::scoped_lock lock(mutex_);
    if (promise_ == promise) {
        return {};
    }
    HD_TRY_VOID(io::write_file_atomically(path_ + "/promise", render(promise)));
    promise_ = promise;
    return {};
}

bool StateDir::paused() const {
    const std::scoped_lock lock(mutex_);
    return paused_;
}

Result<> StateDir::keep_paused(bool paused) {
    const std::scoped_lock lock(mutex_);
    if (paused_ == paused) {
        return {};
    }
    HD_TRY_VOID(io::write_file_atomically(path_ + "/paused", paused ? "yes\n" : "no\n"));
    paused_ = paused;
    return {};
}

Result<> StateDir::store(const Stored& stored) {
    const std::scoped_lock lock(mutex_);
    if (stored.epoch < stored_.epoch) {
        return fail(Errc::conflict,
                    fmt::format("epoch {} is below the stored {}", stored.epoch, stored_.epoch));
    }
    const nlohmann::ordered_json doc{{"epoch", stored.epoch},
                                     {"incarnation", stored.incarnation},
                                     {"revision", stored.revision}};
    HD_TRY_VOID(io::write_file_atomically(path_ + "/epoch", doc.dump() + "\n"));
    stored_ = stored;
    return {};
}

}  // namespace howdah::agent
