#include "pg/quote.h"

namespace howdah::pg {
namespace {

std::string doubled(const std::string& text, char quote) {
    std::string out(1, quote);
    for (const char c : text) {
        out.append(c == quote ? 2 : 1, c);
    }
    return out + quote;
}

}  // namespace

std::string quote_literal(const std::string& text) {
    // With a backslash only the E form reads the same whatever standard_conforming_strings says.
    if (text.find('\\') == std::string::npos) {
        return doubled(text, '\'');
    }
    std::string escaped;
    for (const char c : text) {
        escaped.append(c == '\\' ? 2 : 1, c);
    }
    return " E" + doubled(escaped, '\'');
}

std::string quote_identifier(const std::string& text) {
    return doubled(text, '"');
}

}  // namespace howdah::pg
