#include "backup/repository.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>

#include "backup/pump.h"
#include "repo/copies.h"
#include "repo/manifest_reader.h"
#include "repo/paths.h"

namespace howdah::backup {
namespace {

constexpr std::size_t info_limit = std::size_t{256} << 20;

template <std::size_t size>
std::array<std::byte, size> random_bytes() {
    std::array<std::byte, size> bytes{};
    HD_CHECK(getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(size));
    return bytes;
}

}  // namespace

repo::Salt fresh_salt() {
    return random_bytes<sizeof(repo::Salt)>();
}

std::string fresh_pass_phrase() {
    return repo::pass_phrase(random_bytes<48>());
}

Repository::Repository(std::uint32_t index, std::unique_ptr<store::Store> store,
                       std::string cipher_pass)
    : index_(index), store_(std::move(store)), cipher_pass_(std::move(cipher_pass)) {}

std::string Repository::name() const {
    return fmt::format("repo{}", index_);
}

Result<std::string> Repository::load(const std::string& path) {
    HD_TRY(const auto stored, store::read_all(*store_, path, info_limit));
    HD_TRY(const auto text,
           repo::unpack({.cipher_pass = cipher_pass_}, bytes_of(stored), info_limit));
    return std::string(text_of(text));
}

Result<repo::ArchiveInfo> Repository::archive_info(std::string_view stanza) {
    const auto load_one = [&](const std::string& path) -> Result<repo::ArchiveInfo> {
        HD_TRY(const auto text, load(path));
        return repo::ArchiveInfo::parse(text);
    };
    const auto path = repo::archive_info_path(stanza);
    return repo::main_or_copy(path, load_one(path),
                              [&] { return load_one(repo::copy_name(path)); });
}

Result<repo::BackupInfo> Repository::backup_info(std::string_view stanza) {
    const auto load_one = [&](const std::string& path) -> Result<repo::BackupInfo> {
        HD_TRY(const auto text, load(path));
        return repo::BackupInfo::parse(text);
    };
    const auto path = repo::backup_info_path(stanza);
    return repo::main_or_copy(path, load_one(path),
                              [&] { return load_one(repo::copy_name(path)); });
}

Result<repo::Manifest> Repository::manifest(std::string_view stanza, const repo::Label& label) {
    HD_TRY(const auto info, backup_info(stanza));
    const repo::StoredForm form{.cipher_pass = info.cipher_pass};
    const auto load_one = [&](const std::string& path) -> Result<repo::Manifest> {
        repo::ManifestReader reader(path);
        auto pipeline = repo::reader_of(form, nullptr, nullptr);
        HD_TRY(const auto source, store_->read(path));
        HD_TRY_VOID(pump(*source, pipeline, [&](Bytes bytes) { return reader.push(bytes); }));
        HD_TRY(auto manifest, reader.finish());
        if (manifest.header.label != label) {
            return fail(Errc::corrupt, fmt::format("{}: it is the manifest of backup {}", path,
                                                   manifest.header.label.text()));
        }
        return manifest;
    };
    const auto path = repo::manifest_path(stanza, label);
    return repo::main_or_copy(path, load_one(path),
                              [&] { return load_one(repo::copy_name(path)); });
}

Result<> Repository::save_both(const std::string& path, std::string_view text) {
    for (const auto& each : {path, repo::copy_name(path)}) {
        const auto stored = repo::pack({.cipher_pass = cipher_pass_}, bytes_of(text), fresh_salt);
        HD_TRY_VOID(store::write_all(*store_, each, text_of(stored)));
    }
    return {};
}

Result<> Repository::save(std::string_view stanza, const repo::ArchiveInfo& info) {
    return save_both(repo::archive_info_path(stanza), info.render());
}

Result<> Repository::save(std::string_view stanza, const repo::BackupInfo& info) {
    return save_both(repo::backup_info_path(stanza), info.render());
}

Result<std::uint64_t> Repository::put(std::string_view path, store::Source& source,
                                      const repo::StoredForm& form) {
    auto pipeline = repo::writer_of(form, fresh_salt, nullptr, nullptr);
    HD_TRY(const auto sink, store_->write(path));
    std::uint64_t stored = 0;
    HD_TRY_VOID(pump(source, pipeline, [&](Bytes bytes) {
        stored += bytes.size();
        return sink->write(bytes);
    }));
    HD_TRY_VOID(sink->finish());
    return stored;
}

Result<repo::StoredForm> Repository::cipher_of(std::string_view path) {
    std::vector<std::string> parts;
    for (auto rest = path; !rest.empty();) {
        const auto slash = std::min(rest.find('/'), rest.size());
        parts.emplace_back(rest.substr(0, slash));
        rest.remove_prefix(std::min(slash + 1, rest.size()));
    }
    if (!encrypted() || parts.size() < 3) {
        return repo::StoredForm{};
    }
    const auto is = [&](std::size_t at, std::string_view name) {
        return parts[at] == name || parts[at] == repo::copy_name(name);
    };
    if (is(2, "archive.info") || is(2, "backup.info")) {
        return repo::StoredForm{.cipher_pass = cipher_pass_};
    }
    if (parts[0] == "archive") {
        HD_TRY(const auto info, archive_info(parts[1]));
        return repo::StoredForm{.cipher_pass = info.cipher_pass};
    }
    if (parts[2] == "backup.history" || (parts.size() > 3 && is(3, "backup.manifest"))) {
        HD_TRY(const auto info, backup_info(parts[1]));
        return repo::StoredForm{.cipher_pass = info.cipher_pass};
    }
    HD_TRY(const auto label, repo::Label::parse(parts[2]));
    if (parts.size() > 3 && parts[3] == "bundle") {
        return repo::StoredForm{};
    }
    HD_TRY(const auto found, manifest(parts[1], label));
    return repo::StoredForm{.cipher_pass = found.header.cipher_pass};
}

Result<repo::Sha1Digest> Repository::get(std::string_view path, store::Sink* sink,
                                         const repo::StoredForm& form) {
    repo::SumTap original;
    auto pipeline = repo::reader_of(form, &original, nullptr);
    HD_TRY(const auto source, store_->read(path));
    HD_TRY_VOID(pump(*source, pipeline, [&](Bytes bytes) {
        return sink == nullptr ? Result<>{} : sink->write(bytes);
    }));
    return original.finish();
}

}  // namespace howdah::backup
