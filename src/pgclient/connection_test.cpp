#include "pgclient/connection.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>

#include "io/block_on.h"
#include "io/fd.h"
#include "pgclient/blocking.h"

namespace howdah::pgclient {
namespace {

/// Takes connections and never says a word.
class SilentServer {
public:
    SilentServer() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
        EXPECT_EQ(listen(fd_.get(), 8), 0);
        EXPECT_EQ(getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
        port_ = ntohs(address.sin_port);
    }
    Keywords keywords() const {
        return {{"host", "127.0.0.1"}, {"port", std::to_string(port_)}, {"user", "nobody"}};
    }

private:
    io::Fd fd_;
    int port_ = 0;
};

Result<> open_by_coroutine(const Keywords& keywords, Millis limit) {
    io::SystemClock clock;
    using Opened = Result<std::unique_ptr<Connection>>;
    const auto opened = io::block_on<Opened>(
        [&](io::Executor) { return Connection::open(clock, keywords, limit); });
    return opened ? Result<>{} : std::unexpected(opened.error());
}

Result<> open_by_thread(const Keywords& keywords, Millis limit) {
    const auto opened = BlockingConnection::open(keywords, limit);
    return opened ? Result<>{} : std::unexpected(opened.error());
}

TEST(Connections, GiveUpOnAServerThatIsSilent) {
    const SilentServer server;
    EXPECT_EQ(open_by_coroutine(server.keywords(), Millis(50)).error().code, Errc::timeout);
    EXPECT_EQ(open_by_thread(server.keywords(), Millis(50)).error().code, Errc::timeout);
}

TEST(Connections, HaveNoSqlstateWhereNobodyAnswered) {
    auto keywords = SilentServer().keywords();  // it is gone when they are used
    for (const auto& refused :
         {open_by_coroutine(keywords, Seconds(5)), open_by_thread(keywords, Seconds(5))}) {
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, Errc::unavailable);
        EXPECT_EQ(refused.error().sqlstate, "");
    }
    keywords["no_such_keyword"] = "x";
    EXPECT_EQ(open_by_thread(keywords, Seconds(5)).error().code, Errc::unavailable);
}

TEST(BlockingConnection, EndsItsWaitWhenItIsStopped) {
    const SilentServer server;
    std::atomic<int> asked = 0;
    const auto stopped =
        BlockingConnection::open(server.keywords(), Seconds(60), [&] { return ++asked > 2; });
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, Errc::cancelled);
}

TEST(Conninfo, IsTakenApart) {
    EXPECT_EQ(parse_conninfo("host=a dbname='b c'").value(),
              (Keywords{{"host", "a"}, {"dbname", "b c"}}));
    EXPECT_EQ(parse_conninfo("postgresql://u@h:5433/d").value(),
              (Keywords{{"host", "h"}, {"port", "5433"}, {"user", "u"}, {"dbname", "d"}}));
    EXPECT_EQ(parse_conninfo("host").error().code, Errc::invalid);
}

}  // namespace
}  // namespace howdah::pgclient
