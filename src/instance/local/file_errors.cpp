#include "instance/local/file_errors.h"

#include <fmt/format.h>
#include <sys/stat.h>

namespace howdah::instance {
namespace {

/// More of them says nothing new: the first line that is wrong makes PostgreSQL keep the old file.
constexpr std::size_t told_at_most = 3;

// The first statement marks in this session what waits for a restart. PostgreSQL words that as an
// error too, and for a line that was taken out it names neither setting nor file.
constexpr auto settings_sql = R"sql(
SELECT count(*) FROM pg_file_settings;
SELECT f.sourcefile, f.sourceline, f.name, f.error
  FROM pg_file_settings f
 WHERE f.error IS NOT NULL
   AND NOT EXISTS (SELECT FROM pg_settings s
                    WHERE s.pending_restart
                      AND (lower(s.name) = lower(f.name) OR (f.name IS NULL AND f.sourcefile IS NULL)))
)sql";

// A file without any setting, as postgresql.auto.conf often is, has no row.
constexpr auto files_sql = R"sql(
 UNION ALL SELECT file, NULL, NULL, NULL
  FROM (SELECT sourcefile AS file FROM pg_file_settings WHERE sourcefile IS NOT NULL
         UNION SELECT current_setting('config_file') UNION SELECT current_setting('hba_file')
         UNION SELECT current_setting('ident_file')
         UNION SELECT current_setting('data_directory') || '/postgresql.auto.conf') files
)sql";

std::string view_sql(const char* view, const std::string& file) {
    return fmt::format(
        "UNION ALL SELECT {}, line_number, NULL, error FROM {} WHERE error IS NOT NULL ", file,
        view);
}

std::string question(int version) {
    constexpr int with_ident_view = 150000;
    constexpr int with_file_names = 160000;
    const bool names = version >= with_file_names;
    auto sql = settings_sql +
               view_sql("pg_hba_file_rules", names ? "file_name" : "current_setting('hba_file')");
    if (version >= with_ident_view) {
        sql += view_sql("pg_ident_file_mappings",
                        names ? "file_name" : "current_setting('ident_file')");
    }
    return sql + files_sql;
}

}  // namespace

io::Task<Result<FileErrors>> ask_file_errors(pgclient::Connection& connection, Nanos limit) {
    HD_CO_TRY(const auto rows,
              co_await connection.query(question(connection.server_version()), {}, limit));
    FileErrors out;
    std::size_t count = 0;
    for (const auto& row : rows) {
        const auto file = row[0].value_or("");
        const auto& error = row[3];
        if (!error) {
            out.files.push_back(file);
        } else if (++count <= told_at_most) {
            out.text += fmt::format("{}{}{}{}{}", out.text.empty() ? "" : "; ", file,
                                    row[1]         ? " line " + *row[1] + ": "
                                    : file.empty() ? ""
                                                   : ": ",
                                    row[2] ? *row[2] + ": " : "", *error);
        }
    }
    if (count > told_at_most) {
        out.text += fmt::format("; and {} more", count - told_at_most);
    }
    co_return out;
}

std::string fingerprint(const std::vector<std::string>& files) {
    std::string out;
    for (const auto& file : files) {
        struct stat at{};
        if (::stat(file.c_str(), &at) != 0) {
            at = {};  // one that is missing differs from any that is there
        }
        out += fmt::format("{} {} {} {}.{}\n", file, at.st_ino, at.st_size, at.st_mtim.tv_sec,
                           at.st_mtim.tv_nsec);
    }
    return out;
}

}  // namespace howdah::instance
