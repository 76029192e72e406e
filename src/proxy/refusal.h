#pragma once

#include <string>
#include <string_view>

namespace howdah::proxy {

/// An ErrorResponse of severity FATAL (PostgreSQL docs 55.7, "ErrorResponse"; 55.8, fields S V C M
/// H).
std::string fatal_response(std::string_view sqlstate, std::string_view message,
                           std::string_view hint);

/// True for a CancelRequest, of which the first 8 bytes suffice.
bool is_cancel_request(std::string_view first_bytes);

/// Refuses one client in its own protocol (PostgreSQL docs 55.2.1, 55.2.11): a request for TLS or
/// GSS encryption is answered 'N', then the startup packet gets the error; a CancelRequest gets
/// nothing. Keeps no more than one startup packet, whose length PostgreSQL bounds as well (10,000
/// bytes). Pure.
class Refusal {
public:
    explicit Refusal(std::string error) : error_(std::move(error)) {}

    struct Step {
        std::string reply{};
        bool done = false;  ///< nothing is expected any more: close once `reply` is sent
    };
    Step feed(std::string_view bytes);

private:
    bool step(std::string& reply);

    std::string error_;
    std::string input_{};
    int encryption_requests_ = 0;
};

}  // namespace howdah::proxy
