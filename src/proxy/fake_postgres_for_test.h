#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "proxy/fd.h"
#include "proxy/sockets.h"

namespace howdah::proxy {

/// Speaks just enough of protocol 3 to be asked the sentinel's question. To a client whose first
/// bytes are no startup packet it says its own name, and then echoes.
class FakePostgres {
public:
    explicit FakePostgres(std::string name = "fake")
        : name_(std::move(name)),
          listener_(open_listener(Address::numeric("127.0.62.2", 0).value()).value()) {
        address_.length = sizeof address_.storage;
        getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address_.storage),
                    &address_.length);
        thread_ = std::thread([this] { serve(); });
    }
    ~FakePostgres() {
        stop_ = true;
        thread_.join();
    }
    void answer(std::vector<std::string> row) {
        const std::scoped_lock lock(mutex_);
        row_ = std::move(row);
    }
    void hang_up() { hang_up_ = true; }
    Address address() const { return address_; }
    int logins() const { return logins_; }

private:
    struct Client {
        enum class Speaks : std::uint8_t { nothing_yet, protocol, plain };
        Fd fd{};
        Speaks speaks{};
    };
    static bool readable(int fd, int ms) {
        pollfd p{.fd = fd, .events = POLLIN, .revents = 0};
        return poll(&p, 1, ms) > 0;
    }
    void serve() {
        std::list<Client> clients;
        while (!stop_) {
            if (hang_up_.exchange(false)) {
                clients.clear();
            }
            if (readable(listener_.get(), 1)) {
                clients.push_back(
                    {.fd = Fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC))});
            }
            std::erase_if(clients, [this](Client& client) {
                return readable(client.fd.get(), 0) && !serve_one(client);
            });
        }
    }
    bool serve_one(Client& client) {
        char bytes[4096];
        const auto n = recv(client.fd.get(), bytes, sizeof bytes, 0);
        if (n <= 0) {
            return false;
        }
        const auto reply = reply_to(client, {bytes, static_cast<std::size_t>(n)});
        return send(client.fd.get(), reply.data(), reply.size(), MSG_NOSIGNAL) >= 0;
    }
    std::string reply_to(Client& client, const std::string& bytes) {
        if (client.speaks == Client::Speaks::plain) {
            return bytes;
        }
        if (client.speaks == Client::Speaks::protocol) {
            return answer_to_query();
        }
        if (bytes[0] != '\0') {
            client.speaks = Client::Speaks::plain;
            return name_;
        }
        if (bytes.size() == 8) {
            return "N";
        }
        client.speaks = Client::Speaks::protocol;
        ++logins_;
        return message('R', std::string(4, '\0')) + message('Z', "I");
    }
    std::string answer_to_query() {
        const std::scoped_lock lock(mutex_);
        std::string names = u16(row_.size());
        std::string values = names;
        for (const auto& value : row_) {
            names += std::string("c\0", 2) + std::string(4, '\0') + u16(0) +
                     std::string("\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0", 12);
            values += u16(0) + u16(value.size()) + value;
        }
        return message('T', names) + message('D', values) +
               message('C', std::string("SELECT 1\0", 9)) + message('Z', "I");
    }
    static std::string message(char type, const std::string& body) {
        std::string out(1, type);
        return out + u16(0) + u16(body.size() + 4) + body;
    }
    static std::string u16(std::size_t v) {
        return {static_cast<char>(v >> 8U & 0xFFU), static_cast<char>(v & 0xFFU)};
    }

    std::string name_;
    Fd listener_;
    Address address_{};
    std::atomic<bool> stop_ = false;
    std::atomic<bool> hang_up_ = false;
    std::atomic<int> logins_ = 0;
    std::mutex mutex_{};
    std::vector<std::string> row_{"f", "7", "000000030000000000000005"};
    std::thread thread_{};
};

}  // namespace howdah::proxy
