#include "proxy/refusal.h"

#include <cstdint>

namespace howdah::proxy {
namespace {

constexpr std::uint32_t cancel_request = 80877102;
constexpr std::uint32_t ssl_request = 80877103;
constexpr std::uint32_t gss_request = 80877104;
constexpr std::size_t max_startup_packet = 10000;  // PostgreSQL's MAX_STARTUP_PACKET_LENGTH
constexpr int max_encryption_requests = 2;         // TLS and GSS, once each

std::uint32_t read_u32(std::string_view bytes) {
    std::uint32_t value = 0;
    for (const char c : bytes.substr(0, 4)) {
        value = value << 8U | static_cast<unsigned char>(c);
    }
    return value;
}

void append_u32(std::string& out, std::uint32_t value) {
    for (const unsigned shift : {24U, 16U, 8U, 0U}) {
        out.push_back(static_cast<char>(value >> shift & 0xFFU));
    }
}

}  // namespace

std::string fatal_response(std::string_view sqlstate, std::string_view message,
                           std::string_view hint) {
    std::string fields;
    const auto field = [&fields](char type, std::string_view text) {
        fields.push_back(type);
        fields.append(text);
        fields.push_back('\0');
    };
    field('S', "FATAL");
    field('V', "FATAL");
    field('C', sqlstate);
    field('M', message);
    if (!hint.empty()) {
        field('H', hint);
    }
    fields.push_back('\0');
    std::string out = "E";
    append_u32(out, static_cast<std::uint32_t>(fields.size() + 4));
    return out + fields;
}

bool is_cancel_request(std::string_view first_bytes) {
    return first_bytes.size() >= 8 && read_u32(first_bytes.substr(4)) == cancel_request;
}

Refusal::Step Refusal::feed(std::string_view bytes) {
    Step result;
    input_.append(bytes.substr(0, 2 * max_startup_packet - input_.size()));
    while (!result.done && input_.size() >= 8) {
        const auto length = read_u32(input_);
        if (length < 8 || length > max_startup_packet) {
            result.done = true;
        } else if (input_.size() < length) {
            break;
        } else {
            result.done = step(result.reply);
            input_.erase(0, length);
        }
    }
    return result;
}

bool Refusal::step(std::string& reply) {
    const auto code = read_u32(std::string_view(input_).substr(4));
    if (code == ssl_request || code == gss_request) {
        if (++encryption_requests_ > max_encryption_requests) {
            return true;
        }
        reply.push_back('N');
        return false;
    }
    if (code != cancel_request) {
        reply += error_;
    }
    return true;
}

}  // namespace howdah::proxy
