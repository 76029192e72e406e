#include "instance/local/disk_probe.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "instance/local/small_disk_for_test.h"
#include "io/loop.h"

namespace howdah::instance {
namespace {

namespace fs = std::filesystem;

class DiskProbeTest : public testing::Test {
public:
    DiskProbeTest() {
        char name[] = "/tmp/howdah-disk-XXXXXX";
        root_ = mkdtemp(name);
    }
    ~DiskProbeTest() override { fs::remove_all(root_); }

    std::string root_;
};

TEST_F(DiskProbeTest, AFineDiskIsLeftAsItWas) {
    EXPECT_EQ(disk_trouble(root_), "");
    EXPECT_TRUE(fs::is_empty(root_));
}

TEST_F(DiskProbeTest, SaysWhatIsWrong) {
    EXPECT_EQ(disk_trouble(root_ + "/none"), "not readable: No such file or directory");
    if (geteuid() == 0) {
        GTEST_SKIP() << "root may write everywhere";
    }
    fs::permissions(root_, fs::perms::owner_read | fs::perms::owner_exec);
    EXPECT_EQ(disk_trouble(root_), "no file can be made: Permission denied");
    fs::permissions(root_, fs::perms::owner_all);
}

TEST_F(DiskProbeTest, SaysThatADiskIsFull) {
    const auto disk = small_disk_for_test();
    if (disk.empty()) {
        GTEST_SKIP() << "no small file system: mounting one needs root";
    }
    EXPECT_EQ(disk_trouble(disk), "");
    {
        std::ofstream ballast(disk + "/ballast");
        const std::string piece(1 << 20, 'x');
        while (fs::space(disk).available > (4U << 20U) && ballast) {
            ballast << piece << std::flush;
        }
    }
    EXPECT_TRUE(disk_trouble(disk).starts_with("the file system is full: ")) << disk_trouble(disk);
    {
        std::ofstream ballast(disk + "/more");
        const std::string piece(4096, 'x');
        while (ballast << piece << std::flush) {
        }
    }
    EXPECT_EQ(disk_trouble(disk), "write failed: No space left on device");
    fs::remove(disk + "/more");
    fs::remove(disk + "/ballast");
    EXPECT_EQ(disk_trouble(disk), "");
}

TEST_F(DiskProbeTest, AsksBesideTheLoop) {
    io::Loop loop;
    io::SystemClock clock;
    DiskProbe probe;
    struct Body {
        static io::Task<> run(io::Clock& time, DiskProbe& of, std::string folder) {
            EXPECT_EQ(co_await of.ask(time, {folder}, Seconds(10)), "");
            EXPECT_EQ(co_await of.ask(time, {folder, folder + "/none"}, Seconds(10)),
                      folder + "/none: not readable: No such file or directory");
        }
    };
    loop.run(Body::run(clock, probe, root_));
}

}  // namespace
}  // namespace howdah::instance
