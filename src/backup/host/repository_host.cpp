#include "backup/host/repository_host.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "backup/host/host_options.h"
#include "backup/option_sources.h"
#include "backup/options/exit_code.h"
#include "backup/stop_file.h"
#include "files/remote/file_server.h"
#include "remote/fields.h"
#include "repo/paths.h"

namespace howdah::backup {
namespace {

using remote::Json;

/// Those that a stop file of this host forbids its clients as well.
constexpr std::array stoppable{
    std::string_view("archive-push"),   std::string_view("backup"),
    std::string_view("expire"),         std::string_view("stanza-create"),
    std::string_view("stanza-upgrade"), std::string_view("repo-copy")};

/// "archive/main/x" is of stanza main; "", "archive" and "backup" of none.
struct StanzaPath {
    std::string_view top{}, stanza{};
};
StanzaPath stanza_of(std::string_view path) {
    const auto slash = path.find('/');
    if (slash == std::string_view::npos) {
        return {.top = path};
    }
    const auto rest = path.substr(slash + 1);
    return {.top = path.substr(0, slash), .stanza = rest.substr(0, rest.find('/'))};
}

/// A lock of this host that a client holds: files and folder, as a command here would take them.
class ClientsHold final : public files::Hold {
public:
    ClientsHold(std::shared_ptr<Locks> locks, std::function<void()> ended)
        : locks_(std::move(locks)), ended_(std::move(ended)) {}
    ~ClientsHold() override { ended_(); }
    void note_progress(std::uint32_t hundredths) override { locks_->note_progress(hundredths); }

private:
    std::shared_ptr<Locks> locks_;
    std::function<void()> ended_;
};

/// One client, on one repository.
class ClientService final : public remote::Service {
public:
    ClientService(RepositoryHost& host, io::PeerNames peer, Grants grants, Site site, Options all,
                  std::string process)
        : host_(host),
          peer_(std::move(peer)),
          grants_(std::move(grants)),
          site_(std::move(site)),
          all_(std::move(all)),
          process_(std::move(process)) {}

    Json welcome() override {
        const auto& repository = site_.options.repositories.front();
        return {{"name", files().name()}, {"options", options_for_clients(repository)}};
    }
    void serve(remote::Channel& channel) override {
        files::serve_files(
            channel,
            {.files = files(),
             .holds = host_.holds(),
             .may = [this](std::string_view path,
                           files::Access access) { return may(path, access); },
             .shows =
                 [this](std::string_view path) {
                     const auto at = stanza_of(path);
                     return at.stanza.empty() || grants_.right(peer_, at.stanza) != Right::none;
                 },
             .hold = [this, &channel](std::string_view what) { return hold(channel, what); },
             .held = [this](std::string_view what,
                            std::string_view stanza) { return held(what, stanza); }});
    }

private:
    files::Files& files() { return site_.repositories.front().files(); }
    Result<> may(std::string_view path, files::Access access) const;
    Result<std::unique_ptr<files::Hold>> hold(remote::Channel& channel, std::string_view what);
    Result<std::optional<files::Held>> held(std::string_view what, std::string_view stanza) const;

    RepositoryHost& host_;
    io::PeerNames peer_;
    Grants grants_;
    Site site_;    ///< of the one repository that it asked for
    Options all_;  ///< of all of this host
    std::string process_;
};

Result<> ClientService::may(std::string_view path, files::Access access) const {
    const auto [top, stanza] = stanza_of(path);
    const bool is_part = top == "archive" || top == "backup";
    if (is_part && !stanza.empty()) {
        return grants_.check(peer_, stanza,
                             access == files::Access::write ? Right::write : Right::read);
    }
    if (access == files::Access::read && stanza.empty() && (is_part || top.empty())) {
        return {};
    }
    return fail(
        Errc::invalid,
        fmt::format("client '{}' may not {} '{}': only what belongs to a stanza", peer_.common_name,
                    access == files::Access::write ? "change" : "read", path),
        "run the command on the repository host");
}

Result<std::unique_ptr<files::Hold>> ClientService::hold(remote::Channel& channel,
                                                         std::string_view what) {
    if (what != "backup" || site_.stanza().empty()) {
        return fail(Errc::invalid, fmt::format("'{}' is no lock", what));
    }
    HD_TRY_VOID(grants_.check(peer_, site_.stanza(), Right::write));
    HD_TRY(auto locks, host_.lock(all_, process_));
    const auto who = fmt::format("stanza={} client={} command={}", site_.stanza(),
                                 peer_.common_name, site_.options.command);
    host_.info(fmt::format("locked {}", who));
    host_.begins_to_hold(channel, all_);
    return std::make_unique<ClientsHold>(std::move(locks), [&host = host_, &channel, who] {
        host.ends_to_hold(channel);
        host.info(fmt::format("unlocked {}", who));
    });
}

/// By whomever: a client, a command on this host, pgBackRest.
Result<std::optional<files::Held>> ClientService::held(std::string_view what,
                                                       std::string_view stanza) const {
    HD_TRY_VOID(repo::check_stanza(stanza));
    HD_TRY_VOID(grants_.check(peer_, stanza, Right::read));
    if (what != "backup") {
        return fail(Errc::invalid, fmt::format("'{}' is no lock", what));
    }
    std::vector<std::uint32_t> indexes;
    for (const auto& each : all_.repositories) {
        indexes.push_back(each.index);
    }
    return held_here(lock_paths(all_.lock_path, std::string(stanza), LockKind::backup, indexes));
}

}  // namespace

Json to_json(const RepositoryWish& wish) {
    return {{"stanza", wish.stanza},
            {"command", wish.command},
            {"repository", wish.repository},
            {"process", wish.process}};
}

Result<std::shared_ptr<Locks>> RepositoryHost::lock(const Options& options,
                                                    const std::string& process) {
    const std::scoped_lock lock(mutex_);
    const auto key = options.stanza + "/" + process;
    if (auto held = locks_[key].lock(); held && !process.empty()) {
        return held;
    }
    Site site{.options = options, .asked_by = process};
    HD_TRY(site.repositories, open_repositories(options, open_));
    HD_TRY(auto locks, site.lock(LockKind::backup));
    std::erase_if(locks_, [](const auto& each) { return each.second.expired(); });
    auto held = std::make_shared<Locks>(std::move(locks));
    locks_[key] = held;
    return held;
}

void RepositoryHost::begins_to_hold(remote::Channel& channel, const Options& options) {
    const std::scoped_lock lock(mutex_);
    holders_[&channel] = {
        .stream = &channel.stream(), .lock_path = options.lock_path, .stanza = options.stanza};
}

void RepositoryHost::ends_to_hold(const remote::Channel& channel) {
    const std::scoped_lock lock(mutex_);
    holders_.erase(&channel);
}

void RepositoryHost::end_stopped() {
    const std::scoped_lock lock(mutex_);
    for (const auto& [channel, holder] : holders_) {
        if (!check_not_stopped(holder.lock_path, holder.stanza)) {
            holder.stream->close_from_outside();
        }
    }
}

Result<std::vector<ConfigText>> RepositoryHost::read_config() const {
    HD_TRY(auto sources, find_option_sources({"--config=" + config_}, {}));
    return std::move(sources.files);
}

Result<std::unique_ptr<remote::Service>> RepositoryHost::open(const io::PeerNames& peer,
                                                              const Json& hello) {
    HD_TRY(auto files, read_config());
    HD_TRY(auto grants, Grants::of(files));
    const auto stanza = remote::text_in(hello, "stanza"),
               command = remote::text_in(hello, "command");
    if (!stanza.empty()) {
        HD_TRY_VOID(repo::check_stanza(stanza));
        HD_TRY_VOID(grants.check(peer, stanza, Right::read));
    } else if (!grants.any(peer)) {
        return fail(Errc::invalid,
                    fmt::format("client '{}' may not reach any stanza", peer.common_name),
                    "tls-server-auth on the repository host allows it");
    }
    std::vector<std::string> words{"backup"};
    if (!stanza.empty()) {
        words.push_back("--stanza=" + stanza);
    }
    Site site;
    HD_TRY(site.options, read_options({.words = words, .files = std::move(files)}));
    if (std::ranges::find(stoppable, command) != stoppable.end()) {
        HD_TRY_VOID(check_not_stopped(site.options.lock_path, stanza));
    }
    const auto index = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(remote::number_in(hello, "repository").value_or(1), UINT32_MAX));
    auto& all = site.options.repositories;
    const auto wanted = std::ranges::find(all, index, &RepositoryOptions::index);
    if (wanted == all.end() || !wanted->host.name.empty()) {
        std::vector<std::string> names;
        for (const auto& each : all) {
            if (each.host.name.empty()) {
                names.push_back(fmt::format("repo{}", each.index));
            }
        }
        return fail(
            Errc::invalid,
            fmt::format("the repository host has no repo{}, but {}", index, fmt::join(names, ", ")),
            "a repository has the same number on both hosts");
    }
    auto here = site.options;
    std::erase_if(here.repositories, [](const auto& each) { return !each.host.name.empty(); });
    all = {RepositoryOptions(*wanted)};
    site.options.command = command;
    HD_TRY(auto opened, open_(all.front()));
    site.repositories.emplace_back(
        index, std::make_unique<WriteOnceArchive>(std::move(opened), archiving_),
        all.front().cipher_pass);
    return std::make_unique<ClientService>(*this, peer, std::move(grants), std::move(site),
                                           std::move(here), remote::text_in(hello, "process"));
}

}  // namespace howdah::backup
