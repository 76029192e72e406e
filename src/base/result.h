#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace howdah {

/// What a caller can do about a failure. Add one only when some caller branches on it.
enum class Errc : std::uint8_t {
    unavailable,  ///< nobody answered; of a write: unknown whether it happened
    timeout,
    cancelled,
    conflict,  ///< somebody else changed it first
    not_found,
    invalid,  ///< bad input; nothing was touched
    corrupt,
    io,
    unsafe,  ///< refused, since it could lose data
};

struct Error {
    Errc code{};
    std::string message{};  ///< lower case, no full stop: "archive.info: bad checksum"
    std::string hint{};     ///< what to do about it, if that is known
    /// Five characters, when a PostgreSQL server refused: its words may be in any language, this is
    /// what to decide by. Source: PostgreSQL docs, appendix A.
    std::string sqlstate{};
    /// What the process ends with, where a command has promised a number that `code` is too coarse
    /// for: pgBackRest's (backup/options/exit_code.h). 0: as `code` says.
    std::uint8_t exit_code = 0;

    /// "outer: inner", so that the line reads from the command to the cause.
    Error within(std::string_view outer) && {
        message.insert(0, std::string(outer) + ": ");
        return std::move(*this);
    }
};

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Errc code, std::string message, std::string hint = {}) {
    return std::unexpected(Error{code, std::move(message), std::move(hint)});
}

/// Ends the process with `what` on stderr. With the fencer beside it, a dead agent is safe; a
/// confused one is not.
[[noreturn]] void check_failed(const char* file, int line, const char* what);

}  // namespace howdah

#define HD_JOIN_(a, b) a##b
#define HD_JOIN(a, b) HD_JOIN_(a, b)
#define HD_TRY_(leave, tmp, decl, expr)                \
    auto tmp = (expr);                                 \
    if (!tmp)                                          \
        leave std::unexpected(std::move(tmp).error()); \
    decl = *std::move(tmp)
#define HD_TRY_VOID_(leave, tmp, expr) \
    auto tmp = (expr);                 \
    if (!tmp)                          \
    leave std::unexpected(std::move(tmp).error())
/// HD_TRY(const auto info, parse(text));   in a coroutine: HD_CO_TRY(const auto info, co_await
/// load());
#define HD_TRY(decl, ...) HD_TRY_(return, HD_JOIN(hd_try_, __LINE__), decl, (__VA_ARGS__))
#define HD_CO_TRY(decl, ...) HD_TRY_(co_return, HD_JOIN(hd_try_, __LINE__), decl, (__VA_ARGS__))
/// The same for Result<>: HD_TRY_VOID(write(path));
#define HD_TRY_VOID(...) HD_TRY_VOID_(return, HD_JOIN(hd_try_, __LINE__), (__VA_ARGS__))
#define HD_CO_TRY_VOID(...) HD_TRY_VOID_(co_return, HD_JOIN(hd_try_, __LINE__), (__VA_ARGS__))
/// For what cannot happen; stays in release builds.
#define HD_CHECK(condition) \
    ((condition) ? void() : ::howdah::check_failed(__FILE__, __LINE__, #condition))
