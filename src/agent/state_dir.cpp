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

Result<> StateDir::read_or_draw() {
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

std::optional<ha::Record> StateDir::last_record() const {
    const auto text = io::read_file(path_ + "/record");
    auto record = text ? ha::parse_record(*text) : Result<ha::Record>(fail(Errc::not_found, ""));
    return record ? std::optional(*std::move(record)) : std::nullopt;
}

Result<> StateDir::keep(const ha::Record& record) {
    return io::write_file_atomically(path_ + "/record", ha::render(record) + "\n");
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
