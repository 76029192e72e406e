#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <sstream>

#include "api/status_document.h"
#include "base/nearest.h"
#include "cli/backup/verbs.h"
#include "cli/operator_verbs.h"

namespace howdah::cli {

namespace {

constexpr const char* run_group = "Run a cluster";
constexpr const char* look_group = "Look at it and change it";
constexpr const char* backup_group = "Back it up (options as pgbackrest's)";
constexpr const char* try_group = "Try it on this machine";

/// The parser and what it fills in.
class Parser {
public:
    explicit Parser(std::string program) {
        app_.name(std::move(program));
        app_.require_subcommand(1);
        app_.fallthrough();
        app_.get_formatter()->column_width(34);
        app_.add_option("-c,--config-file", line_.config_file,
                        "Configuration (patroni.yml); else HOWDAH_CONFIG or PATRONICTL_CONFIG_FILE")
            ->type_name("FILE");
        app_.add_option(
                "-d,--dcs-url,--dcs", line_.dcs_url,
                "The store instead of the configuration's: [SCHEME://]HOST[:PORT][/NAMESPACE]")
            ->type_name("URL");
        app_.add_flag("-k,--insecure", line_.insecure,
                      "Don't verify the certificates of the members");
        app_.footer(
            "howdah VERB --help tells more. Exit codes: 0 done, 1 failed, 2 usage, 3 refused as "
            "unsafe.");
        add_agent();
        add_proxy();
        add_repo();
        add_cert();
        add_backup_jobs();
        add_bootstrap();
        add_list();
        add_history();
        add_explain();
        add_switchover();
        add_dcs();
        add_backup();
        add_config();
        add_up();
        add_down();
        operator_verbs_.add_to([this](const std::string& name, const std::string& what,
                                      std::function<Command()> made) {
            auto* verb = app_.add_subcommand(name, what);
            verb->group(look_group)->fallthrough();
            verb->callback([this, name, made = std::move(made)] {
                line_.verb = name;
                line_.command = made();
            });
            return verb;
        });
    }

    std::vector<std::string> verbs() const {
        std::vector<std::string> out;
        for (const auto* verb : app_.get_subcommands({})) {
            out.push_back(verb->get_name());
        }
        return out;
    }

    CommandLine parse(std::vector<std::string> words) {
        std::ranges::reverse(words);
        app_.parse(words);
        return std::move(line_);
    }

    Leave leave(const CLI::ParseError& error) {
        std::ostringstream out, err;
        const int code = app_.exit(error, out, err);
        return code == 0 ? Leave{.out = out.str()}
                         : Leave{.code = 2, .err = usage_error(error.what())};
    }

    std::string usage_error(const std::string& message) const {
        const auto chosen = app_.get_subcommands();
        const auto name =
            app_.get_name() + (chosen.empty() ? "" : " " + chosen.front()->get_name());
        return name + ": " + message + "\nhint: " + name + " --help\n";
    }

private:
    template <class Options>
    CLI::App* add_verb(const std::string& name, const std::string& what, const char* group,
                       Options& options, CLI::App* parent = nullptr) {
        auto* verb = (parent != nullptr ? parent : &app_)->add_subcommand(name, what);
        verb->group(group)->fallthrough();
        const auto full = parent != nullptr ? parent->get_name() + " " + name : name;
        verb->callback([this, full, &options] {
            line_.verb = full;
            line_.command = options;
        });
        return verb;
    }

    void add_agent() {
        auto* verb = add_verb("agent", "Run this host's member: PostgreSQL, election, REST API",
                              run_group, agent_);
        verb->add_option("FILE", agent_.file,
                         "patroni.yml, or a directory of such; else PATRONI_* of the environment")
            ->type_name("");
    }
    void add_bootstrap() {
        auto* verb = add_verb("bootstrap", "Begin a cluster with a backup of another one",
                              run_group, bootstrap_);
        const auto text = [verb](const char* name, std::string& value, const char* what,
                                 const char* type) {
            return verb->add_option(name, value, what)->type_name(type);
        };
        text("--from-stanza", bootstrap_.from_stanza, "The stanza to restore from", "NAME")
            ->required();
        text("--pgbackrest-config", bootstrap_.backup_config,
             "Where its repository is; default: /etc/pgbackrest/pgbackrest.conf", "FILE");
        text("--set", bootstrap_.set, "Which backup; default: the newest that fits the target",
             "LABEL");
        text("--repo", bootstrap_.repo, "Which repository; default: the first that has it", "N");
        text("--target-time", bootstrap_.target_time,
             "Recover to this time, with its zone: '2026-11-30 12:00:00+00'", "TIME");
        text("--target-lsn", bootstrap_.target_lsn, "Recover to this place in WAL", "LSN");
        text("--target-xid", bootstrap_.target_xid, "Recover to this transaction", "XID");
        text("--target-name", bootstrap_.target_name, "Recover to this restore point", "NAME");
        verb->add_flag("--target-immediate", bootstrap_.target_immediate,
                       "Recover to the end of the backup");
        verb->add_flag("--target-exclusive", bootstrap_.target_exclusive, "Stop before the target");
        text("--target-timeline", bootstrap_.target_timeline, "Along which timeline", "N|latest");
        text("--process-max", bootstrap_.process_max, "Threads that restore", "N");
        verb->add_flag("--dry-run", bootstrap_.dry_run, "Check everything, restore nothing");
        verb->add_flag("--json", bootstrap_.json, "Tell the outcome as JSON");
        verb->footer(
            "Restores into postgresql.data_dir of -c FILE when scope and directory are empty. The "
            "agent, started then,\nrecovers to the target, leads, and initializes the scope. The "
            "cluster the backup came from is not disturbed:\nnothing is archived before a stanza "
            "of the new cluster's own is there. More in docs/bootstrap.md.");
    }
    void add_config() {
        auto* config = app_.add_subcommand("config", "The configuration of this host");
        config->group(look_group)->require_subcommand(1)->fallthrough();
        auto* verb = add_verb("validate", "Check it: every problem with file, line and key",
                              look_group, validate_, config);
        verb->add_option("FILE", validate_.file, "patroni.yml, or a directory of such")
            ->type_name("");
        verb->add_flag("-p,--print", validate_.print, "Print what was read");
        verb->add_flag("-i,--ignore-listen-port", validate_.ignore_ports, "Ports may be in use");
        verb = add_verb("explain", "Which value of a key counts, where it stands, what it shadows",
                        look_group, explain_config_, config);
        verb->add_option("KEY", explain_config_.key,
                         "a.b.c, or a part of it; default: all that are set")
            ->type_name("");
        verb = add_verb("keys", "Every key there is: where it may stand, its type, what it does",
                        look_group, keys_, config);
        verb->add_option("KEY", keys_.key, "a.b.c, or a part of it; default: all")->type_name("");
        verb->add_flag("--json", keys_.json, "As JSON");
    }
    void add_proxy() {
        auto* verb = add_verb("proxy", "Run the endpoint: one address for the application",
                              run_group, proxy_);
        verb->add_option("FILE", proxy_.file, "patroni.yml with a section proxy")
            ->required()
            ->type_name("");
        verb->add_option("--pid-file", proxy_.pid_file, "Write the process id there")
            ->type_name("P");
    }
    void add_repo() {
        auto* verb = add_verb("repo", "Run the repository host: serve backups to other hosts",
                              run_group, repo_);
        verb->add_option("FILE", repo_.file, "YAML with a section repo")->required()->type_name("");
        verb->add_flag("--once", repo_.once,
                       "Serve nothing: run what of the schedule is due, and leave");
        verb->add_flag("--dry-run", repo_.dry_run, "Only tell what is scheduled, and what is due");
        verb->footer(
            "repo:\n"
            "  config: /etc/pgbackrest/pgbackrest.conf   its repositories are served\n"
            "  listen: ADDRESS:8432                      default: all addresses\n"
            "  tls: {ca: F, cert: F, key: F}             default: "
            "/etc/howdah/tls/{ca.crt,host.crt,host.key}\n"
            "  schedule: {full: '30 1 * * 0', incr: '30 1 * * 1-6', verify: '@weekly'}\n"
            "                                            also diff, expire, restore-test; cron's "
            "syntax\n"
            "  state: /var/lib/howdah/repo-schedule.json what of it was seen to\n"
            "SIGHUP reads the certificates anew.");
    }
    void add_backup_jobs() {
        auto* verb = add_verb("backup-jobs",
                              "Run backups that the repository host asks for (the agent does)",
                              run_group, backup_jobs_);
        verb->add_option("FILE", backup_jobs_.file, "patroni.yml with a section backup_jobs")
            ->type_name("");
        verb->add_option("--parent", backup_jobs_.parent)->group("");
        verb->footer(
            "backup_jobs:\n"
            "  listen: ADDRESS:8432                      default: all addresses\n"
            "  config: /etc/pgbackrest/pgbackrest.conf   its repoN-host may ask\n"
            "  tls: {ca: F, cert: F, key: F}             default: "
            "/etc/howdah/tls/{ca.crt,host.crt,host.key}\n"
            "Verbs: backup, check, stanza-create, stanza-upgrade.");
    }
    void add_cert() {
        auto* verb = add_verb("cert", "Make a CA and certificates for the hosts of a small site",
                              run_group, cert_);
        verb->add_option("DIR", cert_.dir, "Where they are written, and ca.crt and ca.key are")
            ->required()
            ->type_name("");
        verb->add_flag("--ca", cert_.ca, "Make DIR/ca.crt and ca.key");
        verb->add_option(
                "--host", cert_.hosts,
                "Make DIR/NAME.crt and NAME.key, good for these names and addresses; again "
                "for more hosts")
            ->type_name("NAME[,ADDRESS]");
        verb->add_option("--days", cert_.days, "How long they are good; default: 3650")
            ->check(CLI::Range(1, 36500).description(""))
            ->type_name("N");
    }
    void add_list() {
        auto* verb = add_verb("list", "Show the members of the cluster", look_group, list_);
        verb->add_option("CLUSTER", list_.clusters, "Clusters; default: scope of the configuration")
            ->type_name("");
        verb->add_option("-f,--format", list_.format, "Output format")
            ->check(CLI::IsMember({"pretty", "tsv", "json", "yaml", "yml"}).description(""))
            ->type_name("pretty|tsv|json|yaml");
        verb->add_flag("--classic", list_.classic, "The columns of Patroni 3: TL, Lag in MB");
        verb->add_flag("-e,--extended", list_.extended, "All columns, even empty ones");
        verb->add_flag("-t,--timestamp", list_.timestamp, "Print the time first");
        verb->add_flag_callback(
            "-W", [this] { list_.watch_seconds = list_.watch_seconds.value_or(2.0); },
            "Again every 2 seconds");
        verb->add_option_function<double>(
                "-w,--watch", [this](double every) { list_.watch_seconds = every; },
                "Again every SEC seconds")
            ->check(CLI::PositiveNumber)
            ->type_name("SEC");
    }
    void add_history() {
        auto* verb =
            add_verb("history", "Show the timelines and who led them", look_group, history_);
        verb->add_option("CLUSTER", history_.cluster,
                         "Cluster; default: scope of the configuration")
            ->type_name("");
        verb->add_option("-f,--format", history_.format, "Output format")
            ->check(CLI::IsMember({"pretty", "tsv", "json", "yaml", "yml"}).description(""))
            ->type_name("pretty|tsv|json|yaml");
    }
    void add_explain() {
        auto* verb = add_verb("explain", "Say why each member is what it is", look_group, explain_);
        verb->add_option("MEMBER", explain_.member, "Only this one")->type_name("");
        verb->add_flag("--json", explain_.json, "As JSON");
    }
    void add_switchover() {
        auto* verb = add_verb("switchover", "Move the primary to a standby, losing nothing",
                              look_group, switchover_);
        verb->add_option("CLUSTER", switchover_.cluster,
                         "Cluster; default: scope of the configuration")
            ->type_name("");
        verb->add_option("--leader,--primary", switchover_.leader, "Name of the present leader")
            ->type_name("NAME");
        verb->add_option("--candidate", switchover_.candidate,
                         "Name of the next one; default: the best standby")
            ->type_name("NAME");
        verb->add_option("--scheduled", switchover_.scheduled,
                         "When (ISO 8601 with zone); default: now")
            ->type_name("TIME");
        verb->add_flag("--force", switchover_.force, "Don't ask");
    }
    void add_dcs() {
        auto* dcs = app_.add_subcommand("dcs", "The store behind the cluster (etcd)");
        dcs->group(look_group)->require_subcommand(1)->fallthrough();
        auto* verb = add_verb("status", "Its members, leader, health and database size", look_group,
                              dcs_status_, dcs);
        verb->add_flag("--json", dcs_status_.json, "As JSON");
        verb = add_verb("recover", "Write the leader record anew after the store lost its data",
                        look_group, dcs_recover_, dcs);
        verb->add_option("--missing", dcs_recover_.missing,
                         "A known member that will not come back; again for more")
            ->type_name("NAME");
        verb->add_flag("--force", dcs_recover_.force, "Don't ask");
        verb->add_flag("--dry-run", dcs_recover_.dry_run, "Only tell who would take part");
    }
    void add_backup() {
        for (const auto& each : backup_verbs()) {
            auto* verb = app_.add_subcommand(each.name, each.what);
            verb->group(each.hidden ? "" : backup_group);
            verb->footer(backup_verb_help(each));
        }
    }
    void add_up() {
        auto* verb =
            add_verb("up", "Bring up three members, etcd and the endpoint on 127.0.52.81-85",
                     try_group, up_);
        verb->add_option("--dir", up_.dir, "Where everything lives; default: /tmp/howdah-up-UID")
            ->type_name("D");
        verb->add_flag("--detach", up_.detach,
                       "Return when the cluster is healthy; see D/cluster.json");
        verb->add_option("--etcd", up_.etcd_members,
                         "etcd members: one beside each agent, or one in all")
            ->check(CLI::IsMember({1, 3}).description(""))
            ->type_name("3|1");
        verb->add_option("--sync", up_.sync, "Synchronous replication")
            ->check(CLI::IsMember({"off", "on", "quorum", "strict"}).description(""))
            ->type_name("off|on|quorum|strict");
        verb->add_option("--profile", up_.profile, "How soon a silent leader is replaced")
            ->check(CLI::IsMember({"lan-fast", "default", "wan"}).description(""))
            ->type_name("lan-fast|default|wan");
        verb->add_flag("--no-load", up_.no_load, "No inserts through the endpoint");
        verb->add_option("--network", up_.network,
                         "First three parts of the addresses; default: 127.0.52")
            ->check([](const std::string& text) {
                return text.starts_with("127.") && std::ranges::count(text, '.') == 2
                           ? ""
                           : "not a part of 127.0.0.0/8";
            })
            ->type_name("127.A.B");
    }
    void add_down() {
        auto* verb = add_verb("down", "Stop all that `up` started", try_group, down_);
        verb->add_option("--dir", down_.dir, "As given to up")->type_name("D");
    }

    CLI::App app_{"Keeps a PostgreSQL cluster available, reachable at one address, and observed."};
    CommandLine line_{};
    AgentCommand agent_{};
    ProxyCommand proxy_{};
    RepoCommand repo_{};
    CertCommand cert_{};
    BackupJobsCommand backup_jobs_{};
    ListCommand list_{};
    HistoryCommand history_{};
    ExplainCommand explain_{};
    SwitchoverCommand switchover_{};
    ConfigCommand validate_{}, explain_config_{.what = ConfigCommand::What::explain},
        keys_{.what = ConfigCommand::What::keys};
    DcsStatusCommand dcs_status_{};
    BootstrapCommand bootstrap_{};
    DcsRecoverCommand dcs_recover_{};
    OperatorVerbs operator_verbs_{};
    UpCommand up_{};
    DownCommand down_{};
};

/// The first word that is neither an option nor the value of -c or -d.
std::string verb_in(const std::vector<std::string>& words) {
    for (std::size_t i = 1; i < words.size(); ++i) {
        if (words[i] == "-c" || words[i] == "--config-file" || words[i] == "-d" ||
            words[i] == "--dcs-url" || words[i] == "--dcs") {
            ++i;
        } else if (!words[i].starts_with('-')) {
            return words[i];
        }
    }
    return {};
}

/// patroni [--version] [--validate-config [--print] [--ignore-listen-port]] [CONFIG]
std::variant<CommandLine, Leave> parse_as_patroni(const std::vector<std::string>& words) {
    CLI::App app{"Howdah's agent, under the name and with the arguments of Patroni", "patroni"};
    ConfigCommand validate;
    bool version = false, validates = false;
    std::string file;
    app.add_flag("--version", version, "Print the version and leave");
    app.add_flag("--validate-config", validates, "Check the configuration and leave");
    app.add_flag("-p,--print", validate.print, "With --validate-config: print what was read");
    app.add_flag("-i,--ignore-listen-port", validate.ignore_ports,
                 "With --validate-config: ports may be in use");
    app.add_option("CONFIG", file, "patroni.yml or a directory of such; else the environment")
        ->type_name("");
    try {
        auto rest = std::vector<std::string>(words.begin() + 1, words.end());
        std::ranges::reverse(rest);
        app.parse(rest);
    } catch (const CLI::ParseError& error) {
        std::ostringstream out, err;
        const int code = app.exit(error, out, err);
        return code == 0 ? Leave{.out = out.str()}
                         : Leave{.code = 2,
                                 .err = std::string("patroni: ") + error.what() +
                                        "\nhint: patroni --help\n"};
    }
    if (version) {
        return Leave{.out = std::string("patroni ") + api::patroni_version + "\n"};
    }
    validate.file = file;
    validate.as_patroni = true;
    return validates ? CommandLine{.verb = "config validate", .command = validate}
                     : CommandLine{.verb = "agent", .command = AgentCommand{.file = file}};
}

}  // namespace

std::variant<CommandLine, Leave> parse_command_line(const std::vector<std::string>& words) {
    const auto program =
        std::filesystem::path(words.empty() ? "howdah" : words[0]).filename().string();
    if (program == "patroni") {
        return parse_as_patroni(words);
    }
    const auto verb = verb_in(words);
    // These read their own options, before and behind the verb.
    if (std::ranges::find(backup_verbs(), verb, &BackupVerb::name) != backup_verbs().end() &&
        std::ranges::find(words, "--help") == words.end()) {
        return CommandLine{.verb = verb,
                           .command = BackupCommand{{words.begin() + 1, words.end()}}};
    }
    Parser parser(program);
    const auto verbs = parser.verbs();
    if (!verb.empty() && std::ranges::find(verbs, verb) == verbs.end()) {
        const auto near = nearest(verb, verbs);
        return Leave{
            .code = 2,
            .err = program + ": no verb '" + verb + "'\nhint: " +
                   (near ? "did you mean '" + *near + "'?" : program + " --help lists the verbs") +
                   "\n"};
    }
    try {
        auto line = parser.parse({words.begin() + (words.empty() ? 0 : 1), words.end()});
        line.as_patronictl = program.starts_with("patronictl");
        return line;
    } catch (const CLI::ParseError& error) {
        return parser.leave(error);
    }
}

}  // namespace howdah::cli
