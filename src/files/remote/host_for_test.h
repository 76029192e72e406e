#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "files/remote/file_server.h"
#include "files/remote/remote_files.h"
#include "io/certificates.h"
#include "remote/server.h"

namespace howdah::files {

/// A CA and certificates signed by it, in a folder that goes with it.
class CertificatesForTest {
public:
    CertificatesForTest() : ca_(io::make_ca("a test's CA", 1).value()) {
        char name[] = "/tmp/howdah-tls-XXXXXX";
        folder_ = mkdtemp(name);
        std::ofstream(folder_ + "/ca.crt") << ca_.certificate;
    }
    ~CertificatesForTest() { std::filesystem::remove_all(folder_); }
    CertificatesForTest(const CertificatesForTest&) = delete;
    CertificatesForTest& operator=(const CertificatesForTest&) = delete;

    /// Of a host with these names.
    io::TlsFiles host(const std::vector<std::string>& names, int days = 1) const {
        const auto made = io::make_host_certificate(ca_, names, days).value();
        const auto base = folder_ + "/" + names.front() + std::to_string(days);
        std::ofstream(base + ".crt") << made.certificate;
        std::ofstream(base + ".key") << made.key;
        return {.ca = folder_ + "/ca.crt", .cert = base + ".crt", .key = base + ".key"};
    }

private:
    io::Certificate ca_;
    std::string folder_{};
};

/// A repository host on loopback in this process. Clients may do all that the files allow, but
/// below "secret"; one at a time holds a right.
class HostForTest {
public:
    explicit HostForTest(std::unique_ptr<Files> files,
                         Millis stranger_limit = std::chrono::seconds(10),
                         Millis between_tellings = std::chrono::minutes(1))
        : files_(std::move(files)),
          stranger_limit_(stranger_limit),
          between_tellings_(between_tellings) {
        start(0);
    }

    std::unique_ptr<Files> client(Millis limit = std::chrono::seconds(20)) {
        return std::make_unique<RemoteFiles>(
            std::make_shared<RemotePool>(
                remote::Place{.host = "127.0.0.1", .port = port_, .limit = limit},
                io::tls_client(certificates_.host({"client"})).value(), "repository host",
                remote::Json{{"stanza", "demo"}}),
            files_->name());
    }
    /// As if its process died.
    void stop() { server_.reset(); }
    void start_again() { start(port_); }

    CertificatesForTest& certificates() { return certificates_; }
    std::uint16_t port() const { return port_; }
    std::vector<std::string> refused() {
        const std::scoped_lock lock(mutex_);
        return refused_;
    }

private:
    class OneHold final : public Hold {
    public:
        OneHold(HostForTest& host, std::string what) : host_(host), what_(std::move(what)) {}
        ~OneHold() override {
            const std::scoped_lock lock(host_.mutex_);
            host_.held_.erase(what_);
        }
        void note_progress(std::uint32_t hundredths) override {
            const std::scoped_lock lock(host_.mutex_);
            host_.held_[what_].hundredths = hundredths;
        }

    private:
        HostForTest& host_;
        std::string what_;
    };
    class Served final : public remote::Service {
    public:
        explicit Served(HostForTest& host) : host_(host) {}
        remote::Json welcome() override { return {{"host", "test"}}; }
        void serve(remote::Channel& channel) override {
            serve_files(channel,
                        {.files = *host_.files_,
                         .holds = *host_.holds_,
                         .may = [](std::string_view path, Access) -> Result<> {
                             return path.starts_with("secret")
                                        ? fail(Errc::invalid, "secret is not for this client")
                                        : Result<>{};
                         },
                         .shows = [](std::string_view path) { return !path.starts_with("secret"); },
                         .hold = [this](std::string_view what) { return host_.hold(what); },
                         .held = [this](std::string_view what,
                                        std::string_view /*stanza*/) { return host_.held(what); }});
        }

    private:
        HostForTest& host_;
    };

    Result<std::unique_ptr<Hold>> hold(std::string_view what) {
        const std::scoped_lock lock(mutex_);
        if (!held_.try_emplace(std::string(what)).second) {
            return fail(Errc::conflict, "somebody holds it");
        }
        return std::make_unique<OneHold>(*this, std::string(what));
    }
    std::optional<Held> held(std::string_view what) {
        const std::scoped_lock lock(mutex_);
        const auto found = held_.find(what);
        return found == held_.end() ? std::nullopt : std::optional(found->second);
    }
    void start(std::uint16_t port) {
        holds_ = std::make_unique<Holds>();
        server_ = std::make_unique<remote::Server>(
            remote::ServerOptions{.service = "repository host",
                                  .host = "127.0.0.1",
                                  .port = port,
                                  .tls = certificates_.host({"127.0.0.1", "localhost"}),
                                  .stranger_limit = stranger_limit_,
                                  .between_tellings = between_tellings_},
            [this](const io::PeerNames&, const remote::Json&) {
                return Result<std::unique_ptr<remote::Service>>(std::make_unique<Served>(*this));
            },
            [this](const std::string& who, const Error& why) {
                const std::scoped_lock lock(mutex_);
                refused_.push_back(who + ": " + why.message);
            });
        const auto started = server_->start();
        ASSERT_TRUE(started) << started.error().message;
        port_ = server_->port();
    }

    std::unique_ptr<Files> files_;
    Millis stranger_limit_, between_tellings_;
    CertificatesForTest certificates_{};
    std::mutex mutex_{};
    std::map<std::string, Held, std::less<>> held_{};
    std::vector<std::string> refused_{};
    std::unique_ptr<Holds> holds_{};
    std::unique_ptr<remote::Server> server_{};
    std::uint16_t port_ = 0;
};

}  // namespace howdah::files
