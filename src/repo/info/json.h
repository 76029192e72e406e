#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace howdah::repo {

/// Reads one JSON value front to back, without building a tree: a manifest has millions of them.
/// Every method skips blanks, consumes what it read, and answers Errc::invalid on anything else.
class JsonReader {
public:
    /// `text` must outlive the reader.
    explicit JsonReader(std::string_view text) : text_(text) {}

    /// Valid until the next call.
    Result<std::string_view> string();
    /// A plain decimal number that 64 bits hold: system identifiers exceed what a double does.
    Result<std::uint64_t> number();
    Result<std::int64_t> signed_number();
    Result<bool> boolean();
    /// True, and consumed, if the value is null.
    bool null();
    /// The value is next and begins with `c`.
    bool at(char c);
    Result<> skip() { return skip(0); }
    /// The value as it stands in the text; consumed.
    Result<std::string_view> raw();
    /// Nothing but blanks is left.
    Result<> end();

    /// Calls `member(key, reader)` for each member; it must consume the value. The key is valid
    /// until then.
    template <class Member>
    Result<> object(Member member);
    /// Calls `element(reader)` for each element; it must consume it.
    template <class Element>
    Result<> array(Element element);

private:
    static constexpr int max_depth = 64;

    void blanks();
    bool take(char c);
    Result<> expect(char c);
    bool take_word(std::string_view word);
    Result<std::string_view> string_into(std::string& scratch);
    Result<> escape_into(std::string& scratch);
    Result<std::uint32_t> four_digits();
    Result<> skip(int depth);
    Result<> skip_list(char close, int depth);
    Result<> skip_scalar();
    std::unexpected<Error> wrong(std::string_view wanted) const;

    std::string_view text_;
    std::size_t at_ = 0;
    std::string scratch_{};
};

/// Appends `text` as a JSON string in pgBackRest's way: quotes, backslashes and the short escapes;
/// all other bytes as they are.
void append_json_string(std::string& out, std::string_view text);
std::string json_string(std::string_view text);

/// Writes one JSON object without blanks. The caller gives the keys in ascending order.
class JsonObject {
public:
    JsonObject& add(std::string_view key, std::string_view text);
    JsonObject& add(std::string_view key, const char* text) {
        return add(key, std::string_view(text));
    }
    JsonObject& add(std::string_view key, std::uint64_t number);
    JsonObject& add_signed(std::string_view key, std::int64_t number);
    JsonObject& add_bool(std::string_view key, bool value);
    JsonObject& add_raw(std::string_view key, std::string_view json);
    /// The whole object; then it begins anew, keeping its memory.
    std::string_view finish();

private:
    void begin(std::string_view key);
    std::string text_{};
    bool done_ = true;
};

template <class Member>
Result<> JsonReader::object(Member member) {
    HD_TRY_VOID(expect('{'));
    if (take('}')) {
        return {};
    }
    std::string scratch;
    do {
        HD_TRY(const auto key, string_into(scratch));
        HD_TRY_VOID(expect(':'));
        if (auto read = member(key, *this); !read) {
            return std::unexpected(std::move(read).error().within(key));
        }
    } while (take(','));
    return expect('}');
}

template <class Element>
Result<> JsonReader::array(Element element) {
    HD_TRY_VOID(expect('['));
    if (take(']')) {
        return {};
    }
    do {
        HD_TRY_VOID(element(*this));
    } while (take(','));
    return expect(']');
}

}  // namespace howdah::repo
