#include "instance/local/pg_files.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <sstream>

#include "ha/archive_call.h"
#include "instance/local/held_archive.h"
#include "io/files.h"
#include "pg/slot_name.h"

namespace howdah::instance {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view generated_mark = "# This file is written by Howdah; changes are lost.";
/// A standby whose upstream changed looks for it again after this, not after PostgreSQL's 5 s.
constexpr std::string_view retry_interval = "500ms";
constexpr auto sync_parameter = "synchronous_standby_names";
/// The second one is there from 15 on.
constexpr std::array archive_parameters{"archive_command", "archive_library"};
/// Of a server that leads nothing. pgBackRest's check looks for its name.
constexpr auto refuses_to_archive =
    "echo \"not archived: this server was not made primary by its agent\" >&2; exit 1"
    "  # howdah, pgbackrest";

Result<bool> write_if_changed(const std::string& path, const std::string& text) {
    const auto old = io::read_file(path);
    if (old && *old == text) {
        return false;
    }
    HD_TRY_VOID(io::write_file_atomically(path, text));
    return true;
}

std::string joined(const std::vector<std::string>& lines) {
    std::string text(generated_mark);
    text += '\n';
    for (const auto& line : lines) {
        text += line + '\n';
    }
    return text;
}

std::string pgpass_field(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == ':' || c == '\\') {
            out += '\\';
        }
        out += c;
    }
    return out;
}

bool is_recovery_parameter(std::string_view name) {
    constexpr std::array names{"primary_conninfo",        "primary_slot_name",
                               "restore_command",         "archive_cleanup_command",
                               "recovery_end_command",    "promote_trigger_file",
                               "recovery_min_apply_delay"};
    for (const std::string_view known : names) {
        if (name == known) {
            return true;
        }
    }
    return name.starts_with("recovery_target");
}

/// What a recovery under recovery.signal is told by a restore.
bool leads_recovery(std::string_view name) {
    return name == "restore_command" || name.starts_with("recovery_target");
}

struct SettingName {
    std::string name{};   ///< in lower case; empty: the line sets nothing
    std::size_t end = 0;  ///< where it ends
};
/// PostgreSQL takes names in any case, and needs neither a space nor '=' behind one. Source: its
/// guc-file.l.
SettingName setting_in(const std::string& line) {
    const auto begin = std::min(line.find_first_not_of(" \t\r"), line.size());
    SettingName found{.end = begin};
    for (; found.end < line.size(); ++found.end) {
        const auto c = static_cast<unsigned char>(line[found.end]);
        if (std::isalnum(c) == 0 && c != '_' && c != '.' && c < 0x80) {
            break;
        }
        found.name += static_cast<char>(std::tolower(c));
    }
    return found;
}

/// The settings of a configuration file; of one that is there twice the last, as PostgreSQL does.
/// Source: PostgreSQL docs, 20.1.2.
config::Parameters settings_in(const std::string& text) {
    config::Parameters out;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const auto [name, end] = setting_in(line);
        const auto value = line.find_first_not_of(" \t\r=", end);
        if (name.empty() || value == std::string::npos) {
            continue;
        }
        auto& setting = out[name];
        setting.clear();
        const bool quoted = line[value] == '\'';
        for (auto i = value + (quoted ? 1 : 0); i < line.size(); ++i) {
            const char c = line[i];
            const bool twice = quoted && c == '\'' && i + 1 < line.size() && line[i + 1] == '\'';
            if (quoted ? c == '\'' && !twice : c == ' ' || c == '\t' || c == '#') {
                break;
            }
            i += twice || (quoted && c == '\\' && i + 1 < line.size()) ? 1 : 0;
            setting += line[i];
        }
    }
    return out;
}

/// For sentences.
std::string target_in(const config::Parameters& settings) {
    const auto value = [&](const char* name) {
        const auto found = settings.find(name);
        return found == settings.end() ? std::string() : found->second;
    };
    for (const auto* kind : {"time", "lsn", "xid", "name"}) {
        if (const auto to = value(fmt::format("recovery_target_{}", kind).c_str()); !to.empty()) {
            return fmt::format("{} {}", kind, to);
        }
    }
    return value("recovery_target") == "immediate" ? "the end of the backup"
                                                   : "the end of the archive";
}

}  // namespace

std::string conf_line(const std::string& name, const std::string& value) {
    std::string quoted;
    for (const char c : value) {
        quoted.append(c == '\'' || c == '\\' ? 2 : 1, c);
    }
    return fmt::format("{} = '{}'\n", name, quoted);
}

std::string render_conninfo(const std::vector<std::pair<std::string, std::string>>& pairs) {
    std::string text;
    for (const auto& [name, value] : pairs) {
        if (value.empty()) {
            continue;
        }
        std::string quoted;
        for (const char c : value) {
            if (c == '\'' || c == '\\') {
                quoted += '\\';
            }
            quoted += c;
        }
        const bool plain = value.find_first_of(" '\\=") == std::string::npos;
        text += fmt::format("{}{}={}", text.empty() ? "" : " ", name,
                            plain ? value : "'" + quoted + "'");
    }
    return text;
}

std::string render_primary_conninfo(const Following& following) {
    std::vector<std::pair<std::string, std::string>> pairs{
        {"user", following.replication.username},
        {"passfile", following.pgpass},
        {"host", following.upstream->host},
        {"port", std::to_string(following.upstream->port)}};
    auto options = following.replication.options;
    options.try_emplace("sslmode", "prefer");
    pairs.insert(pairs.end(), options.begin(), options.end());
    pairs.emplace_back("application_name", following.member);
    return render_conninfo(pairs);
}

std::string render_postgresql_conf(const config::EffectivePostgresql& settings,
                                   const Following& following, const std::string& base,
                                   const std::string& config_dir, int major_version) {
    std::string text =
        fmt::format("{}\n# Set parameters in patroni.yml or with edit-config.\ninclude '{}'\n\n",
                    generated_mark, base);
    auto parameters = settings.parameters;
    parameters.try_emplace("hba_file", config_dir + "/pg_hba.conf");
    parameters.try_emplace("ident_file", config_dir + "/pg_ident.conf");
    parameters.try_emplace("wal_retrieve_retry_interval", retry_interval);
    if (major_version >= 14) {
        // After a crash or a base backup PostgreSQL syncs every file: 2.6 s for an empty cluster,
        // 0.1 s by syncfs (measured), all of it outage when a primary recovers in place.
        parameters.try_emplace("recovery_init_sync_method", "syncfs");
    }
    for (const auto& [name, value] : parameters) {
        text += conf_line(name, value);
    }
    text += "\n# recovery\n";
    if (following.upstream) {
        text += conf_line("primary_conninfo", render_primary_conninfo(following));
        if (settings.use_slots) {
            text += conf_line("primary_slot_name", pg::slot_name(following.member));
        }
    }
    for (const auto& [name, value] : settings.recovery) {
        text += conf_line(name, value);
    }
    text += "recovery_target_timeline = 'latest'\n";
    for (const auto* name : {"", "_name", "_time", "_xid", "_lsn"}) {
        text += fmt::format("recovery_target{} = ''\n", name);
    }
    return text;
}

std::string render_pgpass(const ha::Upstream& upstream, const config::Credentials& who) {
    return fmt::format("{}:{}:*:{}:{}\n", pgpass_field(upstream.host), upstream.port,
                       pgpass_field(who.username), pgpass_field(who.password));
}

std::string without_recovery_parameters(const std::string& auto_conf,
                                        const std::vector<std::string>& also, bool recovers) {
    std::istringstream lines(auto_conf);
    std::string out;
    for (std::string line; std::getline(lines, line);) {
        const auto name = setting_in(line).name;
        const bool stays = !is_recovery_parameter(name) || (recovers && leads_recovery(name));
        if (stays && std::ranges::find(also, name) == also.end()) {
            out += line + '\n';
        }
    }
    return out;
}

PgFiles::PgFiles(const config::Postgresql& paths, std::string state_dir, const std::string& member)
    : data_dir_(paths.data_dir),
      config_dir_(paths.config_dir.empty() ? paths.data_dir : paths.config_dir),
      pgpass_(paths.pgpass),
      state_dir_(std::move(state_dir)),
      job_(fmt::format("unfinished copy of member {}, state in {}\n", member, state_dir_)) {}

ha::DataDir PgFiles::classify() const {
    if (::access((data_dir_ + "/global/pg_control").c_str(), R_OK) == 0) {
        return restore_was_broken_off() || command_was_broken_off() ? ha::DataDir::broken
                                                                    : ha::DataDir::initialized;
    }
    std::error_code ec;
    fs::directory_iterator entries(data_dir_, ec);
    if (ec) {
        return ec == std::errc::no_such_file_or_directory ? ha::DataDir::empty
                                                          : ha::DataDir::broken;
    }
    for (const auto& entry : entries) {
        const auto name = entry.path().filename().string();
        if (!name.starts_with('.') && name != "lost+found") {
            return ha::DataDir::broken;
        }
    }
    return ha::DataDir::empty;
}

/// While a restore works, pgBackRest's and Howdah's alike, this file stands in the data directory;
/// neither touches one that has a postmaster.pid, and a server that runs is nothing half made.
bool PgFiles::restore_was_broken_off() const {
    return ::access((data_dir_ + "/backup.manifest").c_str(), F_OK) == 0 &&
           ::access((data_dir_ + "/postmaster.pid").c_str(), F_OK) != 0;
}

std::optional<ha::Restored> PgFiles::restored() const {
    if (::access((data_dir_ + "/recovery.signal").c_str(), F_OK) != 0 || has_standby_signal()) {
        return std::nullopt;
    }
    auto settings = settings_in(io::read_file(auto_conf()).value_or(""));
    return ha::Restored{.target = target_in(settings),
                        .stanza = ha::stanza_of(settings["restore_command"]),
                        .shuts_down = settings["recovery_target_action"] == "shutdown"};
}

Result<> PgFiles::write_recovery(const config::Parameters& settings) const {
    auto text = without_recovery_parameters(io::read_file(auto_conf()).value_or(""));
    for (const auto& [name, value] : settings) {
        text += conf_line(name, value);
    }
    HD_TRY_VOID(io::write_file_atomically(auto_conf(), text));
    return io::write_file_atomically(data_dir_ + "/recovery.signal", "");
}

Result<> PgFiles::add_to_hba(const std::vector<std::string>& lines) const {
    const auto path = config_dir_ + "/pg_hba.conf";
    auto text = io::read_file(path).value_or("");
    if (!text.empty() && !text.ends_with('\n')) {
        text += '\n';
    }
    const auto before = "\n" + text;
    for (const auto& line : lines) {
        text += before.find("\n" + line + "\n") == std::string::npos ? line + "\n" : "";
    }
    HD_TRY_VOID(write_if_changed(path, text));
    return {};
}

std::optional<ha::Origin> PgFiles::origin() const {
    const auto text = io::read_file(origin_file());
    return text ? std::optional(ha::parse_origin(*text)) : std::nullopt;
}

Result<> PgFiles::remember_origin(const ha::Origin& more) const {
    const auto known = origin();
    const auto all = ha::parse_origin(ha::render(known.value_or(ha::Origin{})) + ha::render(more));
    return known == all ? Result<>{} : io::write_file_atomically(origin_file(), ha::render(all));
}

std::optional<ha::Origin> PgFiles::origin_by(const config::EffectivePostgresql& settings) const {
    const auto here = origin();
    if (!here || !settings.origin) {
        return here ? here : settings.origin;
    }
    return ha::parse_origin(ha::render(*here) + ha::render(*settings.origin));
}

ha::ArchiveGate PgFiles::archive_gate(const config::EffectivePostgresql& settings) const {
    const auto came_from = origin_by(settings);
    if (!came_from) {
        return {};
    }
    const auto given = [&](const char* name) {
        const auto found = settings.parameters.find(name);
        return found == settings.parameters.end() ? std::string() : found->second;
    };
    return ha::archive_gate(*came_from, given(archive_parameters[0]), given(archive_parameters[1]),
                            settings.archive_into, settings.archive_proven);
}

config::Parameters PgFiles::held_archive(const config::EffectivePostgresql& settings,
                                         const std::string& howdah) const {
    const auto library = settings.parameters.find(archive_parameters[1]);
    const bool by_library = library != settings.parameters.end() && !library->second.empty();
    if (!origin_by(settings) || (by_library && archive_gate(settings).open)) {
        return {};
    }
    config::Parameters held{
        {archive_parameters[0], held_archive_command(howdah, held_archive_file())}};
    if (major_version() >= 15) {
        held[archive_parameters[1]] = "";
    }
    return held;
}

Result<> PgFiles::remember_archiving(bool archives) const {
    HD_TRY_VOID(write_if_changed(archives_file(), archives ? "yes\n" : "no\n"));
    return {};
}

bool PgFiles::archives() const {
    const auto said = io::read_file(archives_file());
    return said ? *said == "yes\n" : !has_standby_signal();
}

std::string PgFiles::configured(const config::EffectivePostgresql& settings,
                                const std::string& name) const {
    const auto in = [&](const config::Parameters& there) {
        const auto found = there.find(name);
        return found == there.end() ? std::nullopt : std::optional(found->second);
    };
    const auto in_file = [&](const std::string& path) {
        return in(settings_in(io::read_file(path).value_or("")));
    };
    auto value = in_file(auto_conf());
    value = value ? value : in(settings.parameters);
    value =
        value ? value : in_file(settings.custom_conf.empty() ? base_conf() : settings.custom_conf);
    return value.value_or("");
}

bool PgFiles::runs_held() const {
    const auto line = io::read_file(data_dir_ + "/postmaster.opts");
    return line && line->contains(held_archive_verb);
}

/// Takes the archive from a server that has none of its own, whatever the files say: one that was
/// restored, whose files speak of the old cluster's, and one that leads nothing.
void PgFiles::hold_archive(config::EffectivePostgresql& settings,
                           std::vector<std::string>& owned) const {
    const bool from_backup = origin_by(settings).has_value();
    auto mode = configured(settings, "archive_mode");
    std::ranges::transform(mode, mode.begin(), [](unsigned char c) { return std::tolower(c); });
    const bool leads = archives() || mode == "always";
    if (!from_backup && leads) {
        return;
    }
    if (!leads || !archive_gate(settings).open) {
        settings.parameters[archive_parameters[0]] = from_backup ? "" : refuses_to_archive;
        settings.parameters[archive_parameters[1]] = "";
    }
    if (from_backup) {
        owned.insert(owned.end(), archive_parameters.begin(), archive_parameters.end());
        settings.parameters.try_emplace(archive_parameters[0], "");
        settings.parameters.try_emplace(archive_parameters[1], "");
    }
    if (major_version() < 15) {
        settings.parameters.erase(archive_parameters[1]);
    }
}

Result<> PgFiles::mark_bootstrap() const {
    return io::write_file_atomically(bootstrap_mark(), job_);
}

Result<> PgFiles::clear_bootstrap() const {
    if (::unlink(bootstrap_mark().c_str()) != 0) {
        return errno == ENOENT ? Result<>{} : io::fail_errno("remove " + bootstrap_mark());
    }
    return io::sync_folder(data_dir_);
}

bool PgFiles::bootstrap_begun() const {
    const auto text = io::read_file(bootstrap_mark());
    return text && *text == job_;
}

bool PgFiles::begins_at_a_backup() const {
    return ::access((data_dir_ + "/backup_label").c_str(), F_OK) == 0;
}

Result<> PgFiles::mark_command() const {
    return io::write_file_atomically(command_mark(), job_);
}

Result<> PgFiles::clear_command() const {
    if (::unlink(command_mark().c_str()) != 0) {
        return errno == ENOENT ? Result<>{} : io::fail_errno("remove " + command_mark());
    }
    return io::sync_folder(state_dir_);
}

bool PgFiles::command_was_broken_off() const {
    return ::access(command_mark().c_str(), F_OK) == 0;
}

int PgFiles::major_version() const {
    const auto text = io::read_file(data_dir_ + "/PG_VERSION");
    return text ? std::atoi(text->c_str()) : 0;
}

Result<std::string> PgFiles::settle_base(const config::EffectivePostgresql& settings) const {
    if (!settings.custom_conf.empty()) {
        return settings.custom_conf;
    }
    const auto path = base_conf();
    std::error_code ec;
    if (!fs::exists(path, ec)) {
        auto original = io::read_file(config_file());
        const bool ours = original && original->starts_with(generated_mark);
        HD_TRY_VOID(io::write_file_atomically(path, original && !ours ? *original : ""));
    }
    return fs::path(path).filename().string();
}

Result<bool> PgFiles::write_held_archive(const config::EffectivePostgresql& given) const {
    if (!origin_by(given)) {
        return false;
    }
    auto settings = given;
    std::vector<std::string> owned;
    hold_archive(settings, owned);
    return write_if_changed(held_archive_file(), settings.parameters[archive_parameters[0]]);
}

Result<bool> PgFiles::write_configuration(const config::EffectivePostgresql& given,
                                          const Following& following,
                                          const std::optional<std::string>& sync_standbys) const {
    if (given.origin) {  // for when the store does not say it any more
        HD_TRY_VOID(remember_origin(*given.origin));
    }
    auto settings = given;
    std::vector<std::string> owned;
    if (sync_standbys) {
        settings.parameters[sync_parameter] = *sync_standbys;
        owned.emplace_back(sync_parameter);
    }
    hold_archive(settings, owned);
    HD_TRY_VOID(write_held_archive(given));
    // Commands of the old cluster would work in its archive.
    const bool recovers = restored().has_value();
    if (recovers) {
        settings.recovery["archive_cleanup_command"] = settings.recovery["recovery_end_command"] =
            "";
    }
    HD_TRY(const auto base, settle_base(settings));
    HD_TRY(bool changed,
           write_if_changed(config_file(), render_postgresql_conf(settings, following, base,
                                                                  config_dir_, major_version())));
    if (!settings.pg_hba.empty()) {
        HD_TRY(const bool hba,
               write_if_changed(config_dir_ + "/pg_hba.conf", joined(settings.pg_hba)));
        changed = changed || hba;
    }
    if (!settings.pg_ident.empty()) {
        HD_TRY(const bool ident,
               write_if_changed(config_dir_ + "/pg_ident.conf", joined(settings.pg_ident)));
        changed = changed || ident;
    }
    if (following.upstream) {
        HD_TRY_VOID(
            write_if_changed(pgpass_, render_pgpass(*following.upstream, following.replication)));
    }
    if (const auto text = io::read_file(data_dir_ + "/postgresql.auto.conf")) {
        HD_TRY(const bool stripped,
               write_if_changed(data_dir_ + "/postgresql.auto.conf",
                                without_recovery_parameters(*text, owned, recovers)));
        changed = changed || stripped;
    }
    HD_TRY_VOID(remember_following(following.upstream));
    return changed;
}

Result<> PgFiles::forget_upstream_password() const {
    HD_TRY_VOID(write_if_changed(pgpass_, ""));
    return {};
}

Result<> PgFiles::place_standby_signal() const {
    return io::write_file_atomically(data_dir_ + "/standby.signal", "");
}

Result<> PgFiles::remove_recovery_signals() const {
    for (const auto* name : {"/standby.signal", "/recovery.signal"}) {
        if (::unlink((data_dir_ + name).c_str()) != 0 && errno != ENOENT) {
            return io::fail_errno("remove " + data_dir_ + name);
        }
    }
    return {};
}

bool PgFiles::has_standby_signal() const {
    return ::access((data_dir_ + "/standby.signal").c_str(), F_OK) == 0;
}

Result<> PgFiles::remember_following(const std::optional<ha::Upstream>& upstream) const {
    const auto text =
        upstream ? fmt::format("{}\n{}\n{}\n", upstream->name, upstream->host, upstream->port)
                 : std::string();
    HD_TRY_VOID(write_if_changed(state_dir_ + "/following", text));
    return {};
}

std::optional<ha::Upstream> PgFiles::remembered_following() const {
    const auto text = io::read_file(state_dir_ + "/following");
    std::istringstream lines(text.value_or(""));
    ha::Upstream upstream;
    if (std::getline(lines, upstream.name) && std::getline(lines, upstream.host) &&
        lines >> upstream.port) {
        return upstream;
    }
    return std::nullopt;
}

Result<> PgFiles::remember_sync_standbys(const std::optional<std::string>& names) const {
    HD_TRY_VOID(
        write_if_changed(state_dir_ + "/sync_standbys", names ? *names + "\n" : std::string()));
    return {};
}

std::optional<std::string> PgFiles::remembered_sync_standbys() const {
    auto text = io::read_file(state_dir_ + "/sync_standbys");
    if (!text || !text->ends_with('\n')) {
        return std::nullopt;
    }
    text->pop_back();
    return *std::move(text);
}

Result<> PgFiles::mark_unfinished() const {
    HD_TRY_VOID(io::make_directories(data_dir_));
    return io::write_file_atomically(mark(), job_);
}

Result<> PgFiles::clear_unfinished() const {
    if (::unlink(mark().c_str()) != 0 && errno != ENOENT) {
        return io::fail_errno("remove " + mark());
    }
    return io::sync_folder(data_dir_);
}

bool PgFiles::unfinished() const {
    const auto text = io::read_file(mark());
    return text && *text == job_;
}

Result<> PgFiles::move_up() const {
    const fs::path from(unfinished_copy());
    std::error_code ec;
    std::vector<fs::path> entries;
    for (const auto& entry : fs::directory_iterator(from, ec)) {
        entries.push_back(entry.path());
    }
    for (const auto& entry : entries) {
        const auto to = fs::path(data_dir_) / entry.filename();
        if (::rename(entry.c_str(), to.c_str()) != 0) {
            return io::fail_errno("move " + entry.string() + " to " + to.string());
        }
    }
    struct stat info{};
    if (::stat(from.c_str(), &info) != 0 || ::chmod(data_dir_.c_str(), info.st_mode & 07777) != 0 ||
        ::rmdir(from.c_str()) != 0) {
        return io::fail_errno(from.string());
    }
    return {};
}

std::vector<std::string> PgFiles::contents() const {
    std::error_code ec;
    std::vector<std::string> all;
    const auto add = [&](const fs::path& folder) {
        for (const auto& entry : fs::directory_iterator(folder, ec)) {
            if (entry.path() != mark() && entry.path().filename() != "lost+found") {
                all.push_back(entry.path());
            }
        }
    };
    for (const auto& root : {fs::path(data_dir_), fs::path(unfinished_copy())}) {
        if (fs::is_symlink(root / "pg_wal", ec)) {
            add(root / "pg_wal");
        }
        for (const auto& entry : fs::directory_iterator(root / "pg_tblspc", ec)) {
            if (entry.is_symlink(ec)) {
                add(entry.path());
            }
        }
    }
    add(data_dir_);
    return all;
}

Result<std::string> PgFiles::timeline_history(pg::Timeline timeline) const {
    if (timeline <= 1) {
        return std::string();
    }
    return io::read_file(fmt::format("{}/pg_wal/{:08X}.history", data_dir_, timeline));
}

PgFiles::NewestWal PgFiles::newest_wal(std::uint32_t segment_bytes) const {
    NewestWal newest;
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator(data_dir_ + "/pg_wal", ec)) {
        const auto name = entry.path().filename().string();
        if (name.size() != 24 || name.find_first_not_of("0123456789ABCDEF") != std::string::npos) {
            continue;
        }
        const auto part = [&](std::size_t at) {
            return std::strtoull(name.substr(at, 8).c_str(), nullptr, 16);
        };
        const auto timeline = static_cast<pg::Timeline>(part(0));
        const pg::Lsn first((part(8) << 32U) + part(16) * segment_bytes);
        if (timeline > newest.timeline || (timeline == newest.timeline && first < newest.first)) {
            newest = {.timeline = timeline, .first = first};
        }
    }
    return newest;
}

}  // namespace howdah::instance
