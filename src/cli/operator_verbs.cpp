#include "cli/operator_verbs.h"

#include "cli/pick_members.h"

namespace howdah::cli {

namespace {

constexpr auto optional_cluster = "Cluster; default: scope of the configuration";

void add_cluster(CLI::App* verb, std::string& name) {
    verb->add_option("CLUSTER", name, optional_cluster)->type_name("");
}

void add_role(CLI::App* verb, std::string& role) {
    verb->add_option("-r,--role", role, "Members with this role")
        ->check(CLI::IsMember(role_words()).description(""))
        ->type_name("leader|primary|standby-leader|replica|standby|any");
}

void add_watch(CLI::App* verb, std::optional<double>& every) {
    verb->add_flag_callback(
        "-W", [&every] { every = every.value_or(2.0); }, "Again every 2 seconds");
    verb->add_option_function<double>(
            "-w,--watch", [&every](double seconds) { every = seconds; }, "Again every SEC seconds")
        ->check(CLI::PositiveNumber)
        ->type_name("SEC");
}

void add_format(CLI::App* verb, const std::string& names, std::string& format) {
    verb->add_option(names, format, "Output format")
        ->check(CLI::IsMember({"pretty", "tsv", "json", "yaml", "yml"}).description(""))
        ->type_name("pretty|tsv|json|yaml");
}

}  // namespace

void OperatorVerbs::add_to(const AddVerb& add) {
    add_config(add);
    add_pause(add);
    add_topology(add);
    add_members(add);
    add_failover(add);
    add_dsn(add);
    add_query(add);
    add_rest(add);
}

void OperatorVerbs::add_config(const AddVerb& add) {
    auto* show =
        add("show-config", "Print the cluster's configuration", [this] { return show_config_; });
    add_cluster(show, show_config_.cluster);

    auto* edit =
        add("edit-config", "Change the cluster's configuration", [this] { return edit_config_; });
    add_cluster(edit, edit_config_.cluster);
    edit->add_option("-s,--set", edit_config_.set,
                     "Set this key (a.b.c) to a YAML value; null deletes it; may be repeated")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false);
    edit->add_option("-p,--pg", edit_config_.pg, "The same below postgresql.parameters")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false);
    edit->add_option("--apply", edit_config_.apply, "Merge a YAML file; - is the input")
        ->type_name("FILE");
    edit->add_option("--replace", edit_config_.replace, "Take a YAML file instead; - is the input")
        ->type_name("FILE");
    edit->add_flag("-q,--quiet", edit_config_.quiet, "Don't show what changes");
    edit->add_flag("--force", edit_config_.force, "Don't ask");
    edit->footer(
        "Without -s, -p, --apply or --replace it opens $EDITOR. Every value is checked "
        "before it is written.");
}

void OperatorVerbs::add_pause(const AddVerb& add) {
    auto* pause = add("pause", "Stop automatic failover", [this] { return pause_; });
    auto* resume = add("resume", "Allow automatic failover again", [this] { return resume_; });
    for (const auto& [verb, command] : {std::pair{pause, &pause_}, std::pair{resume, &resume_}}) {
        add_cluster(verb, command->cluster);
        verb->add_flag("--wait", command->wait, "Until every member has noticed");
    }
}

void OperatorVerbs::add_members(const AddVerb& add) {
    const auto choose = [](CLI::App* verb, MemberChoice& of) {
        verb->add_option("CLUSTER", of.cluster, "Its name")->required()->type_name("");
        verb->add_option("MEMBER", of.members, "Only these")->type_name("");
        verb->add_flag("--force", of.force, "Don't ask");
    };
    auto* restart = add("restart", "Restart PostgreSQL of members", [this] { return restart_; });
    choose(restart, restart_.of);
    add_role(restart, restart_.of.role);
    restart->add_flag("--any", restart_.any, "One of them only");
    restart->add_option("--scheduled", restart_.scheduled, "When (ISO 8601); default: now")
        ->type_name("TIME");
    restart
        ->add_option("--pg-version", restart_.below_version,
                     "Only where PostgreSQL is older than this")
        ->type_name("V");
    restart->add_flag("--pending", restart_.pending, "Only where a parameter waits for it");
    restart->add_option("--timeout", restart_.timeout, "Give up waiting after so long")
        ->type_name("SEC");

    auto* reload = add("reload", "Let members read their file again", [this] { return reload_; });
    choose(reload, reload_.of);
    add_role(reload, reload_.of.role);

    auto* reinit =
        add("reinit", "Copy a standby's data directory anew", [this] { return reinit_; });
    choose(reinit, reinit_.of);
    reinit->add_flag("--from-leader", reinit_.from_leader, "From the primary (Howdah always does)");
    reinit->add_flag("--wait", reinit_.wait, "Until the copy is complete");

    auto* flush = add("flush", "Drop what is scheduled", [this] {
        auto& words = flush_.of.members;
        const auto at = std::ranges::find_if(
            words, [](const auto& w) { return w == "restart" || w == "switchover"; });
        if (at == words.end()) {
            throw CLI::ValidationError("TARGET", "restart or switchover");
        }
        flush_.target = *at;
        words.erase(at);
        return flush_;
    });
    flush->add_option("CLUSTER", flush_.of.cluster, "Its name")->required()->type_name("");
    flush->add_option("MEMBER... restart|switchover", flush_.of.members, "What, and of whom")
        ->required()
        ->type_name("");
    flush->add_flag("--force", flush_.of.force, "Don't ask");
    add_role(flush, flush_.of.role);
}

void OperatorVerbs::add_failover(const AddVerb& add) {
    auto* verb = add("failover", "Make a member the primary, be the present one healthy or not",
                     [this] { return failover_; });
    add_cluster(verb, failover_.cluster);
    verb->add_option("--candidate", failover_.candidate, "Name of the next primary")
        ->type_name("NAME");
    verb->add_flag("--force", failover_.force, "Don't ask");
    verb->add_flag(
        "--accept-loss", failover_.accept_loss,
        "When the members that may hold more are gone for good: the candidate leads with "
        "what it has. Asks for its name to be typed");
}

void OperatorVerbs::add_topology(const AddVerb& add) {
    auto* verb = add("topology", "Show who replicates from whom", [this] { return topology_; });
    verb->add_option("CLUSTER", topology_.clusters, "Clusters; default: scope of the configuration")
        ->type_name("");
    verb->add_flag("--classic", topology_.classic, "The columns of Patroni 3: TL, Lag in MB");
    add_watch(verb, topology_.watch_seconds);
}

void OperatorVerbs::add_dsn(const AddVerb& add) {
    auto* verb =
        add("dsn", "Print host and port of a member's PostgreSQL", [this] { return dsn_; });
    add_cluster(verb, dsn_.cluster);
    add_role(verb, dsn_.role);
    verb->add_option("-m,--member", dsn_.member, "This member")->type_name("NAME");
}

void OperatorVerbs::add_query(const AddVerb& add) {
    auto* verb = add("query", "Run a statement on a member", [this] { return query_; });
    // The verb's own -c and -d win over the program's.
    verb->fallthrough(false);
    add_cluster(verb, query_.cluster);
    add_format(verb, "--format", query_.format);
    verb->add_option("-f,--file", query_.file, "Run the statements of a file")->type_name("FILE");
    verb->add_option("-c,--command", query_.sql, "The statement")->type_name("SQL");
    verb->add_option("-U,--username", query_.user, "Database user")->type_name("USER");
    verb->add_option("-d,--dbname", query_.database, "Database")->type_name("DB");
    verb->add_flag("--password", query_.password, "Ask for the password");
    verb->add_option("--delimiter", query_.delimiter, "Between columns of tsv")->type_name("TEXT");
    add_role(verb, query_.role);
    verb->add_option("-m,--member", query_.member, "On this member")->type_name("NAME");
    add_watch(verb, query_.watch_seconds);
}

void OperatorVerbs::add_rest(const AddVerb& add) {
    auto* remove = add("remove", "Take a cluster out of the store", [this] { return remove_; });
    remove->add_option("CLUSTER", remove_.cluster, "Its name")->required()->type_name("");
    add_format(remove, "-f,--format", remove_.format);

    auto* version = add("version", "Print this version, and those of a cluster's members",
                        [this] { return version_; });
    version->add_option("CLUSTER", version_.cluster, "Ask its members")->type_name("");
    version->add_option("MEMBER", version_.members, "Only these")->type_name("");
}

}  // namespace howdah::cli
