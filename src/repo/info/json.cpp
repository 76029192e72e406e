#include "repo/info/json.h"

#include <fmt/format.h>

#include <charconv>
#include <iterator>

namespace howdah::repo {
namespace {

void append_utf8(std::string& out, std::uint32_t c) {
    const auto tail = [&](int shift) { out += static_cast<char>(0x80U | ((c >> shift) & 0x3FU)); };
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xC0U | (c >> 6));
        tail(0);
    } else if (c < 0x10000) {
        out += static_cast<char>(0xE0U | (c >> 12));
        tail(6);
        tail(0);
    } else {
        out += static_cast<char>(0xF0U | (c >> 18));
        tail(12);
        tail(6);
        tail(0);
    }
}

constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

}  // namespace

void JsonReader::blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r')) {
        ++at_;
    }
}

bool JsonReader::at(char c) {
    blanks();
    return at_ < text_.size() && text_[at_] == c;
}

bool JsonReader::take(char c) {
    if (!at(c)) {
        return false;
    }
    ++at_;
    return true;
}

Result<> JsonReader::expect(char c) {
    if (!take(c)) {
        return wrong(std::string_view(&c, 1));
    }
    return {};
}

bool JsonReader::take_word(std::string_view word) {
    blanks();
    if (!text_.substr(at_).starts_with(word)) {
        return false;
    }
    at_ += word.size();
    return true;
}

std::unexpected<Error> JsonReader::wrong(std::string_view wanted) const {
    constexpr std::size_t shown = 20;
    return fail(Errc::invalid,
                fmt::format("expected {} at \"{}\"", wanted, text_.substr(at_, shown)));
}

Result<std::string_view> JsonReader::string() {
    return string_into(scratch_);
}

Result<std::string_view> JsonReader::string_into(std::string& scratch) {
    if (!take('"')) {
        return wrong("a string");
    }
    const auto start = at_;
    const auto stop = text_.find_first_of("\"\\", at_);
    if (stop == std::string_view::npos) {
        return wrong("the end of a string");
    }
    at_ = stop + 1;
    if (text_[stop] == '"') {
        return text_.substr(start, stop - start);
    }
    scratch.assign(text_.substr(start, stop - start));
    HD_TRY_VOID(escape_into(scratch));
    while (at_ < text_.size()) {
        const char c = text_[at_++];
        if (c == '"') {
            return std::string_view(scratch);
        }
        if (c == '\\') {
            HD_TRY_VOID(escape_into(scratch));
        } else {
            scratch += c;
        }
    }
    return wrong("the end of a string");
}

Result<> JsonReader::escape_into(std::string& scratch) {
    constexpr std::string_view letters = "\"\\/bfnrt";
    constexpr std::string_view meaning = "\"\\/\b\f\n\r\t";
    if (at_ == text_.size()) {
        return wrong("an escape");
    }
    const char c = text_[at_++];
    if (const auto known = letters.find(c); known != std::string_view::npos) {
        scratch += meaning[known];
        return {};
    }
    if (c != 'u') {
        return wrong("an escape");
    }
    HD_TRY(auto code, four_digits());
    if (code >= 0xD800 && code < 0xDC00 && text_.substr(at_).starts_with("\\u")) {
        at_ += 2;
        HD_TRY(const auto low, four_digits());
        if (low < 0xDC00 || low > 0xDFFF) {
            return wrong("the second half of a character");
        }
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    append_utf8(scratch, code);
    return {};
}

Result<std::uint32_t> JsonReader::four_digits() {
    std::uint32_t code = 0;
    const auto digits = text_.substr(at_, 4);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (digits.size() < 4 || error != std::errc() || end != digits.data() + 4) {
        return wrong("four hexadecimal digits");
    }
    at_ += 4;
    return code;
}

Result<std::uint64_t> JsonReader::number() {
    blanks();
    std::uint64_t value = 0;
    const char* const first = text_.data() + at_;
    const auto [end, error] = std::from_chars(first, text_.data() + text_.size(), value);
    if (error == std::errc::result_out_of_range) {
        return wrong("a number that 64 bits hold");
    }
    if (error != std::errc()) {
        return wrong("a number");
    }
    at_ += static_cast<std::size_t>(end - first);
    if (at_ < text_.size() && (text_[at_] == '.' || text_[at_] == 'e' || text_[at_] == 'E')) {
        return wrong("a whole number");
    }
    return value;
}

Result<std::int64_t> JsonReader::signed_number() {
    const bool negative = take('-');
    HD_TRY(const auto value, number());
    if (value > INT64_MAX) {
        return wrong("a number that 63 bits hold");
    }
    return negative ? -static_cast<std::int64_t>(value) : static_cast<std::int64_t>(value);
}

Result<bool> JsonReader::boolean() {
    if (take_word("true")) {
        return true;
    }
    if (take_word("false")) {
        return false;
    }
    return wrong("true or false");
}

bool JsonReader::null() {
    return take_word("null");
}

Result<> JsonReader::skip(int depth) {
    if (depth > max_depth) {
        return wrong("less depth");
    }
    if (take('{')) {
        return skip_list('}', depth);
    }
    if (take('[')) {
        return skip_list(']', depth);
    }
    return skip_scalar();
}

Result<> JsonReader::skip_list(char close, int depth) {
    if (take(close)) {
        return {};
    }
    do {
        if (close == '}') {
            HD_TRY_VOID(string());
            HD_TRY_VOID(expect(':'));
        }
        HD_TRY_VOID(skip(depth + 1));
    } while (take(','));
    return expect(close);
}

Result<> JsonReader::skip_scalar() {
    if (at('"')) {
        HD_TRY_VOID(string());
        return {};
    }
    if (take_word("true") || take_word("false") || null()) {
        return {};
    }
    const auto digits = [this] {
        const auto start = at_;
        while (at_ < text_.size() && is_digit(text_[at_])) {
            ++at_;
        }
        return at_ > start;
    };
    take('-');
    if (!digits() || (take_word(".") && !digits())) {
        return wrong("a value");
    }
    if (take_word("e") || take_word("E")) {
        if (!take_word("+")) {
            take_word("-");
        }
        if (!digits()) {
            return wrong("an exponent");
        }
    }
    return {};
}

Result<std::string_view> JsonReader::raw() {
    blanks();
    const auto start = at_;
    HD_TRY_VOID(skip());
    return text_.substr(start, at_ - start);
}

Result<> JsonReader::end() {
    blanks();
    if (at_ < text_.size()) {
        return wrong("the end");
    }
    return {};
}

void append_json_string(std::string& out, std::string_view text) {
    constexpr std::string_view letters = "\"\\bfnrt";
    constexpr std::string_view meaning = "\"\\\b\f\n\r\t";
    out += '"';
    for (auto rest = text; !rest.empty();) {
        const auto plain = std::min(rest.find_first_of(meaning), rest.size());
        out += rest.substr(0, plain);
        rest.remove_prefix(plain);
        if (!rest.empty()) {
            out += '\\';
            out += letters[meaning.find(rest.front())];
            rest.remove_prefix(1);
        }
    }
    out += '"';
}

std::string json_string(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

void JsonObject::begin(std::string_view key) {
    if (done_) {
        text_.clear();
        done_ = false;
    }
    text_ += text_.empty() ? '{' : ',';
    append_json_string(text_, key);
    text_ += ':';
}

JsonObject& JsonObject::add(std::string_view key, std::string_view text) {
    begin(key);
    append_json_string(text_, text);
    return *this;
}

JsonObject& JsonObject::add(std::string_view key, std::uint64_t number) {
    begin(key);
    fmt::format_to(std::back_inserter(text_), "{}", number);
    return *this;
}

JsonObject& JsonObject::add_signed(std::string_view key, std::int64_t number) {
    begin(key);
    fmt::format_to(std::back_inserter(text_), "{}", number);
    return *this;
}

JsonObject& JsonObject::add_bool(std::string_view key, bool value) {
    return add_raw(key, value ? "true" : "false");
}

JsonObject& JsonObject::add_raw(std::string_view key, std::string_view json) {
    begin(key);
    text_ += json;
    return *this;
}

std::string_view JsonObject::finish() {
    if (done_) {
        text_.clear();
        done_ = false;
    }
    if (text_.empty()) {
        text_ += '{';
    }
    text_ += '}';
    done_ = true;
    return text_;
}

}  // namespace howdah::repo
