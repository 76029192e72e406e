#include "io/http.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/write.hpp>
#include <filesystem>

#include "io/child.h"
#include "io/files.h"
#include "io/wire.h"

namespace howdah::io {
namespace {

Task<HttpResponse> answer(HttpRequest request) {
    if (request.target == "/slow") {
        SystemClock clock;
        (void)co_await clock.until(clock.now() + Seconds(20));
    }
    co_return HttpResponse{.status = request.target == "/missing" ? 404 : 200,
                           .headers = {{"Content-Type", "text/plain"}},
                           .body = request.method + " " + request.body + request.headers["x-a"],
                           .bare = request.method == "HEAD" || request.target == "/bare"};
}

class Http : public testing::Test {
protected:
    asio::io_context context{};
    SystemClock clock{};
    HttpServer server{context.get_executor(), clock, answer};
    std::unique_ptr<HttpClient> client{};

    Task<> with_server(Task<> body) {
        Scope scope(context.get_executor());
        scope.spawn(server.run());
        co_await std::move(body);
        co_await scope.close();
    }
    void run(Task<> body) {
        ASSERT_TRUE(server.listen("127.0.64.1", 0));
        client = std::make_unique<HttpClient>(context.get_executor(), clock, "127.0.64.1",
                                              server.port());
        asio::co_spawn(context, with_server(std::move(body)), [](std::exception_ptr error) {
            if (error) {
                std::rethrow_exception(error);
            }
        });
        context.run();
    }

    Task<> ask_twice() {
        for (int i = 0; i < 2; ++i) {
            const auto got = co_await client->send(
                {.method = "POST", .headers = {{"x-a", "!"}}, .body = "hello"}, Seconds(5));
            EXPECT_TRUE(got) << got.error().message;
            EXPECT_EQ(got->body, "POST hello!");
            EXPECT_EQ(got->headers.at("content-type"), "text/plain");
        }
        const auto missing = co_await client->send({.target = "/missing"}, Seconds(5));
        EXPECT_EQ(missing->status, 404);
        const auto bare = co_await client->send({.method = "HEAD"}, Seconds(5));
        EXPECT_TRUE(bare) << bare.error().message;
        EXPECT_TRUE(bare->headers.empty());
    }
    Task<> ask_slow() {
        const auto begin = clock.now();
        const auto got = co_await client->send({.target = "/slow"}, Millis(100));
        EXPECT_EQ(got.error().code, Errc::timeout);
        EXPECT_LT(clock.now() - begin, Seconds(5));
    }
    Task<> ask_too_much() {
        const auto got = co_await client->send(
            {.method = "POST", .body = std::string(1024 * 1024 + 1, 'x')}, Seconds(5));
        EXPECT_TRUE(!got || got->status == 413);
    }
    Task<> stream() {
        std::string seen;
        const auto ended = co_await client->stream({.method = "POST", .body = "abc"}, Seconds(5),
                                                   [&](std::string_view text) {
                                                       seen += text;
                                                       return true;
                                                   });
        EXPECT_TRUE(ended);
        EXPECT_EQ(seen, "POST abc");
        const auto refused = co_await client->stream({.target = "/missing"}, Seconds(5),
                                                     [](std::string_view) { return true; });
        EXPECT_EQ(refused.error().code, Errc::unavailable);
    }
    Task<> nobody_there() {
        HttpClient other(context.get_executor(), clock, "127.0.64.99", 1);
        const auto got = co_await other.send({}, Seconds(5));
        EXPECT_EQ(got.error().code, Errc::unavailable);
    }
    Task<> run_children() {
        const auto echoed = co_await io::run(clock, {"cat"}, {.input = "abc"}, Seconds(5));
        EXPECT_TRUE(echoed);
        EXPECT_EQ(echoed->text, "abc");
        const auto failed = co_await io::run(clock, {"sh", "-c", "echo $A >&2; exit 3"},
                                             {.environment = {"A=b"}}, Seconds(5));
        EXPECT_EQ(failed->exit_code, 3);
        EXPECT_EQ(failed->text, "b\n");
        const auto late = co_await io::run(clock, {"sleep", "60"}, {}, Millis(50));
        EXPECT_EQ(late.error().code, Errc::timeout);
        const auto unknown = co_await io::run(clock, {"no-such-program"}, {}, Seconds(5));
        EXPECT_EQ(unknown.error().code, Errc::not_found);
    }
};

TEST_F(Http, AnswersAndKeepsConnections) {
    run(ask_twice());
}
TEST_F(Http, GivesUpAtItsLimit) {
    run(ask_slow());
}
TEST_F(Http, RefusesALargeBody) {
    run(ask_too_much());
}
TEST_F(Http, StreamsABody) {
    run(stream());
}
TEST_F(Http, IsUnavailableWhenNobodyListens) {
    run(nobody_there());
}
TEST_F(Http, RunsChildren) {
    run(run_children());
}

TEST(Files, WrittenFileReadsBack) {
    char folder[] = "/tmp/howdah-files-XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    const std::string below = std::string(folder) + "/a/b";
    ASSERT_TRUE(make_directories(below));
    ASSERT_TRUE(make_directories(below));
    ASSERT_TRUE(write_file_atomically(below + "/c", "text"));
    EXPECT_EQ(read_file(below + "/c"), "text");
    EXPECT_EQ(read_file(below + "/d").error().code, Errc::not_found);
    for (const auto* part : {"/a/b/c", "/a/b", "/a", ""}) {
        std::remove((folder + std::string(part)).c_str());
    }
}

/// A server's and a client's certificate, signed by one authority, made for this test.
class Https : public Http {
protected:
    std::string folder = "/tmp/howdah-https-" + std::to_string(::getpid());

    void SetUp() override {
        const auto script = R"(set -e; mkdir -p "$0"; cd "$0"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test-ca -keyout ca.key -out ca.pem
for who in server client; do
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$who -keyout $who.key -out $who.csr
  printf 'subjectAltName=IP:127.0.64.1\n' > ext
  openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out $who.pem
done)";
        asio::co_spawn(context, make(script), [](std::exception_ptr) {});
        context.run();
        context.restart();
    }
    Task<> make(std::string script) {
        const auto done = co_await io::run(clock, {"sh", "-c", script, folder}, {}, Seconds(20));
        EXPECT_TRUE(done && done->exit_code == 0) << (done ? done->text : done.error().message);
    }
    void TearDown() override { std::filesystem::remove_all(folder); }

    std::string file(const std::string& name) const { return folder + "/" + name; }
    void serve_tls(ClientCertificates clients) {
        auto made = tls_server(
            {.ca = file("ca.pem"), .cert = file("server.pem"), .key = file("server.key")}, clients);
        ASSERT_TRUE(made) << made.error().message;
        server.secure(*made);
    }
    Task<Result<HttpResponse>> ask(TlsFiles files) {
        HttpClient one(context.get_executor(), clock, "127.0.64.1", server.port(),
                       std::make_shared<TlsFiles>(std::move(files)));
        co_return co_await one.send({.target = "/x"}, Seconds(5));
    }
    Task<> ask_all() {
        const auto good = co_await ask({.ca = file("ca.pem")});
        EXPECT_TRUE(good) << good.error().message;
        EXPECT_FALSE(co_await ask({}));  // not signed by anybody the system knows
        EXPECT_TRUE(co_await ask({.verify = false}));
        EXPECT_FALSE(co_await ask({.ca = file("nosuch.pem")}));
    }
    Task<> ask_with_certificate() {
        EXPECT_FALSE(co_await ask({.ca = file("ca.pem")}));
        const auto good = co_await ask(
            {.ca = file("ca.pem"), .cert = file("client.pem"), .key = file("client.key")});
        EXPECT_TRUE(good) << good.error().message;
    }
    Task<> ask_for_a_status_line() {
        HttpClient one(context.get_executor(), clock, "127.0.64.1", server.port(),
                       std::make_shared<TlsFiles>(TlsFiles{.ca = file("ca.pem")}));
        const auto got = co_await one.send({.target = "/bare", .keep_alive = false}, Seconds(5));
        EXPECT_TRUE(got) << got.error().message;
        EXPECT_TRUE(got && got->status == 200 && got->body.empty());
    }
    /// As Python's http.server does: an answer, and then TCP is closed under TLS.
    Task<> answer_and_close(asio::ip::tcp::acceptor& acceptor) {
        auto [ec, socket] = co_await acceptor.async_accept(as_result);
        Wire wire(std::move(socket));
        const TlsFiles files{.cert = file("server.pem"), .key = file("server.key")};
        const auto tls = tls_server(files, ClientCertificates::none);
        EXPECT_TRUE(co_await wire.secure_as_server(*tls));
        std::array<char, 1024> request{};
        (void)co_await wire.async_read_some(asio::buffer(request), as_result);
        const std::string line = "HTTP/1.0 200 OK\r\n\r\n";
        (void)co_await asio::async_write(wire, asio::buffer(line), as_result);
    }
    Task<> ask_one_who_just_closes() {
        using asio::ip::tcp;
        tcp::acceptor acceptor(context, {asio::ip::make_address("127.0.64.1"), 0});
        Scope scope(context.get_executor());
        scope.spawn(answer_and_close(acceptor));
        HttpClient one(context.get_executor(), clock, "127.0.64.1",
                       acceptor.local_endpoint().port(),
                       std::make_shared<TlsFiles>(TlsFiles{.ca = file("ca.pem")}));
        const auto got =
            co_await one.send({.target = "/liveness", .keep_alive = false}, Seconds(5));
        EXPECT_TRUE(got) << got.error().message;
        co_await scope.close();
    }
    Task<> ask_in_plain() {
        const auto refused = co_await client->send({}, Seconds(5));
        EXPECT_FALSE(refused);
    }
};

TEST_F(Https, ServesThoseWhoTrustItsCertificate) {
    serve_tls(ClientCertificates::none);
    run(ask_all());
}

TEST_F(Https, WantsACertificateWhereItIsRequired) {
    serve_tls(ClientCertificates::required);
    run(ask_with_certificate());
}

TEST_F(Https, AStatusLineAloneIsAnAnswer) {
    serve_tls(ClientCertificates::none);
    run(ask_for_a_status_line());
}

TEST_F(Https, AServerThatJustClosesHasAnswered) {
    run(ask_one_who_just_closes());
}

TEST_F(Https, PlainRequestsGetNoAnswer) {
    serve_tls(ClientCertificates::optional);
    run(ask_in_plain());
}

}  // namespace
}  // namespace howdah::io
