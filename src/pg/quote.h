#pragma once

#include <string>

namespace howdah::pg {

/// 'text' as a literal of SQL, whatever standard_conforming_strings says.
std::string quote_literal(const std::string& text);
/// "text" as an identifier.
std::string quote_identifier(const std::string& text);

/// One word of a command that PostgreSQL runs by the shell, after it has put in what begins with
/// '%'. Sources: POSIX shell, 2.2.2; PostgreSQL docs, archive_command.
std::string quote_command_word(const std::string& word);
/// Such a command for the WAL file `name` at `path`: %f, %p and %% are put in.
std::string fill_command(const std::string& command, const std::string& path,
                         const std::string& name);

}  // namespace howdah::pg
