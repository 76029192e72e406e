#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backup/command/backup/session.h"
#include "backup/site.h"
#include "base/result.h"
#include "remote/channel.h"

/// What a repository host asks of database hosts: how they stand, and to run a verb of this list
/// beside their PostgreSQL.
namespace howdah::backup {

/// As a repository host looks for it.
inline constexpr std::string_view job_service = "database host";
/// In the environment of a verb that runs as such a job: it tells what it says as job_line() does.
inline constexpr const char* job_variable = "HOWDAH_JOB";

bool is_job(std::string_view verb);
/// Of options as they were given ("--type=full", "--delta=n"), those that a job may have.
std::vector<std::string> words_for_job(const std::vector<std::string>& given);
/// Errors: Errc::invalid for a verb or an option that nobody may ask for.
Result<> check_job(std::string_view verb, const std::vector<std::string>& words);

/// One line that a job said: noted, or the error that it ends with. What is no object (a report)
/// is noted as it is.
std::optional<Error> take_job_line(const std::string& line, const Notes& notes);

remote::Json to_json(const ServerState& state);
/// Errors: Errc::corrupt.
Result<ServerState> to_state(const remote::Json& json);

}  // namespace howdah::backup
