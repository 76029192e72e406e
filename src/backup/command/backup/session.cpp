#include "backup/command/backup/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "backup/options/exit_code.h"
#include "io/task.h"

namespace howdah::backup {
namespace {

constexpr Seconds longest_silence{30};

Error db_error(ExitCode exit_code, Error error) {
    return ending_with(exit_code, std::move(error));
}

template <class Number>
Number number_of(const std::optional<std::string>& text) {
    Number number{};
    if (text) {
        std::from_chars(text->data(), text->data() + text->size(), number);
    }
    return number;
}

}  // namespace

Result<Session> Session::open(const ClusterOptions& cluster, Nanos limit) {
    const pgclient::Keywords keywords{
        {"host", cluster.socket_path}, {"port", std::to_string(cluster.port)},
        {"user", cluster.user},        {"dbname", cluster.database},
        {"client_encoding", "UTF8"},   {"application_name", "Howdah [backup]"}};
    auto connection = pgclient::BlockingConnection::open(keywords, limit);
    if (!connection) {
        return std::unexpected(
            db_error(ExitCode::db_connect,
                     std::move(connection)
                         .error()
                         .within(fmt::format("unable to connect to PostgreSQL on pg{}, port {}",
                                             cluster.index, cluster.port))));
    }
    Session session(*std::move(connection), limit);
    HD_TRY_VOID(
        session.ask("set search_path = 'pg_catalog'; set statement_timeout = 0;"
                    "set max_parallel_workers_per_gather = 0"));
    return session;
}

Result<pgclient::Rows> Session::ask(const std::string& sql,
                                    const std::vector<std::string>& parameters) {
    const std::scoped_lock lock(*mutex_);
    auto rows = connection_.query(sql, parameters, limit_);
    asked_ = io::SystemClock().now();
    if (!rows) {
        return std::unexpected(
            db_error(ExitCode::db_query, std::move(rows).error().within("PostgreSQL")));
    }
    return rows;
}

Result<pgclient::Row> Session::ask_row(const std::string& sql,
                                       const std::vector<std::string>& parameters) {
    HD_TRY(auto rows, ask(sql, parameters));
    if (rows.size() != 1) {
        return fail_with(
            ExitCode::db_query, Errc::invalid,
            fmt::format("PostgreSQL gave {} rows where one was expected: {}", rows.size(), sql));
    }
    return std::move(rows.front());
}

Result<ServerFacts> Session::facts() {
    HD_TRY(const auto row,
           ask_row("select pg_is_in_recovery(), current_setting('data_directory'),"
                   " current_setting('archive_mode'), current_setting('archive_command'),"
                   " pg_size_bytes(current_setting('wal_segment_size')),"
                   " current_setting('data_checksums'),"
                   " extract(epoch from current_setting('checkpoint_timeout')::interval)::bigint"));
    return ServerFacts{.in_recovery = row[0] == "t",
                       .data_directory = row[1].value_or(""),
                       .archive_mode = row[2].value_or(""),
                       .archive_command = row[3].value_or(""),
                       .wal_segment_bytes = number_of<std::uint64_t>(row[4]),
                       .page_checksums = row[5] == "on",
                       .checkpoint_timeout = Seconds(number_of<std::int64_t>(row[6]))};
}

Result<ServerState> Session::state() {
    HD_TRY(const auto row,
           ask_row(before_10() ? "select pg_is_in_recovery(), case when pg_is_in_recovery()"
                                 " then (pg_control_checkpoint()).timeline_id else"
                                 " ('x' || substr(pg_xlogfile_name(pg_current_xlog_location()), 1,"
                                 " 8))::bit(32)::int end, (case when pg_is_in_recovery() then"
                                 " greatest(pg_last_xlog_receive_location(),"
                                 " pg_last_xlog_replay_location())"
                                 " else pg_current_xlog_location() end)::text"
                               : "select pg_is_in_recovery(), case when pg_is_in_recovery()"
                                 " then (pg_control_checkpoint()).timeline_id else"
                                 " ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1,"
                                 " 8))::bit(32)::int end, (case when pg_is_in_recovery() then"
                                 " greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())"
                                 " else pg_current_wal_lsn() end)::text"));
    return ServerState{.in_recovery = row[0] == "t",
                       .timeline = number_of<std::uint32_t>(row[1]),
                       .lsn = pg::Lsn::parse(row[2].value_or("0/0")).value_or(pg::Lsn())};
}

Result<std::int64_t> Session::now() {
    HD_TRY(const auto row, ask_row("select floor(extract(epoch from clock_timestamp()))::bigint"));
    return number_of<std::int64_t>(row[0]);
}

Result<std::vector<repo::ManifestDatabase>> Session::databases() {
    HD_TRY(const auto rows,
           ask("select datname, oid, (select oid from pg_database where datname = 'template0')"
               " from pg_database order by datname collate \"C\""));
    std::vector<repo::ManifestDatabase> all;
    for (const auto& row : rows) {
        all.push_back({.name = row[0].value_or(""),
                       .oid = number_of<std::uint32_t>(row[1]),
                       .last_system_oid = number_of<std::uint32_t>(row[2])});
    }
    return all;
}

Result<std::vector<ServerTablespace>> Session::tablespaces() {
    HD_TRY(const auto rows, ask("select oid, spcname from pg_tablespace"));
    std::vector<ServerTablespace> all;
    for (const auto& row : rows) {
        all.push_back({.oid = number_of<std::uint32_t>(row[0]), .name = row[1].value_or("")});
    }
    return all;
}

Result<std::string> Session::current_segment() {
    HD_TRY(const auto row,
           ask_row(before_10() ? "select pg_xlogfile_name(pg_current_xlog_insert_location())"
                               : "select pg_walfile_name(pg_current_wal_insert_lsn())"));
    return row[0].value_or("");
}

Result<> Session::switch_wal() {
    HD_TRY(const auto row,
           ask_row(before_10() ? "select pg_create_restore_point('Howdah Archive Check')::text,"
                                 " pg_switch_xlog()::text"
                               : "select pg_create_restore_point('Howdah Archive Check')::text,"
                                 " pg_switch_wal()::text"));
    return {};
}

Result<WalPlace> Session::start(bool fast) {
    HD_TRY(const auto time, ask_row("select current_timestamp::text"));
    const auto* const sql =
        before_10() ? "select lsn::text, pg_xlogfile_name(lsn)"
                      " from pg_start_backup($1, $2, false) as lsn"
        : before_15()
            ? "select lsn::text, pg_walfile_name(lsn)"
              " from pg_start_backup($1, $2, false) as lsn"
            : "select lsn::text, pg_walfile_name(lsn) from pg_backup_start($1, $2) as lsn";
    HD_TRY(const auto row, ask_row(sql, {"pgBackRest backup started at " + time[0].value_or(""),
                                         fast ? "true" : "false"}));
    HD_TRY(const auto lsn, pg::Lsn::parse(row[0].value_or("")));
    return WalPlace{.lsn = lsn, .segment = row[1].value_or("")};
}

Result<BackupEnd> Session::stop() {
    const auto* const sql =
        before_10()   ? "select lsn::text, pg_xlogfile_name(lsn), labelfile, spcmapfile"
                        " from pg_stop_backup(false)"
        : before_15() ? "select lsn::text, pg_walfile_name(lsn), labelfile, spcmapfile"
                        " from pg_stop_backup(false, false)"
                      : "select lsn::text, pg_walfile_name(lsn), labelfile, spcmapfile"
                        " from pg_backup_stop(false)";
    HD_TRY(const auto row, ask_row(sql));
    HD_TRY(const auto lsn, pg::Lsn::parse(row[0].value_or("")));
    return BackupEnd{.place = {.lsn = lsn, .segment = row[1].value_or("")},
                     .backup_label = row[2].value_or(""),
                     .tablespace_map = row[3].value_or("")};
}

Result<pg::Lsn> Session::replayed() {
    HD_TRY(const auto row,
           ask_row(before_10() ? "select coalesce(pg_last_xlog_replay_location()::text, '0/0')"
                               : "select coalesce(pg_last_wal_replay_lsn()::text, '0/0')"));
    return pg::Lsn::parse(row[0].value_or(""));
}

Result<> Session::checkpoint() {
    HD_TRY_VOID(ask("checkpoint"));
    return {};
}

Result<> Session::keep_alive() {
    {
        const std::scoped_lock lock(*mutex_);
        if (io::SystemClock().now() - asked_ < longest_silence) {
            return {};
        }
    }
    HD_TRY_VOID(ask("select 1"));
    return {};
}

}  // namespace howdah::backup
