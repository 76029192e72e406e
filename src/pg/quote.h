#pragma once

#include <string>

namespace howdah::pg {

/// 'text' as a literal of SQL, whatever standard_conforming_strings says.
std::string quote_literal(const std::string& text);
/// "text" as an identifier.
std::string quote_identifier(const std::string& text);

}  // namespace howdah::pg
