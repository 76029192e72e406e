#include "remote/channel.h"

#include <fmt/format.h>

#include <array>

#include "base/version.h"
#include "remote/fields.h"

namespace howdah::remote {
namespace {

constexpr std::size_t longest_line = std::size_t{64} << 10;
constexpr std::size_t lengths = 8;  ///< bytes before a message: size of its JSON, of its body
constexpr Seconds silence{5};

constexpr std::array<std::pair<Errc, std::string_view>, 9> codes{
    {{Errc::unavailable, "unavailable"},
     {Errc::timeout, "timeout"},
     {Errc::cancelled, "cancelled"},
     {Errc::conflict, "conflict"},
     {Errc::not_found, "not_found"},
     {Errc::invalid, "invalid"},
     {Errc::corrupt, "corrupt"},
     {Errc::io, "io"},
     {Errc::unsafe, "unsafe"}}};

void put_size(MutableBytes out, std::size_t size) {
    for (std::size_t i = 0; i < 4; ++i) {
        out[i] = static_cast<std::byte>(size >> (24 - 8 * i));
    }
}

std::size_t size_at(Bytes in) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        size = size << 8 | std::to_integer<std::size_t>(in[i]);
    }
    return size;
}

Result<Json> object_in(Bytes text) {
    auto json = Json::parse(text_of(text), nullptr, false);
    return json.is_object() ? Result<Json>(std::move(json))
                            : fail(Errc::corrupt, "what was sent is no message");
}

}  // namespace

Json to_json(const Error& error) {
    std::string_view code = "io";
    for (const auto& [each, name] : codes) {
        code = each == error.code ? name : code;
    }
    return {{"code", code},
            {"message", error.message},
            {"hint", error.hint},
            {"sqlstate", error.sqlstate},
            {"exit_code", error.exit_code}};
}

Error to_error(const Json& json) {
    Error error{.code = Errc::io,
                .message = text_in(json, "message"),
                .hint = text_in(json, "hint"),
                .sqlstate = text_in(json, "sqlstate")};
    for (const auto& [each, name] : codes) {
        error.code = name == text_in(json, "code") ? each : error.code;
    }
    error.exit_code = static_cast<std::uint8_t>(number_in(json, "exit_code").value_or(0));
    return error;
}

Result<> Channel::send(const Json& head, Bytes body) {
    const std::scoped_lock lock(mutex_);
    silent_since_.reset();
    return send_locked(head, body, limit_);
}

Result<> Channel::send_locked(const Json& head, Bytes body, Millis limit) {
    const auto text = head.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (text.size() > largest_head || body.size() > largest_body) {
        return fail(Errc::invalid, fmt::format("a message of {} and {} bytes is too long",
                                               text.size(), body.size()));
    }
    ByteBuffer whole(lengths);
    put_size(whole, text.size());
    put_size(MutableBytes(whole).subspan(4), body.size());
    const auto head_bytes = bytes_of(text);
    whole.insert(whole.end(), head_bytes.begin(), head_bytes.end());
    whole.insert(whole.end(), body.begin(), body.end());
    return stream_->write(whole, limit);
}

void Channel::begin_work() {
    const std::scoped_lock lock(mutex_);
    silent_since_ = std::chrono::steady_clock::now();
}

void Channel::say_working() {
    const std::scoped_lock lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (silent_since_ && now - *silent_since_ >= silence) {
        silent_since_ = now;
        // Whoever waits for the answer finds out by itself if this does not go.
        (void)send_locked({{"working", true}}, {}, Millis(1000));
    }
}

Result<Message> Channel::receive_one(Millis first) {
    std::array<std::byte, lengths> sizes{};
    HD_TRY_VOID(stream_->read(MutableBytes(sizes).first(1), first));
    HD_TRY_VOID(stream_->read(MutableBytes(sizes).subspan(1), limit_));
    const auto head_size = size_at(sizes), body_size = size_at(Bytes(sizes).subspan(4));
    if (head_size > largest_head || body_size > largest_body) {
        return fail(Errc::corrupt, "what was sent is no message");
    }
    ByteBuffer head(head_size);
    Message message{.body = ByteBuffer(body_size)};
    HD_TRY_VOID(stream_->read(head, limit_));
    HD_TRY_VOID(stream_->read(message.body, limit_));
    HD_TRY(message.head, object_in(head));
    return message;
}

Result<Message> Channel::receive_within(Millis first) {
    while (true) {
        HD_TRY(auto message, receive_one(first));
        if (message.head.contains("working")) {
            continue;
        }
        if (const auto error = message.head.find("error"); error != message.head.end()) {
            return std::unexpected(to_error(*error));
        }
        return message;
    }
}

Result<Message> Channel::ask(const Json& head, Bytes body) {
    HD_TRY_VOID(send(head, body));
    return receive();
}

Result<> Channel::send_line(const Json& greeting) {
    const auto line = greeting.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    return line.size() > longest_line ? fail(Errc::invalid, "a greeting that is too long")
                                      : stream_->write(bytes_of(line), limit_);
}

Result<Json> Channel::receive_line() {
    std::string line;
    while (line.size() < longest_line) {
        char letter = 0;
        HD_TRY_VOID(stream_->read(std::as_writable_bytes(std::span(&letter, 1)), limit_));
        if (letter == '\n') {
            return object_in(bytes_of(line));
        }
        line += letter;
    }
    return fail(Errc::corrupt, "what was sent is no greeting");
}

Result<Connected> connect(const Place& place, const std::shared_ptr<io::TlsContext>& tls,
                          const std::string& service, Json hello) {
    HD_TRY(auto stream, io::SecureStream::connect(place.host, place.port, tls, place.limit));
    auto channel = std::make_unique<Channel>(std::move(stream), place.limit);
    const auto at_place = [&](Error error) { return std::move(error).within(place.text()); };
    const auto greeting = channel->receive_line();
    if (!greeting) {
        if (greeting.error().code != Errc::corrupt) {
            return std::unexpected(at_place(greeting.error()));
        }
        return fail(Errc::invalid, place.text() + ": another program than Howdah listens there");
    }
    if (text_in(*greeting, "name") != "Howdah") {
        return fail(Errc::invalid,
                    fmt::format("{}: {} listens there, not Howdah", place.text(),
                                text_in(*greeting, "name").empty() ? "another program"
                                                                   : text_in(*greeting, "name")),
                    "run `howdah repo` on the repository host instead: the two programs' protocols "
                    "differ");
    }
    if (const auto error = greeting->find("error"); error != greeting->end()) {
        return std::unexpected(at_place(to_error(*error)));
    }
    if (text_in(*greeting, "service") != service) {
        return fail(Errc::invalid, fmt::format("{}: it is a {}, not a {}", place.text(),
                                               text_in(*greeting, "service"), service));
    }
    if (number_in(*greeting, "protocol").value_or(0) != protocol_version) {
        return fail(
            Errc::invalid,
            fmt::format("{}: Howdah {} there speaks protocol {}, this one ({}) {}", place.text(),
                        text_in(*greeting, "version"), number_in(*greeting, "protocol").value_or(0),
                        version, protocol_version),
            "install the same version on both hosts");
    }
    hello["protocol"] = protocol_version;
    hello["version"] = version;
    if (auto sent = channel->send_line(hello); !sent) {
        return std::unexpected(at_place(std::move(sent).error()));
    }
    auto welcome = channel->receive();
    if (!welcome) {
        return std::unexpected(at_place(std::move(welcome).error()));
    }
    return Connected{.channel = std::move(channel), .welcome = std::move(welcome->head)};
}

}  // namespace howdah::remote
