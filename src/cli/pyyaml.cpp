#include "cli/pyyaml.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>
#include <string_view>
#include <vector>

namespace howdah::cli {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t best_width = 80;

/// Text that a YAML 1.1 reader would take for something else than a string.
bool reads_as_other_type(const std::string& text) {
    static const std::regex other(
        "~|null|Null|NULL|=|<<|"
        "yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF|"
        "[-+]?0b[01_]+|[-+]?0[0-7_]+|[-+]?(0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|"
        "[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+|"
        "[-+]?[0-9][0-9_]*\\.[0-9_]*([eE][-+][0-9]+)?|\\.[0-9][0-9_]*([eE][-+][0-9]+)?|"
        "[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\\.[0-9_]*|[-+]?\\.(inf|Inf|INF)|\\.(nan|NaN|NAN)|"
        "[0-9]{4}-[0-9]{2}-[0-9]{2}|"
        "[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt]|[ \\t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(\\.[0-9]*)?"
        "([ \\t]*(Z|[-+][0-9]{1,2}(:[0-9]{2})?))?");
    return text.empty() || std::regex_match(text, other);
}

bool has_indicator(const std::string& text, bool flow) {
    constexpr std::string_view leading = "#,[]{}&*!|>'\"%@`";
    const auto blank_after = [&text](std::size_t i) {
        return i + 1 == text.size() || text[i + 1] == ' ' || text[i + 1] == '\n' ||
               text[i + 1] == '\t';
    };
    if (text.starts_with("---") || text.starts_with("...") || leading.contains(text[0]) ||
        (text[0] == '-' && blank_after(0))) {
        return true;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool colon = c == ':' && (flow || blank_after(i));
        const bool question = c == '?' && (i == 0 ? flow || blank_after(i) : flow);
        const bool bracket = flow && i > 0 && std::string_view(",[]{}").contains(c);
        const bool comment = c == '#' && i > 0 && (text[i - 1] == ' ' || text[i - 1] == '\n');
        if (colon || question || bracket || comment) {
            return true;
        }
    }
    return false;
}

enum class Style { plain, single_quoted, double_quoted };

Style style_of(const std::string& text, bool flow, bool key) {
    const auto special = [](char c) { return c != '\n' && (c < ' ' || c == 0x7f); };
    if (std::ranges::any_of(text, special)) {
        return Style::double_quoted;
    }
    const bool multiline = text.contains('\n');
    const bool edges = !text.empty() && (text.front() == ' ' || text.back() == ' ');
    const bool plain = !text.empty() && !edges && !multiline && !has_indicator(text, flow) &&
                       !reads_as_other_type(text);
    if (plain) {
        return Style::plain;
    }
    const bool space_before_break = text.contains(" \n");
    return space_before_break || (key && multiline) ? Style::double_quoted : Style::single_quoted;
}

class Emitter {
public:
    std::string out{};

    void scalar(const Json& value, std::size_t indent, bool flow, bool key = false) {
        if (value.is_null()) {
            out += "null";
        } else if (value.is_string()) {
            text(value.get<std::string>(), indent, flow, key);
        } else {
            out += value.dump();
        }
    }

    void block(const Json& value, std::size_t indent, bool after_dash = false) {
        if (value.is_object() && !value.empty()) {
            block_mapping(value, indent, after_dash);
        } else if (value.is_array() && !value.empty()) {
            for (const auto& item : value) {
                out += std::string(indent, ' ') + "- ";
                block(item, indent + 2, true);
            }
        } else {
            flow(value, indent + 2);
            out += '\n';
        }
    }

    void flow(const Json& value, std::size_t indent) {
        if (!value.is_structured()) {
            scalar(value, indent, true);
            return;
        }
        out += value.is_object() ? '{' : '[';
        const char* separator = "";
        for (const auto* item : sorted(value)) {
            out += separator;
            wrap_if_full(*separator != 0, indent);
            if (value.is_object()) {
                scalar(key_of(value, item), indent, true, true);
                out += ": ";
            }
            flow(*item, indent + 2);
            separator = ", ";
        }
        out += value.is_object() ? '}' : ']';
    }

private:
    static std::vector<const Json*> sorted(const Json& value) {
        std::vector<const Json*> items;
        for (const auto& item : value) {
            items.push_back(&item);
        }
        if (value.is_object()) {
            std::ranges::sort(items, {},
                              [&value](const Json* item) { return key_of(value, item); });
        }
        return items;
    }
    static std::string key_of(const Json& object, const Json* item) {
        for (auto it = object.begin(); it != object.end(); ++it) {
            if (&*it == item) {
                return it.key();
            }
        }
        return {};
    }

    void block_mapping(const Json& value, std::size_t indent, bool after_dash) {
        for (const auto* item : sorted(value)) {
            out += after_dash ? "" : std::string(indent, ' ');
            after_dash = false;
            scalar(key_of(value, item), indent + 2, false, true);
            out += ':';
            if (item->is_structured() && !item->empty()) {
                out += '\n';
                block(*item, item->is_array() ? indent : indent + 2);
            } else if (item->is_structured()) {
                out += item->is_object() ? " {}\n" : " []\n";
            } else {
                out += ' ';
                scalar(*item, indent + 2, false);
                out += '\n';
            }
        }
    }

    std::size_t column() const {
        const auto start = out.rfind('\n');
        return start == std::string::npos ? out.size() : out.size() - start - 1;
    }
    void wrap_if_full(bool may, std::size_t indent) {
        // The blank after the comma isn't counted: PyYAML decides before it writes it.
        if (may && column() - 1 > best_width) {
            out.pop_back();
            out += '\n' + std::string(indent, ' ');
        }
    }

    void text(const std::string& text, std::size_t indent, bool flow, bool key) {
        const auto style = style_of(text, flow, key);
        if (style == Style::double_quoted) {
            out += Json(text).dump(-1, ' ', true, Json::error_handler_t::replace);
            return;
        }
        const bool quoted = style == Style::single_quoted;
        out += quoted ? "'" : "";
        for (std::size_t i = 0; i < text.size(); ++i) {
            const bool lone_space = text[i] == ' ' && i > 0 && i + 1 < text.size() &&
                                    text[i - 1] != ' ' && text[i + 1] != ' ';
            if (lone_space && !key && column() > best_width) {
                out += '\n' + std::string(indent, ' ');
            } else if (text[i] == '\n') {
                out += i == 0 || text[i - 1] != '\n' ? "\n\n" : "\n";
                out += i + 1 < text.size() && text[i + 1] != '\n' ? std::string(indent, ' ') : "";
            } else {
                out += quoted && text[i] == '\'' ? "''" : std::string(1, text[i]);
            }
        }
        out += quoted ? "'" : "";
    }
};

}  // namespace

std::string yaml_block(const Json& value) {
    Emitter emitter;
    emitter.block(value, 0);
    return std::move(emitter.out);
}

std::string yaml_flow(const Json& value) {
    Emitter emitter;
    emitter.flow(value, 2);
    return std::move(emitter.out);
}

}  // namespace howdah::cli
