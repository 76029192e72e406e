#include "config/hba.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

namespace howdah::config {
namespace {

using Field = std::vector<HbaWord>;
using Fields = std::vector<Field>;

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

/// PostgreSQL's own reading of a line: commas join the words of one field, a quote may begin
/// within a word, and one that is not closed ends with the line.
class Words {
public:
    explicit Words(std::string_view line) : line_(line) {}

    std::optional<Field> field() {
        Field out;
        for (bool more = true; more;) {
            auto word = next(more);
            if (!word) {
                break;
            }
            out.push_back(*std::move(word));
        }
        return out.empty() ? std::nullopt : std::optional(std::move(out));
    }

private:
    std::optional<HbaWord> next(bool& comma) {
        comma = false;
        while (at_ < line_.size() && (is_blank(line_[at_]) || line_[at_] == ',')) {
            ++at_;
        }
        HbaWord word;
        bool in_quote = false;
        bool was_quote = false;
        bool saw_quote = false;
        for (; at_ < line_.size() && (in_quote || !is_blank(line_[at_])); ++at_) {
            const char c = line_[at_];
            if (c == '#' && !in_quote) {
                at_ = line_.size();
                break;
            }
            if (c == ',' && !in_quote) {
                comma = true;
                ++at_;
                break;
            }
            if (c != '"' || was_quote) {
                word.text += c;
            }
            was_quote = in_quote && c == '"' && !was_quote;
            if (c == '"') {
                in_quote = !in_quote;
                saw_quote = true;
                word.quoted = word.quoted || word.text.empty();
            }
        }
        return saw_quote || !word.text.empty() ? std::optional(std::move(word)) : std::nullopt;
    }

    std::string_view line_;
    std::size_t at_ = 0;
};

struct Address {
    int family = AF_UNSPEC;
    std::array<std::uint8_t, 16> bytes{};
    std::size_t size() const { return family == AF_INET ? 4 : 16; }
};

/// Without any look-up.
std::optional<Address> numeric(const std::string& text) {
    addrinfo hints{};
    hints.ai_flags = AI_NUMERICHOST;
    addrinfo* found = nullptr;
    if (text.empty() || ::getaddrinfo(text.c_str(), nullptr, &hints, &found) != 0) {
        return std::nullopt;
    }
    Address out{.family = found->ai_family};
    if (out.family == AF_INET) {
        sockaddr_in in{};
        std::memcpy(&in, found->ai_addr, sizeof in);
        std::memcpy(out.bytes.data(), &in.sin_addr, 4);
    } else {
        sockaddr_in6 in{};
        std::memcpy(&in, found->ai_addr, sizeof in);
        std::memcpy(out.bytes.data(), &in.sin6_addr, 16);
    }
    ::freeaddrinfo(found);
    return out;
}

std::optional<Address> mask_of_bits(int family, std::string_view text) {
    Address out{.family = family};
    if (text.starts_with('+')) {
        text.remove_prefix(1);  // as strtol takes it
    }
    unsigned bits = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits);
    if (error != std::errc() || end != text.data() + text.size() || bits > out.size() * 8) {
        return std::nullopt;
    }
    for (unsigned i = 0; i < bits; ++i) {
        out.bytes.at(i / 8) |= static_cast<std::uint8_t>(0x80U >> (i % 8));
    }
    return out;
}

bool is_keyword(const HbaWord& word, std::string_view keyword) {
    return !word.quoted && word.text == keyword;
}

bool is_any_of(std::string_view word, std::initializer_list<std::string_view> words) {
    return std::ranges::find(words, word) != words.end();
}

struct Option {
    std::string_view name;
    std::string_view methods;  ///< "" : any
};

constexpr std::array options{
    Option{"map", "ident peer gss sspi cert oauth"},
    Option{"clientcert", ""},
    Option{"clientname", ""},
    Option{"pamservice", "pam"},
    Option{"pam_use_hostname", "pam"},
    Option{"ldapurl", "ldap"},
    Option{"ldaptls", "ldap"},
    Option{"ldapscheme", "ldap"},
    Option{"ldapserver", "ldap"},
    Option{"ldapport", "ldap"},
    Option{"ldapbinddn", "ldap"},
    Option{"ldapbindpasswd", "ldap"},
    Option{"ldapsearchattribute", "ldap"},
    Option{"ldapsearchfilter", "ldap"},
    Option{"ldapbasedn", "ldap"},
    Option{"ldapprefix", "ldap"},
    Option{"ldapsuffix", "ldap"},
    Option{"krb_realm", "gss sspi"},
    Option{"include_realm", "gss sspi"},
    Option{"compat_realm", "sspi"},
    Option{"upn_username", "sspi"},
    Option{"radiusservers", "radius"},
    Option{"radiussecrets", "radius"},
    Option{"radiusports", "radius"},
    Option{"radiusidentifiers", "radius"},
    Option{"issuer", "oauth"},
    Option{"scope", "oauth"},
    Option{"validator", "oauth"},
    Option{"delegate_ident_mapping", "oauth"},
};

bool has_word(std::string_view words, std::string_view word) {
    return fmt::format(" {} ", words).contains(fmt::format(" {} ", word));
}

/// Reads one line; `why` says what is wrong with it.
class LineReader {
public:
    explicit LineReader(const std::string& line) {
        Words words(line);
        while (auto field = words.field()) {
            fields_.push_back(*std::move(field));
        }
    }
    bool empty() const { return fields_.empty(); }

    std::string read(HbaRule& rule) {
        rule.type = fields_[0][0].text;
        if (fields_.size() == 2 &&
            is_any_of(rule.type, {"include", "include_if_exists", "include_dir"})) {
            return {};
        }
        if (fields_[0].size() > 1) {
            return "more than one connection type";
        }
        if (!is_any_of(rule.type,
                       {"local", "host", "hostssl", "hostnossl", "hostgssenc", "hostnogssenc"})) {
            return fmt::format("invalid connection type \"{}\"", rule.type);
        }
        if (fields_.size() < 2) {
            return "it ends before the database";
        }
        rule.databases = fields_[1];
        if (fields_.size() < 3) {
            return "it ends before the role";
        }
        rule.users = fields_[2];
        at_ = 3;
        if (rule.type != "local") {
            if (auto why = read_address(rule); !why.empty()) {
                return why;
            }
        }
        return read_method(rule);
    }

private:
    std::string one(std::string_view what, HbaWord& out) {
        if (at_ >= fields_.size()) {
            return fmt::format("it ends before the {}", what);
        }
        const auto& field = fields_[at_++];
        if (field.size() > 1) {
            return fmt::format("more than one {} in a line", what);
        }
        out = field[0];
        return {};
    }

    std::string read_address(HbaRule& rule) {
        if (auto why = one("address", rule.address); !why.empty()) {
            return why;
        }
        const auto& word = rule.address;
        if (is_keyword(word, "all") || is_keyword(word, "samehost") ||
            is_keyword(word, "samenet")) {
            return {};
        }
        const auto slash = word.text.find('/');
        const auto address = numeric(word.text.substr(0, slash));
        if (slash != std::string::npos) {
            if (!address) {
                return fmt::format("\"{}\" has a mask, but is no address", word.text);
            }
            return mask_of_bits(address->family, word.text.substr(slash + 1))
                       ? std::string()
                       : fmt::format("invalid mask in \"{}\"", word.text);
        }
        if (!address) {
            return {};
        }
        HbaWord mask;
        if (auto why = one("netmask", mask); !why.empty()) {
            return why;
        }
        const auto parsed = numeric(mask.text);
        if (!parsed) {
            return fmt::format("\"{}\" is no netmask; write the address as {}/{}", mask.text,
                               word.text, address->family == AF_INET ? 32 : 128);
        }
        if (parsed->family != address->family) {
            return "the address and its mask are of different families";
        }
        rule.netmask = mask.text;
        return {};
    }

    std::string read_method(HbaRule& rule) {
        HbaWord method;
        if (auto why = one("authentication method", method); !why.empty()) {
            return why;
        }
        rule.method = method.text;
        if (!is_any_of(method.text, {"trust", "reject", "scram-sha-256", "md5", "password", "gss",
                                     "ident", "peer", "pam", "ldap", "radius", "cert", "oauth"})) {
            return fmt::format("invalid authentication method \"{}\"", method.text);
        }
        const bool local = rule.type == "local";
        if (local && rule.method == "gss") {
            return "gss is not for local connections";
        }
        if (!local && rule.method == "peer") {
            return "peer is for local connections only";
        }
        if (rule.type != "hostssl" && rule.method == "cert") {
            return "cert is for hostssl connections only";
        }
        // PostgreSQL reads it so.
        const std::string in_effect = local && rule.method == "ident" ? "peer" : rule.method;
        for (; at_ < fields_.size(); ++at_) {
            for (const auto& word : fields_[at_]) {
                if (auto why = check_option(word.text, in_effect, rule.type); !why.empty()) {
                    return why;
                }
            }
        }
        return {};
    }

    static std::string check_option(const std::string& text, std::string_view method,
                                    std::string_view type) {
        const auto equals = text.find('=');
        if (equals == std::string::npos) {
            return fmt::format("\"{}\" is no option of the form name=value", text);
        }
        const auto name = text.substr(0, equals);
        const auto* known = std::ranges::find(options, name, &Option::name);
        if (known == options.end()) {
            return fmt::format("unknown option \"{}\"", name);
        }
        if (known->methods.empty() ? type != "hostssl" : !has_word(known->methods, method)) {
            return fmt::format("the option {} is not for {}", name,
                               known->methods.empty() ? type : method);
        }
        return {};
    }

    Fields fields_{};
    std::size_t at_ = 0;
};

std::string trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r");
    return first == std::string_view::npos
               ? std::string()
               : std::string(text.substr(first, text.find_last_not_of(" \t\r") - first + 1));
}

/// As they are in the file: an item may hold several lines, a backslash at the end joins two.
std::vector<std::string> physical_lines(const std::vector<std::string>& items) {
    std::string text;
    for (const auto& item : items) {
        text += item + '\n';
    }
    std::vector<std::string> out;
    std::string line;
    for (std::size_t start = 0; start < text.size();) {
        const auto end = text.find('\n', start);
        line += text.substr(start, end - start);
        start = end + 1;
        if (line.ends_with('\\') && start < text.size()) {
            line.pop_back();
            continue;
        }
        out.push_back(std::exchange(line, {}));
    }
    return out;
}

enum class Fit : std::uint8_t { no, maybe, yes };

template <class One>
Fit best(const Field& words, One one) {
    auto out = Fit::no;
    for (const auto& word : words) {
        out = std::max(out, one(word));
    }
    return out;
}

/// Whether it names what is not in the line: a file, an expression (16 and later).
bool is_elsewhere(const HbaWord& word) {
    return word.text.starts_with('/') || (!word.quoted && word.text.starts_with('@'));
}

Fit fits_database(const HbaWord& word, const HbaLogin& login) {
    if (is_keyword(word, "replication")) {
        return login.database ? Fit::no : Fit::yes;
    }
    if (!word.quoted && word.text.starts_with('@')) {
        return Fit::maybe;
    }
    if (!login.database) {
        return Fit::no;
    }
    if (is_keyword(word, "all") ||
        (is_keyword(word, "sameuser") && *login.database == login.user)) {
        return Fit::yes;
    }
    if (is_elsewhere(word) || is_keyword(word, "samerole") || is_keyword(word, "samegroup")) {
        return Fit::maybe;
    }
    return word.text == *login.database ? Fit::yes : Fit::no;
}

Fit fits_user(const HbaWord& word, const HbaLogin& login) {
    if (is_keyword(word, "all")) {
        return Fit::yes;
    }
    if (is_elsewhere(word) || (!word.quoted && word.text.starts_with('+'))) {
        return Fit::maybe;
    }
    return word.text == login.user ? Fit::yes : Fit::no;
}

Fit fits_address(const HbaRule& rule, const HbaLogin& login) {
    if (is_keyword(rule.address, "all")) {
        return Fit::yes;
    }
    const auto client = numeric(login.address);
    const auto slash = rule.address.text.find('/');
    const auto network = numeric(rule.address.text.substr(0, slash));
    if (!client || !network) {
        return Fit::maybe;
    }
    const auto mask = slash == std::string::npos
                          ? numeric(rule.netmask)
                          : mask_of_bits(network->family, rule.address.text.substr(slash + 1));
    if (!mask || client->family != network->family) {
        return Fit::no;
    }
    for (std::size_t i = 0; i < client->size(); ++i) {
        if (((client->bytes.at(i) ^ network->bytes.at(i)) & mask->bytes.at(i)) != 0) {
            return Fit::no;
        }
    }
    return Fit::yes;
}

Fit fits(const HbaRule& rule, const HbaLogin& login) {
    if (rule.includes()) {
        return Fit::maybe;
    }
    if ((rule.type == "local") != login.local) {
        return Fit::no;
    }
    // Whether a connection is encrypted is not known here.
    const auto type = rule.type == "local" || rule.type == "host" ? Fit::yes : Fit::maybe;
    return std::min(
        {type, best(rule.databases, [&](const auto& word) { return fits_database(word, login); }),
         best(rule.users, [&](const auto& word) { return fits_user(word, login); }),
         login.local ? Fit::yes : fits_address(rule, login)});
}

}  // namespace

std::string fault_text(const std::vector<HbaFault>& faults) {
    std::string out;
    for (const auto& [line, why] : faults) {
        out += fmt::format("{}line \"{}\": {}", out.empty() ? "" : "; ", line, why);
    }
    return out;
}

HbaFile parse_hba(const std::vector<std::string>& lines) {
    HbaFile out;
    for (const auto& line : physical_lines(lines)) {
        LineReader reader(line);
        if (reader.empty()) {
            continue;
        }
        HbaRule rule{.text = trimmed(line)};
        if (auto why = reader.read(rule); !why.empty()) {
            out.faults.push_back({.line = rule.text, .why = std::move(why)});
        } else {
            out.rules.push_back(std::move(rule));
        }
    }
    return out;
}

HbaAnswer hba_answer(const std::vector<HbaRule>& rules, const HbaLogin& login) {
    bool may_be_let_in = false;
    bool may_be_rejected = false;
    for (const auto& rule : rules) {
        const auto fit = fits(rule, login);
        const bool rejects = rule.method == "reject";
        if (fit == Fit::maybe) {
            may_be_let_in = may_be_let_in || !rejects;
            may_be_rejected = may_be_rejected || rejects;
        }
        if (fit != Fit::yes) {
            continue;
        }
        if (may_be_let_in || (may_be_rejected && !rejects)) {
            return {.verdict = HbaVerdict::unknown};
        }
        return {.verdict = rejects                  ? HbaVerdict::rejected
                           : rule.method == "trust" ? HbaVerdict::trust
                                                    : HbaVerdict::asks,
                .line = rule.text};
    }
    return {.verdict = may_be_let_in ? HbaVerdict::unknown : HbaVerdict::no_line};
}

}  // namespace howdah::config
