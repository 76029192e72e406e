#include "cli/cert.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "io/certificates.h"
#include "io/fd.h"
#include "io/files.h"

namespace howdah::cli {
namespace {

struct NewFile {
    std::string path{}, text{};
    mode_t mode = 0644;
};

void add(std::vector<NewFile>& files, const std::string& base, const io::Certificate& made) {
    files.push_back({.path = base + ".crt", .text = made.certificate});
    files.push_back({.path = base + ".key", .text = made.key, .mode = 0600});
}

Result<> check_free(const std::string& base) {
    for (const auto* ending : {".crt", ".key"}) {
        if (::access((base + ending).c_str(), F_OK) == 0) {
            return fail(Errc::conflict, base + ending + " is there already",
                        "move it away first: hosts that trust it would not trust a new one");
        }
    }
    return {};
}

Result<> write(const NewFile& file) {
    const io::Fd fd(open(file.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, file.mode));
    if (!fd) {
        return errno == EEXIST ? fail(Errc::conflict, file.path + " is there already")
                               : io::fail_errno("make " + file.path);
    }
    if (::write(fd.get(), file.text.data(), file.text.size()) != std::ssize(file.text) ||
        fsync(fd.get()) != 0) {
        auto failed = io::fail_errno("write " + file.path);
        unlink(file.path.c_str());
        return failed;
    }
    return {};
}

std::vector<std::string> parts_of(const std::string& text) {
    std::vector<std::string> parts;
    for (std::size_t at = 0; at <= text.size();) {
        const auto end = std::min(text.find(',', at), text.size());
        parts.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return parts;
}

Result<io::Certificate> load_ca(const std::string& base) {
    io::Certificate ca;
    auto certificate = io::read_file(base + ".crt"), key = io::read_file(base + ".key");
    if (!certificate || !key) {
        auto error = certificate ? key.error() : certificate.error();
        error.hint = "howdah cert DIR --ca makes a CA";
        return std::unexpected(std::move(error));
    }
    return io::Certificate{.certificate = *std::move(certificate), .key = *std::move(key)};
}

}  // namespace

Result<> run(const CertCommand& command) {
    if (!command.ca && command.hosts.empty()) {
        return fail(Errc::invalid, "nothing to make",
                    "--ca makes a CA, --host NAME[,ADDRESS] a certificate that it signs");
    }
    const auto ca_base = command.dir + "/ca";
    HD_TRY_VOID(command.ca ? check_free(ca_base) : Result<>{});
    std::vector<NewFile> files;
    io::Certificate ca;
    if (command.ca) {
        HD_TRY(ca, io::make_ca("Howdah CA", command.days));
        add(files, ca_base, ca);
    } else {
        HD_TRY(ca, load_ca(ca_base));
    }
    for (const auto& host : command.hosts) {
        const auto names = parts_of(host);
        const auto base = command.dir + "/" + names.front();
        HD_TRY_VOID(check_free(base));
        HD_TRY(const auto made, io::make_host_certificate(ca, names, command.days));
        add(files, base, made);
    }
    HD_TRY_VOID(io::make_directories(command.dir, 0755));
    for (const auto& file : files) {
        HD_TRY_VOID(write(file));
        fmt::print("{}\n", file.path);
    }
    if (!command.hosts.empty()) {
        fmt::print(
            "On each host: its own pair as /etc/howdah/tls/host.crt and host.key (mode 0600, owned "
            "by the user that runs PostgreSQL or `howdah repo`), and ca.crt beside them.\n");
    }
    return {};
}

}  // namespace howdah::cli
