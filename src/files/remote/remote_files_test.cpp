#include "files/remote/remote_files.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <thread>

#include "files/fake/memory_files.h"
#include "files/remote/entry_json.h"
#include "files/remote/host_for_test.h"
#include "io/files.h"

namespace howdah::files {
namespace {

class RemoteFilesTest : public testing::Test {
protected:
    Result<std::unique_ptr<io::SecureStream>> connect_as(const io::TlsFiles& who,
                                                         const std::string& host = "127.0.0.1") {
        return io::SecureStream::connect(host, host_.port(), io::tls_client(who).value(),
                                         std::chrono::seconds(10));
    }
    /// What the host says to a client that gets past its own side of the handshake.
    Error refusal_of(const io::TlsFiles& who) {
        auto connected =
            remote::connect({.host = "127.0.0.1", .port = host_.port()},
                            io::tls_client(who).value(), "repository host", remote::Json::object());
        return connected ? Error{} : connected.error();
    }

    HostForTest host_{std::make_unique<MemoryFiles>()};
    std::unique_ptr<Files> files_ = host_.client();
};

TEST_F(RemoteFilesTest, LargeFilesComeAsTheyWent) {
    std::string content;
    for (int i = 0; content.size() < (std::size_t{3} << 20); ++i) {
        content += std::to_string(i);
    }
    ASSERT_TRUE(write_all(*files_, "a/large", content));
    EXPECT_EQ(read_all(*files_, "a/large"), content);
}

TEST_F(RemoteFilesTest, ASourceThatIsLeftEarlyHarmsNobody) {
    ASSERT_TRUE(write_all(*files_, "a/large", std::string(std::size_t{8} << 20, 'x')));
    {
        const auto source = files_->read("a/large").value();
        ByteBuffer some(10);
        ASSERT_TRUE(source->read(some));
    }
    EXPECT_TRUE(files_->stat("a/large").value());
}

TEST_F(RemoteFilesTest, AFileWhoseHostDiedNeverWas) {
    auto sink = files_->write("a/file").value();
    ASSERT_TRUE(sink->write(bytes_of("half")));
    host_.stop();
    const auto finished = sink->finish();
    ASSERT_FALSE(finished);
    EXPECT_EQ(finished.error().code, Errc::unavailable);
    sink.reset();
    EXPECT_EQ(files_->stat("a/file").error().code, Errc::unavailable);
    host_.start_again();
    EXPECT_EQ(files_->stat("a/file").value(), std::nullopt);
    ASSERT_TRUE(write_all(*files_, "a/file", "whole"));
}

TEST_F(RemoteFilesTest, KeptConnectionsThatDiedAreReplaced) {
    ASSERT_TRUE(write_all(*files_, "a/file", "x"));
    host_.stop();
    host_.start_again();
    EXPECT_EQ(read_all(*files_, "a/file"), "x");
    ASSERT_TRUE(files_->hard_link("a/other", "a/file"));
}

TEST_F(RemoteFilesTest, OneAtATimeHoldsARight) {
    const auto other = host_.client();
    auto held = files_->hold("backup").value();
    EXPECT_EQ(other->hold("backup").error().code, Errc::conflict);
    EXPECT_TRUE(other->hold("archive"));
    ASSERT_TRUE(write_all(*files_, "a/file", "x"));
    held.reset();
    EXPECT_TRUE(other->hold("backup")) << "free at once";
    ASSERT_TRUE(write_all(*files_, "a/file", "x")) << "one that holds nothing";
}

TEST_F(RemoteFilesTest, OthersSeeThatARightIsHeldAndHowFarItsHolderIs) {
    const auto other = host_.client();
    EXPECT_FALSE(other->held("backup", "demo").value());
    auto held = files_->hold("backup").value();
    EXPECT_FALSE(other->held("backup", "demo").value().value().hundredths);
    held->note_progress(1234);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (other->held("backup", "demo").value().value().hundredths != 1234U &&
           std::chrono::steady_clock::now() < deadline) {
        std::this_thread::yield();
    }
    EXPECT_EQ(other->held("backup", "demo").value().value().hundredths, 1234U);
    held.reset();
    EXPECT_FALSE(other->held("backup", "demo").value());
}

TEST_F(RemoteFilesTest, WhoLostItsRightChangesNothing) {
    ASSERT_TRUE(write_all(*files_, "a/file", "old"));
    auto held = files_->hold("backup").value();
    host_.stop();
    host_.start_again();
    EXPECT_EQ(write_all(*files_, "a/file", "new").error().code, Errc::conflict);
    EXPECT_EQ(files_->remove_tree("a").error().code, Errc::conflict);
    EXPECT_EQ(read_all(*files_, "a/file"), "old");
    held.reset();
    held = files_->hold("backup").value();
    EXPECT_TRUE(write_all(*files_, "a/file", "new"));
}

TEST_F(RemoteFilesTest, AFileBegunWithARightIsNotFinishedWithoutIt) {
    auto held = files_->hold("backup").value();
    auto sink = files_->write("a/file").value();
    held.reset();
    EXPECT_EQ(sink->finish().error().code, Errc::conflict);
    sink.reset();
    EXPECT_EQ(files_->stat("a/file").value(), std::nullopt);
}

TEST_F(RemoteFilesTest, WhatAClientMayNotReachIsRefusedAndNotShown) {
    EXPECT_EQ(files_->read("secret/x").error().message.substr(0, 15), "repository host");
    EXPECT_FALSE(files_->write("secret/x"));
    EXPECT_FALSE(files_->remove_tree("secret"));
    ASSERT_TRUE(write_all(*files_, "open/x", "x"));
    EXPECT_FALSE(files_->hard_link("secret/x", "open/x"));
    EXPECT_FALSE(files_->hard_link("open/y", "secret/x"));
    EXPECT_FALSE(files_->link("open/y", "../secret"));
    EXPECT_FALSE(files_->link("open/y", "/etc"));
}

TEST_F(RemoteFilesTest, CertificatesThatAreNotRightAreRefusedWithTheReason) {
    auto& ours = host_.certificates();
    const auto good = ours.host({"client"});
    ASSERT_TRUE(connect_as(good));
    EXPECT_EQ(refusal_of(good).message, "");
    const CertificatesForTest other;
    auto wrong = connect_as(other.host({"client"}));
    ASSERT_FALSE(wrong);
    EXPECT_TRUE(wrong.error().message.contains("CA did not sign")) << wrong.error().message;
    auto stranger = other.host({"client"});
    stranger.ca = good.ca;
    EXPECT_TRUE(refusal_of(stranger).message.contains("CA is not the one"))
        << refusal_of(stranger).message;
    const auto old = ours.host({"client"}, -1);
    EXPECT_TRUE(refusal_of(old).message.contains("expired")) << refusal_of(old).message;
    const io::TlsFiles none{.ca = good.ca};
    EXPECT_TRUE(refusal_of(none).message.contains("wants a certificate"))
        << refusal_of(none).message;
    for (const auto* host : {"127.0.0.2", "localhost"}) {
        const auto connected = connect_as(good, host);
        const bool named = std::string_view(host) == "localhost";
        EXPECT_EQ(connected.has_value(), named) << host;
    }
}

TEST_F(RemoteFilesTest, WhoSpeaksNoTlsIsTold) {
    const auto tls = io::tls_client(host_.certificates().host({"client"})).value();
    const auto plain = io::listen_tcp("127.0.0.1", 0).value();
    sockaddr_in own{};
    socklen_t size = sizeof own;
    getsockname(plain.get(), reinterpret_cast<sockaddr*>(&own), &size);
    const std::jthread server([&] {
        pollfd waiting{.fd = plain.get(), .events = POLLIN, .revents = 0};
        poll(&waiting, 1, 10'000);
        const io::Fd client(accept4(plain.get(), nullptr, nullptr, SOCK_CLOEXEC));
        (void)send(client.get(), "220 hello\r\n", 11, MSG_NOSIGNAL);
        poll(&(waiting = {.fd = client.get(), .events = POLLIN, .revents = 0}), 1, 10'000);
    });
    const auto connected =
        io::SecureStream::connect("127.0.0.1", ntohs(own.sin_port), tls, std::chrono::seconds(10));
    ASSERT_FALSE(connected);
    EXPECT_EQ(connected.error().code, Errc::invalid);
    EXPECT_TRUE(connected.error().message.contains("no TLS")) << connected.error().message;
}

TEST_F(RemoteFilesTest, WhatIsNoRequestHarmsNobody) {
    const auto tls = io::tls_client(host_.certificates().host({"client"})).value();
    const remote::Place place{.host = "127.0.0.1", .port = host_.port()};
    ASSERT_TRUE(write_all(*files_, "a/file", "x"));
    using remote::Json;
    for (const auto& request :
         {Json::object(), Json{{"do", 7}}, Json{{"do", "dance"}}, Json{{"do", "read"}, {"path", 7}},
          Json{{"do", "read"}, {"path", "a/file"}, {"offset", "x"}, {"size", -1}},
          Json{{"do", "write"}, {"path", "a/b"}, {"by_sync_tree", "x"}, {"holds", 7}},
          Json{{"do", "write"}, {"path", "../b"}}, Json{{"do", "list"}, {"path", Json::array()}},
          Json{{"do", "remove"}, {"path", "a/file"}, {"holds", {1, "x", -1}}},
          Json{{"do", "hold"}, {"what", {}}}, Json{{"do", "link"}, {"path", "a/l"}},
          Json{{"do", "hard_link"}, {"path", "a/l"}}}) {
        auto channel = remote::connect(place, tls, "repository host", {}).value().channel;
        ASSERT_TRUE(channel->send(request));
        (void)channel->receive();  // an answer or an error: no crash
    }
    using std::string_literals::operator""s;
    for (const auto& bytes : {"\x7f\xff\xff\xff\0\0\0\0"s, "\0\0\0\2\xff\xff\xff\xff"s,
                              "\0\0\0\2\0\0\0\0[]"s, "\0\0\0\2\0\0\0\0{x"s, "GET / HTTP/1.1"s}) {
        auto channel = remote::connect(place, tls, "repository host", {}).value().channel;
        ASSERT_TRUE(channel->stream().write(bytes_of(bytes), std::chrono::seconds(5)));
        EXPECT_FALSE(channel->receive_within(std::chrono::seconds(5)));
    }
    EXPECT_EQ(read_all(*files_, "a/file"), "x");
}

TEST_F(RemoteFilesTest, FoldersWithManyLongNamesAreListed) {
    std::vector<std::string> paths;
    for (int i = 1000; i < 3000; ++i) {
        paths.push_back("a/" + std::to_string(i) + std::string(200, '\xe4'));
        ASSERT_TRUE(write_all(*files_, paths.back(), ""));
    }
    std::vector<std::string> listed;
    ASSERT_TRUE(files_->list("a", [&](const Entry& entry) {
        listed.push_back(entry.path);
        return Result<>{};
    }));
    EXPECT_EQ(listed, paths);
}

/// A TCP connection that says nothing.
io::Fd stranger_at(std::uint16_t port) {
    io::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in there{.sin_family = AF_INET,
                            .sin_port = htons(port),
                            .sin_addr = {htonl(INADDR_LOOPBACK)},
                            .sin_zero = {}};
    EXPECT_TRUE(socket);
    EXPECT_EQ(connect(socket.get(), reinterpret_cast<const sockaddr*>(&there), sizeof there), 0);
    return socket;
}

/// Whether the other side ends it before the limit.
bool ends_within(const io::Fd& socket, Millis limit) {
    pollfd waiting{.fd = socket.get(), .events = POLLIN, .revents = 0};
    char none = 0;
    return poll(&waiting, 1, static_cast<int>(limit.count())) == 1 &&
           recv(socket.get(), &none, 1, MSG_DONTWAIT) <= 0;
}

TEST_F(RemoteFilesTest, StrangersWhoSayNothingHoldNoClientUp) {
    io::raise_open_files_limit();
    std::vector<io::Fd> strangers;
    for (int i = 0; i < 600; ++i) {
        strangers.push_back(stranger_at(host_.port()));
    }
    EXPECT_TRUE(write_all(*files_, "a/file", "x"));
    for (int i = 0; i < 600; ++i) {
        strangers.push_back(stranger_at(host_.port()));
    }
    const auto other = host_.client();
    EXPECT_TRUE(write_all(*other, "a/other", "x"));
    EXPECT_EQ(read_all(*files_, "a/file"), "x") << "who has greeted is no stranger";
    EXPECT_TRUE(ends_within(strangers.front(), std::chrono::seconds(5))) << "the oldest goes first";
    EXPECT_LT(host_.refused().size(), 10U) << "the log is not theirs to fill";
}

TEST(Strangers, WhoSpeaksOneByteAtATimeHasNoMoreTimeThanOthers) {
    HostForTest host(std::make_unique<MemoryFiles>(), Millis(300));
    const auto socket = stranger_at(host.port());
    // A handshake whose hello is said to have 200 bytes.
    const std::string hello{"\x16\x03\x01\x00\xc8", 5};
    std::size_t said = 0;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(8);
    bool ended = false;
    while (!ended && std::chrono::steady_clock::now() < deadline) {
        const char next = said < hello.size() ? hello[said] : '\0';
        ended = send(socket.get(), &next, 1, MSG_NOSIGNAL) != 1 || ends_within(socket, Millis(50));
        said = std::min(said + 1, hello.size());
    }
    EXPECT_TRUE(ended);
    const auto files = host.client();
    EXPECT_TRUE(write_all(*files, "a/file", "x"));
}

TEST(Strangers, AreToldOfOnceAndThenCounted) {
    HostForTest host(std::make_unique<MemoryFiles>(), std::chrono::seconds(10),
                     std::chrono::seconds(2));
    const auto come = [&](int count) {
        for (int i = 0; i < count; ++i) {
            const auto socket = stranger_at(host.port());
            EXPECT_EQ(send(socket.get(), "GET", 3, MSG_NOSIGNAL), 3);
            std::array<char, 64> told{};
            EXPECT_GT(recv(socket.get(), told.data(), told.size(), 0), 0);
        }
    };
    const auto lines = [&](std::size_t count) {
        const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (host.refused().size() < count && std::chrono::steady_clock::now() < limit) {
            std::this_thread::yield();
        }
        return host.refused();
    };
    come(1);
    ASSERT_EQ(lines(1), std::vector<std::string>{"127.0.0.1: somebody who speaks no TLS"});
    come(5);
    const auto told = lines(2);
    ASSERT_EQ(told.size(), 2U);
    EXPECT_EQ(told[1], "127.0.0.1: the last of 5 that were dropped: somebody who speaks no TLS");
}

std::ptrdiff_t open_files() {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

TEST(Strangers, AHostThatMayOpenNoMoreFilesGoesOnWhenItMay) {
    HostForTest host(std::make_unique<MemoryFiles>());
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    std::vector<io::Fd> strangers;
    const io::Fd lowest(dup(0));
    constexpr int count = 20;
    const auto with_both_ends = open_files() + 2 * count;
    for (int i = 0; i < count; ++i) {
        strangers.push_back(stranger_at(host.port()));
    }
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (open_files() < with_both_ends && std::chrono::steady_clock::now() < limit) {
        std::this_thread::yield();
    }
    // No number is left for another connection's end on the host's side.
    io::Fd next(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const rlimit none{.rlim_cur = static_cast<rlim_t>(lowest.get()), .rlim_max = before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    const sockaddr_in there{.sin_family = AF_INET,
                            .sin_port = htons(host.port()),
                            .sin_addr = {htonl(INADDR_LOOPBACK)},
                            .sin_zero = {}};
    // Nothing is said before the limit is gone: sanitizers want descriptors of their own for that.
    const bool connected =
        connect(next.get(), reinterpret_cast<const sockaddr*>(&there), sizeof there) == 0;
    const bool made_room = ends_within(strangers.front(), std::chrono::seconds(5));
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_TRUE(connected);
    EXPECT_TRUE(made_room) << "the oldest makes room";
    const auto files = host.client();
    EXPECT_TRUE(write_all(*files, "a/file", "x"));
    const auto refused = host.refused();
    EXPECT_TRUE(std::ranges::any_of(
        refused, [](const std::string& line) { return line.contains("LimitNOFILE"); }));
}

TEST_F(RemoteFilesTest, AnotherServiceIsNotTakenForAHost) {
    const auto connected = remote::connect(
        {.host = "127.0.0.1", .port = host_.port()},
        io::tls_client(host_.certificates().host({"client"})).value(), "database host", {});
    ASSERT_FALSE(connected);
    EXPECT_TRUE(connected.error().message.contains("a repository host, not a database host"));
}

TEST(EntryJson, NamesOfAnyBytesComeBack) {
    std::string all;
    for (int each = 1; each < 256; ++each) {
        all += static_cast<char>(each);
    }
    EXPECT_EQ(decode_name(encode_name(all)), all);
    const Entry entry{.path = all, .kind = EntryKind::link, .size = 7, .target = all};
    const auto text = to_json(entry).dump();
    EXPECT_EQ(to_entry(nlohmann::json::parse(text)).value(), entry);
}

}  // namespace
}  // namespace howdah::files
