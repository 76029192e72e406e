#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "instance/local/local_instance.h"
#include "io/child.h"
#include "pg/quote.h"
#include "pg/slot_name.h"

namespace howdah::instance {
namespace {

constexpr Nanos connect_limit = Seconds(3);
constexpr Nanos query_limit = Seconds(2);
constexpr Nanos script_limit = Seconds(3600);
/// What `ALTER ROLE` or `ALTER DATABASE` sets for everybody must not end or bind what the agent
/// does.
const std::string own_session =
    "-c statement_timeout=0 -c lock_timeout=0 -c default_transaction_read_only=off";
/// No statement of these appears in a log, and none waits for a standby.
constexpr auto quiet_options =
    "-c log_statement=none -c log_min_duration_statement=-1 -c log_min_error_statement=panic "
    "-c synchronous_commit=local -c statement_timeout=0 -c search_path=pg_catalog";

/// First absolute folder of unix_socket_directories; empty: libpq's own.
std::string socket_folder(const config::Parameters& parameters) {
    const auto found = parameters.find("unix_socket_directories");
    std::istringstream folders(found == parameters.end() ? "" : found->second);
    for (std::string folder; std::getline(folders, folder, ',');) {
        folder.erase(0, folder.find_first_not_of(' '));
        if (folder.starts_with('/')) {
            return folder;
        }
    }
    return {};
}

/// Creates the role or changes it, so that a repeated bootstrap ends the same.
std::string role_statement(const std::string& name, const std::string& options,
                           const std::string& verifier) {
    const auto password = verifier.empty() ? "" : " PASSWORD " + pg::quote_literal(verifier);
    const auto rest = pg::quote_identifier(name) + " WITH " + options + password;
    return fmt::format(
        "DO $howdah$BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = {}) THEN "
        "ALTER ROLE {}; ELSE CREATE ROLE {}; END IF; END$howdah$",
        pg::quote_literal(name), rest, rest);
}

constexpr std::array rewind_functions{"pg_ls_dir(text, boolean, boolean)",
                                      "pg_stat_file(text, boolean)", "pg_read_binary_file(text)",
                                      "pg_read_binary_file(text, bigint, bigint, boolean)"};

/// CREATE ROLE's words only: they come from a file and go into a statement.
bool is_role_option(const std::string& option) {
    static const std::set<std::string> known{
        "SUPERUSER",    "NOSUPERUSER",   "CREATEDB",  "NOCREATEDB", "CREATEROLE",
        "NOCREATEROLE", "INHERIT",       "NOINHERIT", "LOGIN",      "NOLOGIN",
        "REPLICATION",  "NOREPLICATION", "BYPASSRLS", "NOBYPASSRLS"};
    return known.contains(option);
}

std::string upper(std::string text) {
    std::ranges::transform(text, text.begin(),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return text;
}

}  // namespace

pgclient::Keywords LocalInstance::local_keywords(const std::string& options) const {
    const auto& pg = config_.postgresql;
    pgclient::Keywords keywords{{"host", config::local_address(pg.listen_addresses)},
                                {"port", std::to_string(pg.port)},
                                {"user", pg.superuser.username},
                                {"password", pg.superuser.password},
                                {"dbname", pg.database},
                                {"application_name", "Howdah agent"},
                                {"connect_timeout", "3"},
                                {"options", own_session + (" " + options)}};
    for (const auto& [name, value] : pg.superuser.options) {
        keywords[name] = value;
    }
    if (pg.use_unix_socket && settings_) {
        keywords["host"] = socket_folder(settings_->parameters);
    }
    return keywords;
}

pgclient::Keywords LocalInstance::remote_keywords(const Upstream& at,
                                                  const config::Credentials& who) const {
    pgclient::Keywords keywords{{"host", at.host},
                                {"port", std::to_string(at.port)},
                                {"user", who.username},
                                {"password", who.password},
                                {"dbname", config_.postgresql.database},
                                {"application_name", "Howdah agent"},
                                {"connect_timeout", "3"}};
    for (const auto& [name, value] : who.options) {
        keywords[name] = value;
    }
    return keywords;
}

io::Task<Result<Rows>> LocalInstance::query_once(pgclient::Keywords keywords, std::string sql,
                                                 Nanos limit) {
    HD_CO_TRY(const auto connection, co_await Connection::open(clock_, std::move(keywords),
                                                               std::min(limit, connect_limit)));
    co_return co_await connection->query(std::move(sql), {}, limit);
}

/// Only the primary of the term that names it is a measure for what is here (N12).
Result<> LocalInstance::prove_source(const Upstream& at, const Identity& there, bool in_recovery) {
    if (!at.system_id.empty() && there.system_id != at.system_id) {
        return fail(Errc::unsafe,
                    fmt::format("{} belongs to another cluster: its system identifier is {}, the "
                                "scope's is {}",
                                at.name, there.system_id, at.system_id));
    }
    if (in_recovery) {
        return fail(Errc::conflict, at.name + " is in recovery, so nothing is taken from it");
    }
    if (at.timeline != 0 && there.timeline != at.timeline) {
        return fail(Errc::conflict,
                    fmt::format("{} is on timeline {}, its term says {}, so nothing is taken from "
                                "it",
                                at.name, there.timeline, at.timeline));
    }
    return {};
}

io::Task<Result<LocalInstance::Identity>> LocalInstance::identify(Upstream at) {
    auto keywords = remote_keywords(at, config_.postgresql.replication);
    keywords["replication"] = "true";
    keywords["options"] = "-c default_transaction_read_only=off";
    keywords.erase("dbname");
    HD_CO_TRY(const auto connection,
              co_await Connection::open(clock_, std::move(keywords), connect_limit));
    // In recovery every transaction is read-only, and in_hot_standby is there from 14 on.
    const auto* asks = connection->server_version() >= 140000 ? "SHOW in_hot_standby"
                                                              : "SHOW transaction_read_only";
    HD_CO_TRY(const auto recovery, co_await connection->query(asks, {}, query_limit));
    HD_CO_TRY(const auto system, co_await connection->query("IDENTIFY_SYSTEM", {}, query_limit));
    if (system.empty() || system[0].size() < 3 || recovery.empty()) {
        co_return fail(Errc::corrupt, at.name + ": unexpected answer to IDENTIFY_SYSTEM");
    }
    const bool in_recovery = recovery[0][0] == "on";
    Identity identity{.system_id = system[0][0].value_or("")};
    identity.timeline = static_cast<pg::Timeline>(std::stoul(system[0][1].value_or("0")));
    HD_CO_TRY_VOID(prove_source(at, identity, in_recovery));
    identity.flush = pg::Lsn::parse(system[0][2].value_or("")).value_or(pg::Lsn{});
    if (identity.timeline > 1) {
        const auto command = fmt::format("TIMELINE_HISTORY {}", identity.timeline);
        HD_CO_TRY(const auto history, co_await connection->query(command, {}, query_limit));
        if (!history.empty() && history[0].size() > 1) {
            HD_CO_TRY(identity.history, pg::parse_history(history[0][1].value_or("")));
        }
    }
    co_return identity;
}

io::Task<Result<>> LocalInstance::create_slot_at(Upstream at) {
    auto keywords = remote_keywords(at, config_.postgresql.replication);
    keywords["replication"] = "true";
    keywords.erase("dbname");
    const auto made =
        co_await query_once(std::move(keywords),
                            fmt::format("CREATE_REPLICATION_SLOT {} PHYSICAL RESERVE_WAL",
                                        pg::quote_identifier(pg::slot_name(config_.name))),
                            query_limit);
    if (!made && made.error().sqlstate != pgclient::sqlstate::duplicate_object) {
        co_return std::unexpected(made.error());
    }
    co_return Result<>{};
}

io::Task<Result<>> LocalInstance::checkpoint(Nanos limit) {
    HD_CO_TRY_VOID(must_run("checkpoint"));
    HD_CO_TRY_VOID(
        co_await query_once(local_keywords("-c statement_timeout=0"), "CHECKPOINT", limit));
    co_return Result<>{};
}

io::Task<Result<>> LocalInstance::create_users(config::Bootstrap how) {
    const auto& pg = config_.postgresql;
    HD_CO_TRY(const auto connection,
              co_await Connection::open(clock_, local_keywords(quiet_options), connect_limit));
    struct Role {
        std::string name{}, options{}, password{};
    };
    std::vector<Role> roles{
        {pg.superuser.username, "SUPERUSER LOGIN", pg.superuser.password},
        {pg.replication.username, "REPLICATION LOGIN", pg.replication.password}};
    const bool own_rewind_user = pg.rewind && pg.rewind->username != pg.superuser.username;
    if (own_rewind_user) {
        roles.push_back(
            {pg.rewind->username,
             pg.rewind->username == pg.replication.username ? "REPLICATION LOGIN" : "LOGIN",
             pg.rewind->password});
    }
    for (const auto& user : how.users) {
        std::string options = "LOGIN";
        for (const auto& option : user.options) {
            if (!is_role_option(upper(option))) {
                co_return fail(
                    Errc::invalid,
                    fmt::format("bootstrap.users.{}: {}: unknown option", user.name, option),
                    "write options of CREATE ROLE, such as createrole or createdb");
            }
            options += " " + upper(option);
        }
        roles.push_back({user.name, options, user.password});
    }
    for (const auto& role : roles) {
        std::string verifier;
        if (!role.password.empty()) {
            HD_CO_TRY(verifier, connection->password_verifier(role.password, role.name));
        }
        HD_CO_TRY_VOID(co_await connection->query(role_statement(role.name, role.options, verifier),
                                                  {}, query_limit));
    }
    for (const auto* function : rewind_functions) {
        if (own_rewind_user) {
            HD_CO_TRY_VOID(co_await connection->query(
                fmt::format("GRANT EXECUTE ON FUNCTION pg_catalog.{} TO {}", function,
                            pg::quote_identifier(pg.rewind->username)),
                {}, query_limit));
        }
    }
    co_return how.post_bootstrap.empty() ? Result<>{}
                                         : co_await run_post_bootstrap(how.post_bootstrap);
}

io::Task<Result<>> LocalInstance::run_post_bootstrap(std::string command) {
    const auto keywords = local_keywords("");
    const auto conninfo = render_conninfo({{"host", keywords.at("host")},
                                           {"port", keywords.at("port")},
                                           {"user", keywords.at("user")},
                                           {"dbname", keywords.at("dbname")}});
    const io::RunOptions options{
        .environment = {"PGPASSWORD=" + config_.postgresql.superuser.password,
                        "PGOPTIONS=" + own_session + " -c synchronous_commit=local"}};
    HD_CO_TRY(
        const auto output,
        co_await io::run(clock_, {"/bin/sh", "-c", command + " \"$1\"", "post_bootstrap", conninfo},
                         options, script_limit));
    if (output.exit_code != 0) {
        co_return fail(Errc::io, fmt::format("post_bootstrap ended with {}: {}", output.exit_code,
                                             output.text));
    }
    co_return Result<>{};
}

io::Task<Result<>> LocalInstance::end_walsender(int pid) {
    HD_CO_TRY_VOID(must_run("end a walsender"));
    const auto turn = co_await one_query_.take();
    HD_CO_TRY_VOID(co_await ensure_connection(query_limit));
    HD_CO_TRY_VOID(co_await connection_->query(
        fmt::format("SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE pid = {}",
                    pid),
        {}, query_limit));
    co_return Result<>{};
}

io::Task<Result<>> LocalInstance::keep_slots(std::vector<std::string> member_names) {
    HD_CO_TRY_VOID(must_run("slots"));
    std::set<std::string> wanted;
    for (const auto& name : member_names) {
        if (name != config_.name && settings_ && settings_->use_slots) {
            wanted.insert(pg::slot_name(name));
        }
    }
    const auto turn = co_await one_query_.take();
    HD_CO_TRY_VOID(co_await ensure_connection(query_limit));
    HD_CO_TRY(const auto slots,
              co_await connection_->query(
                  "SELECT slot_name, active, wal_status = 'lost', restart_lsn IS NULL FROM "
                  "pg_replication_slots WHERE slot_type = 'physical' AND NOT temporary",
                  {}, query_limit));
    const auto is_foreign = [&](const std::string& name) {
        return settings_ && std::ranges::any_of(settings_->foreign_slots, [&](const auto& foreign) {
                   return foreign == name || foreign == "*";
               });
    };
    std::string statements;
    for (const auto& slot : slots) {
        const auto& name = *slot[0];
        if (is_foreign(name) && !wanted.contains(name)) {
            continue;
        }
        const bool active = slot[1] == "t";
        const bool lost = slot[2] == "t" || slot[3] == "t";
        if (!active && (lost || !wanted.contains(name))) {
            spdlog::info("dropping a slot that no member needs here slot={}", name);
            statements +=
                fmt::format("SELECT pg_drop_replication_slot({});", pg::quote_literal(name));
        } else {
            wanted.erase(name);
            // Here nobody streams from it, but after a promotion its member will.
            if (!active && local_.role == ha::Role::standby) {
                statements +=
                    fmt::format("SELECT pg_replication_slot_advance({}, pg_last_wal_replay_lsn());",
                                pg::quote_literal(name));
            }
        }
    }
    for (const auto& name : wanted) {
        statements += fmt::format("SELECT pg_create_physical_replication_slot({}, true);",
                                  pg::quote_literal(name));
    }
    if (!statements.empty()) {
        HD_CO_TRY_VOID(co_await connection_->query(statements, {}, query_limit));
    }
    co_return Result<>{};
}

io::Task<Result<>> LocalInstance::drop_slots(std::vector<std::string> member_names) {
    HD_CO_TRY_VOID(must_run("slots"));
    std::string names;
    for (const auto& name : member_names) {
        names += (names.empty() ? "" : ", ") + pg::quote_literal(pg::slot_name(name));
    }
    if (names.empty()) {
        co_return Result<>{};
    }
    const auto turn = co_await one_query_.take();
    HD_CO_TRY_VOID(co_await ensure_connection(query_limit));
    HD_CO_TRY(const auto dropped,
              co_await connection_->query(
                  fmt::format("SELECT slot_name, pg_drop_replication_slot(slot_name) FROM "
                              "pg_replication_slots WHERE slot_type = 'physical' AND NOT temporary "
                              "AND NOT active AND slot_name IN ({})",
                              names),
                  {}, query_limit));
    for (const auto& slot : dropped) {
        spdlog::info("dropped the slot of a member that streams from the primary slot={}",
                     slot[0].value_or(""));
    }
    co_return Result<>{};
}

}  // namespace howdah::instance
