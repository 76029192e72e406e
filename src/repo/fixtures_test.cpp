#include "repo/fixtures_test.h"

#include <openssl/evp.h>
#include <zstd.h>

#include <array>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <stdexcept>

#include "repo/backup_info.h"
#include "repo/stored_form.h"

namespace howdah::repo::fixtures {
namespace {

std::string read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) {
        throw std::runtime_error("cannot read " + path);
    }
    return {std::istreambuf_iterator<char>(in), {}};
}

std::string unzstd(const std::string& packed) {
    std::string text;
    ZSTD_DCtx* const context = ZSTD_createDCtx();
    std::string piece(ZSTD_DStreamOutSize(), '\0');
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    for (std::size_t left = 1; left != 0 && !ZSTD_isError(left);) {
        ZSTD_outBuffer out{piece.data(), piece.size(), 0};
        left = ZSTD_decompressStream(context, &out, &in);
        text.append(piece, 0, out.pos);
    }
    ZSTD_freeDCtx(context);
    return text;
}

/// Regular files of a ustar archive whose names fit, or are given by a long-name entry before them.
std::map<std::string, std::string> untar(const std::string& tar) {
    std::map<std::string, std::string> files;
    std::string long_name;
    for (std::size_t at = 0; at + 512 <= tar.size() && tar[at] != '\0';) {
        const auto text = [&](std::size_t offset, std::size_t size) {
            const auto field = tar.substr(at + offset, size);
            return field.substr(0, field.find('\0'));
        };
        const auto size = std::stoul(text(124, 12), nullptr, 8);
        const char type = tar[at + 156];
        const auto prefix = text(345, 155);
        const auto name = prefix.empty() ? text(0, 100) : prefix + "/" + text(0, 100);
        const auto content = tar.substr(at + 512, size);
        if (type == 'L') {
            long_name = content.substr(0, content.find('\0'));
        } else {
            if (type == '0') {
                const auto full = long_name.empty() ? name : long_name;
                files[full.substr(full.find('/') + 1)] = content;
            }
            long_name.clear();
        }
        at += 512 + (size + 511) / 512 * 512;
    }
    return files;
}

}  // namespace

const std::string& Repository::at(const std::string& path) const {
    const auto found = files.find(path);
    if (found == files.end()) {
        throw std::runtime_error(name + " has no " + path);
    }
    return found->second;
}

std::vector<std::string> Repository::labels() const {
    const std::string folder = "backup/main/";
    std::set<std::string> found;
    for (const auto& [path, content] : files) {
        if (path.starts_with(folder) && path.ends_with("/backup.manifest")) {
            found.insert(path.substr(folder.size(), path.find('/', folder.size()) - folder.size()));
        }
    }
    return {found.begin(), found.end()};
}

std::string Repository::manifest(const std::string& label) const {
    const auto open = [&](const std::string& pass, const std::string& path) {
        return std::string(
            text_of(unpack({.cipher_pass = pass}, bytes_of(at(path)), 1U << 30).value()));
    };
    const auto info = BackupInfo::parse(open(cipher_pass, "backup/main/backup.info")).value();
    return open(info.cipher_pass, "backup/main/" + label + "/backup.manifest");
}

std::map<std::string, std::string> Repository::restored(const std::string& label) const {
    std::map<std::string, std::string> sums;
    std::istringstream lines(at("restored-" + label + ".sha256"));
    for (std::string sum, path; lines >> sum >> path;) {
        sums[path.substr(2)] = sum;
    }
    return sums;
}

const Repository& load(const std::string& name) {
    static std::map<std::string, Repository> loaded;
    const auto [found, fresh] = loaded.try_emplace(name);
    if (fresh) {
        found->second = Repository{
            .name = name,
            .cipher_pass = name.ends_with("-aes") ? "walkthrough-fixture" : "",
            .files = untar(unzstd(read_file(std::string(HOWDAH_SOURCE_DIR) +
                                            "/tests/fixtures/pgbackrest/" + name + ".tar.zst")))};
    }
    return found->second;
}

std::vector<std::string> names() {
    return {"block-zst", "block-zst-aes", "bundle-lz4-aes", "plain-bz2"};
}

std::vector<std::string> plain_names() {
    return {"block-zst", "plain-bz2"};
}

std::string sha256(std::string_view text) {
    std::array<unsigned char, 32> digest{};
    EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    std::string hex;
    for (const auto byte : digest) {
        constexpr std::string_view digits = "0123456789abcdef";
        hex += digits[byte >> 4U];
        hex += digits[byte & 15U];
    }
    return hex;
}

}  // namespace howdah::repo::fixtures
