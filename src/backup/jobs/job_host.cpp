#include "backup/jobs/job_host.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "backup/jobs/job_process.h"
#include "backup/option_sources.h"
#include "remote/fields.h"
#include "repo/paths.h"

namespace howdah::backup {
namespace {

using remote::Json;

constexpr Millis idle = std::chrono::minutes(10);
constexpr Millis look{200};  ///< how often it is looked whether whoever asked is still there

class JobService final : public remote::Service {
public:
    JobService(const JobHost& host, io::PeerNames peer, Options options)
        : host_(host), peer_(std::move(peer)), options_(std::move(options)) {}

    Json welcome() override { return Json::object(); }
    void serve(remote::Channel& channel) override {
        while (true) {
            const auto asked = channel.receive_within(idle);
            if (!asked || !answer(channel, asked->head)) {
                return;
            }
        }
    }

private:
    Result<> answer(remote::Channel& channel, const Json& asked) {
        channel.begin_work();
        const auto what = remote::text_in(asked, "do");
        if (what == "job") {
            return run_job(channel, asked);
        }
        const auto state =
            what == "look"
                ? look_at_server()
                : Result<ServerState>(fail(Errc::invalid, fmt::format("'{}' is no request", what)));
        return channel.send(state ? to_json(*state)
                                  : Json{{"error", remote::to_json(state.error())}});
    }
    Result<ServerState> look_at_server() const {
        HD_TRY(const auto cluster, options_.cluster());
        HD_TRY(auto session, Session::open(cluster, Seconds(10)));
        return session.state();
    }
    Result<> run_job(remote::Channel& channel, const Json& asked) const;
    Result<std::vector<std::string>> command(const Json& asked) const;

    const JobHost& host_;
    io::PeerNames peer_;
    Options options_;
};

Result<std::vector<std::string>> JobService::command(const Json& asked) const {
    const auto verb = remote::text_in(asked, "verb");
    std::vector<std::string> words;
    for (const auto& each : remote::list_in(asked, "words")) {
        words.push_back(each.is_string() ? each.get<std::string>() : "");
    }
    HD_TRY_VOID(check_job(verb, words));
    std::vector<std::string> command{host_.program(), verb, "--config=" + host_.config(),
                                     "--stanza=" + options_.stanza};
    command.insert(command.end(), words.begin(), words.end());
    return command;
}

/// Its lines as they come, then its exit code. It ends when whoever asked for it has gone.
Result<> JobService::run_job(remote::Channel& channel, const Json& asked) const {
    const auto words = command(asked);
    auto job = words ? JobProcess::begin(*words) : std::unexpected(words.error());
    if (!job) {
        return channel.send({{"error", remote::to_json(job.error())}});
    }
    const auto what = fmt::format("verb={} stanza={} client={}", remote::text_in(asked, "verb"),
                                  options_.stanza, peer_.common_name);
    host_.info(fmt::format("job begins {}", what));
    while (true) {
        const auto lines = (*job)->lines(look);
        if (!lines || !*lines) {
            break;
        }
        for (const auto& line : **lines) {
            HD_TRY_VOID(channel.send({{"line", line}}));
            channel.begin_work();
        }
        if (channel.has_input()) {
            host_.info(
                fmt::format("job ends with who asked for it {} exit={}", what, (*job)->end()));
            return fail(Errc::cancelled, "the client has gone");
        }
    }
    const int code = (*job)->reap();
    host_.info(fmt::format("job ends {} exit={}", what, code));
    return channel.send({{"exit", code}});
}

}  // namespace

Result<std::unique_ptr<remote::Service>> JobHost::open(const io::PeerNames& peer,
                                                       const Json& hello) const {
    const auto stanza = remote::text_in(hello, "stanza");
    HD_TRY_VOID(repo::check_stanza(stanza));
    HD_TRY(const auto sources,
           find_option_sources({"--config=" + config_, "--stanza=" + stanza, "backup"}, {}));
    HD_TRY(auto options, read_options(sources));
    std::vector<std::string> hosts;
    for (const auto& each : options.repositories) {
        const auto& name = each.host.name;
        if (!name.empty() &&
            (peer.common_name == name || std::ranges::find(peer.hosts, name) != peer.hosts.end())) {
            return std::make_unique<JobService>(*this, peer, std::move(options));
        }
        if (!name.empty()) {
            hosts.push_back(name);
        }
    }
    return fail(Errc::invalid,
                fmt::format("client '{}' is no repository host of stanza '{}' here",
                            peer.common_name, stanza),
                hosts.empty() ? fmt::format("set repo1-host in {} on the database host", config_)
                              : fmt::format("{} names {}: the certificate must have that name",
                                            config_, fmt::join(hosts, ", ")));
}

}  // namespace howdah::backup
