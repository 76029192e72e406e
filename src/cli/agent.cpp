#include "cli/agent.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "agent/agent.h"
#include "agent/device_watchdog.h"
#include "agent/http_peers.h"
#include "agent/state_dir.h"
#include "api/rest_server.h"
#include "cli/archive_pusher.h"
#include "cli/backup_jobs.h"
#include "cli/log.h"
#include "cli/proxy.h"
#include "cli/start_checks.h"
#include "cli/store.h"
#include "dcs/etcd/supervisor.h"
#include "fencer/page.h"
#include "instance/local/local_instance.h"
#include "io/loop.h"

namespace howdah::cli {
namespace {

/// The fencer's page, as the agent sees it.
class PageDeadlines final : public agent::Deadlines {
public:
    explicit PageDeadlines(fencer::DeadlinePage page) : page_(std::move(page)) {}

private:
    void write(Instant kill_at) override { page_.arm(kill_at); }
    Instant read() const override { return page_.read(); }

    fencer::DeadlinePage page_;
};

/// Everything that lives on the agent's own thread.
class AgentProcess {
public:
    AgentProcess(config::AgentConfig config, agent::StateDir& state, PageDeadlines& deadlines,
                 std::string binary)
        : config_(std::move(config)),
          identity_{
              .uuid = state.member_uuid(), .name = config_.name, .incarnation = agent::draw_uuid()},
          store_(connect_store(loop_.executor(), clock_, config_)),
          keeper_store_(connect_store(keeper_loop_.executor(), clock_, config_)),
          feed_(clock_, *store_, config_.prefix()),
          peers_(loop_.executor(), clock_, config_),
          promise_peers_(keeper_loop_.executor(), clock_, config_),
          watchdog_(config_.watchdog),
          pusher_(clock_, state.path(), binary),
          backup_jobs_(clock_, config_, binary),
          instance_(loop_.executor(), clock_, config_, std::move(binary)),
          keeper_(keeper_loop_.executor(), clock_, *keeper_store_, config_.prefix(), identity_,
                  deadlines, state, promise_peers_, watchdog_, wake_,
                  [this](agent::Keeping keeping) { tell_agent(std::move(keeping)); }),
          agent_({.executor = loop_.executor(),
                  .clock = clock_,
                  .config = config_,
                  .identity = identity_,
                  .instance = instance_,
                  .keeper = keeper_,
                  .store = *store_,
                  .feed = feed_,
                  .peers = peers_,
                  .durable = state,
                  .deadlines = deadlines,
                  .watchdog = watchdog_,
                  .wake = wake_,
                  .reread = [this] { reread(); }}),
          rest_(loop_.executor(), clock_, agent_, config_.restapi),
          signals_(loop_.executor(), {SIGTERM, SIGINT, SIGHUP}),
          done_(loop_.executor(), clock_) {}

    Result<> run() {
        HD_TRY_VOID(rest_.listen());
        std::thread keeper([this] { keeper_loop_.run(keeper_.run()); });
        loop_.run(live());
        keeper_loop_.stop();
        keeper.join();
        return outcome_;
    }

private:
    void tell_agent(agent::Keeping keeping) {
        io::asio::post(loop_.executor(), [this, keeping = std::move(keeping)]() mutable {
            agent_.heed(std::move(keeping));
        });
    }

    /// On SIGHUP and POST /reload. A file that can't be read changes nothing.
    void reread() {
        const auto config = config::load_agent_config(config_.file, config::Purpose::agent);
        if (!config) {
            spdlog::error("the configuration was not taken why=\"{}\" hint=\"{}\"",
                          config.error().message, config.error().hint);
            return;
        }
        for (const auto& warning : config->warnings) {
            spdlog::warn("{}", warning.text());
        }
        agent_.take_file(*config);
        if (const auto taken = rest_.take(config->restapi); !taken) {
            spdlog::error("{} hint=\"{}\"", taken.error().message, taken.error().hint);
        }
        backup_jobs_.reload();
        spdlog::info("the configuration was read again file={}", config_.file);
    }

    io::Task<> run_agent() {
        outcome_ = co_await agent_.run();
        ended_ = true;
        done_.ring();
    }

    io::Task<> wait_for_signal() {
        while (true) {
            const auto number = co_await signals_.next();
            if (!number) {
                co_return;
            }
            if (*number != SIGHUP) {
                spdlog::info("asked to stop signal={}", *number);
                done_.ring();
                co_return;
            }
            reread();
        }
    }

    io::Task<> live() {
        std::unique_ptr<dcs::etcd::EtcdSupervisor> etcd = supervise_etcd();
        io::Scope around(loop_.executor());
        io::Scope inner(loop_.executor());
        if (etcd) {
            around.spawn([&etcd] { return etcd->run(); });
        }
        around.spawn([this] { return feed_.run(); });
        around.spawn([this] { return rest_.run(); });
        around.spawn([this] { return pusher_.run(); });
        if (config_.backup_jobs) {
            around.spawn([this] { return backup_jobs_.run(); });
        }
        around.spawn([this] { return wait_for_signal(); });
        std::unique_ptr<EmbeddedEndpoint> endpoint;
        if (config_.proxy) {
            endpoint = std::make_unique<EmbeddedEndpoint>(loop_.executor(), clock_, config_);
            outcome_ = endpoint->open();
            around.spawn([&endpoint] { return endpoint->run(); });
        }
        if (outcome_) {
            inner.spawn([this] { return run_agent(); });
            while (!co_await done_.wait_until(clock_.now() + Seconds(3600))) {
            }
            agent_.stop();
            const auto patience = clock_.now() + Seconds(5);
            while (!ended_ && clock_.now() < patience) {
                (void)co_await done_.wait_until(patience);
            }
            co_await inner.close();
            co_await agent_.close();
        }
        if (outcome_) {
            co_await agent_.shut_down();
        }
        co_await instance_.close();
        co_await around.close();
        if (etcd && outcome_) {
            co_await etcd->stop();
        }
    }

    std::unique_ptr<dcs::etcd::EtcdSupervisor> supervise_etcd() {
        if (!config_.etcd->supervised) {
            return nullptr;
        }
        const auto& s = *config_.etcd->supervised;
        return std::make_unique<dcs::etcd::EtcdSupervisor>(
            loop_.executor(), clock_,
            dcs::etcd::SupervisedMember{.name = s.name,
                                        .data_dir = s.data_dir,
                                        .client_url = s.client,
                                        .peer_url = s.peer,
                                        .members = s.members});
    }

    config::AgentConfig config_;
    io::SystemClock clock_{};
    io::Loop loop_{};
    io::Loop keeper_loop_{};
    agent::Identity identity_;
    std::unique_ptr<dcs::KeyValueStore> store_;
    std::unique_ptr<dcs::KeyValueStore> keeper_store_;
    dcs::ClusterFeed feed_;
    agent::HttpPeers peers_;
    agent::HttpPeers promise_peers_;  ///< on the keeper's thread
    agent::DeviceWatchdog watchdog_;
    ha::WakeWatch wake_{};
    ArchivePusher pusher_;  ///< before any PostgreSQL is started: its environment names the socket
    BackupJobs backup_jobs_;
    instance::LocalInstance instance_;
    agent::LeaseKeeper keeper_;
    agent::Agent agent_;
    api::RestServer rest_;
    io::Signals signals_;
    io::Bell done_;
    Result<> outcome_{};
    bool ended_ = false;
};

/// PostgreSQL refuses root, and files made as root would lock its own user out.
Result<> refuse_root() {
    if (geteuid() != 0) {
        return {};
    }
    return fail(Errc::invalid, "PostgreSQL can't run as root",
                "run it as the user that owns the data directory: runuser -u postgres -- howdah "
                "agent FILE");
}

/// A data directory that can't be made or read is told before anything is started.
Result<> check_data_dir(const config::AgentConfig& config) {
    const std::filesystem::path dir(config.postgresql.data_dir);
    std::error_code error;
    if (std::filesystem::exists(dir, error) && ::access(dir.c_str(), R_OK | W_OK | X_OK) != 0) {
        return fail(
            Errc::invalid, fmt::format("{}: this user can't write there", dir.string()),
            fmt::format("postgresql.data_dir in {} must belong to the user that runs the agent",
                        config.file));
    }
    return {};
}

}  // namespace

Result<> run_agent(const std::string& file) {
    HD_TRY(auto config, config::load_agent_config(file, config::Purpose::agent));
    HD_TRY_VOID(refuse_root());
    HD_TRY_VOID(check_data_dir(config));
    start_log(config.name);
    for (const auto& warning : config.warnings) {
        spdlog::warn("{}", warning.text());
    }
    const auto binary = std::filesystem::read_symlink("/proc/self/exe").string();
    HD_TRY_VOID(instance::check_binaries(config));
    HD_TRY(const auto state, agent::StateDir::open(config.state_dir));
    HD_TRY_VOID(check_before_start(config, state->member_uuid()));
    HD_TRY(auto page, fencer::DeadlinePage::open(state->path() + "/deadline"));
    PageDeadlines deadlines(std::move(page));
    AgentProcess process(std::move(config), *state, deadlines, binary);
    return process.run();
}

}  // namespace howdah::cli
