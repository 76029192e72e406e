#include "instance/local/file_errors.h"

#include <gtest/gtest.h>

#include "instance/local/local_fixture_for_test.h"
#include "io/files.h"

namespace howdah::instance {
namespace {

class FileErrorsTest : public LocalFixture {
public:
    io::Task<> body();
    io::Task<bool> tells(LocalNode* node, std::string words) {
        co_return co_await becomes(node, "tells " + words, [&words](const Local& l) {
            return words.empty() ? l.file_errors.empty() : l.file_errors.contains(words);
        });
    }
};

io::Task<> FileErrorsTest::body() {
    auto* a = co_await make("a", "127.0.66.3");
    if (!co_await make_primary(a)) {
        co_return;
    }
    const auto hba = a->config.postgresql.data_dir + "/pg_hba.conf";
    const auto was = io::read_file(hba).value();
    check(io::write_file_atomically(hba, was + "hostt all all 0.0.0.0/0 trust\n", 0600),
          "break pg_hba.conf");
    EXPECT_TRUE(co_await tells(a, hba + " line "));
    check(io::write_file_atomically(hba, was, 0600), "mend pg_hba.conf");
    EXPECT_TRUE(co_await tells(a, ""));

    const auto own = a->config.postgresql.data_dir + "/postgresql.auto.conf";
    check(io::write_file_atomically(own, "work_mem = banana\n", 0600), "a value that is none");
    EXPECT_TRUE(co_await tells(a, own + " line 1: work_mem: "));
    // What waits for a restart PostgreSQL words as errors too, one of them of no setting.
    auto settings = a->settings();
    settings.parameters["shared_buffers"] = "20MB";
    settings.parameters.erase("wal_keep_size");
    check(co_await a->pg.configure(settings), "configure");
    check(io::write_file_atomically(own, "max_worker_processes = 9\n", 0600), "another that waits");
    EXPECT_TRUE(co_await becomes(a, "waits for a restart", [](const Local& l) {
        return l.pending_restart_json.contains("max_worker_processes");
    }));
    EXPECT_TRUE(co_await tells(a, ""));
    settings.parameters.erase("shared_buffers");
    check(co_await a->pg.configure(settings), "configure without");
    EXPECT_TRUE(co_await becomes(a, "waits for a restart", [](const Local& l) {
        return l.pending_restart_json.contains("shared_buffers");
    }));
    const auto until = clock_.now() + 3s;
    while (clock_.now() < until) {  // longer than between two looks
        EXPECT_EQ((co_await a->pg.observe(1s)).file_errors, "");
        (void)co_await clock_.until(clock_.now() + 100ms);
    }
}

TEST_F(FileErrorsTest, ToldWhileTheyStandAndNotAfter) {
    run(&FileErrorsTest::body);
}

}  // namespace
}  // namespace howdah::instance
