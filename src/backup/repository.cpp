#include "backup/repository.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>

#include "backup/options/exit_code.h"
#include "backup/pump.h"
#include "repo/info/copies.h"
#include "repo/manifest/manifest_reader.h"
#include "repo/manifest/manifest_writer.h"
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

Repository::Repository(std::uint32_t index, std::unique_ptr<files::Files> files,
                       std::string cipher_pass)
    : index_(index), files_(std::move(files)), cipher_pass_(std::move(cipher_pass)) {}

std::string Repository::name() const {
    return fmt::format("repo{}", index_);
}

Result<std::string> Repository::load(const std::string& path) {
    HD_TRY(const auto stored, files::read_all(*files_, path, info_limit));
    const auto text = repo::unpack({.cipher_pass = cipher_pass_}, bytes_of(stored), info_limit);
    if (!text && encrypted()) {
        return fail_with(ExitCode::crypto, Errc::corrupt, text.error().message,
                         fmt::format("is option {}-cipher-pass right?", name()));
    }
    HD_TRY_VOID(text ? Result<>{} : std::unexpected(text.error()));
    return std::string(text_of(*text));
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
        HD_TRY(const auto source, files_->read(path));
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
        HD_TRY_VOID(files::write_all(*files_, each, text_of(stored)));
    }
    return {};
}

Result<> Repository::save(std::string_view stanza, const repo::ArchiveInfo& info) {
    return save_both(repo::archive_info_path(stanza), info.render());
}

Result<> Repository::save(std::string_view stanza, const repo::BackupInfo& info) {
    return save_both(repo::backup_info_path(stanza), info.render());
}

Result<> Repository::write_manifest(const std::string& path, const repo::Manifest& manifest,
                                    const repo::StoredForm& form) {
    auto pipeline = repo::writer_of(form, fresh_salt, nullptr, nullptr);
    ByteBuffer room(pump_block);
    HD_TRY(const auto sink, files_->write(path));
    const auto write = [&](Bytes bytes) { return sink->write(bytes); };
    HD_TRY_VOID(repo::write_manifest(
        manifest, [&](Bytes bytes) { return drain(pipeline, bytes, false, room, write); }));
    Bytes nothing;
    HD_TRY_VOID(drain(pipeline, nothing, true, room, write));
    return sink->finish();
}

Result<> Repository::save(std::string_view stanza, const repo::Manifest& manifest,
                          const std::string& pass) {
    HD_TRY_VOID(save_unfinished(stanza, manifest, pass));
    return write_manifest(repo::manifest_path(stanza, manifest.header.label), manifest,
                          {.cipher_pass = pass});
}

Result<> Repository::save_unfinished(std::string_view stanza, const repo::Manifest& manifest,
                                     const std::string& pass) {
    return write_manifest(repo::copy_name(repo::manifest_path(stanza, manifest.header.label)),
                          manifest, {.cipher_pass = pass});
}

Result<> Repository::save_history(std::string_view stanza, const repo::Manifest& manifest,
                                  const std::string& pass) {
    return write_manifest(repo::history_path(stanza, manifest.header.label), manifest,
                          {.compress = repo::CompressType::gz, .level = 9, .cipher_pass = pass});
}

Result<std::uint64_t> Repository::put(std::string_view path, files::Source& source,
                                      const repo::StoredForm& form, files::IfTaken taken) {
    auto pipeline = repo::writer_of(form, fresh_salt, nullptr, nullptr);
    HD_TRY(const auto sink, files_->write(path, files::NameSync::at_once, taken));
    std::uint64_t stored = 0;
    HD_TRY_VOID(pump(source, pipeline, [&](Bytes bytes) {
        stored += bytes.size();
        return sink->write(bytes);
    }));
    HD_TRY_VOID(sink->finish());
    return stored;
}

Result<> Repository::put(std::string_view path, Bytes content, const repo::StoredForm& form,
                         files::IfTaken taken) {
    HD_TRY(const auto sink, files_->write(path, files::NameSync::at_once, taken));
    if (form.compress == repo::CompressType::none && form.cipher_pass.empty()) {
        HD_TRY_VOID(sink->write(content));
        return sink->finish();
    }
    auto pipeline = repo::writer_of(form, fresh_salt, nullptr, nullptr);
    ByteBuffer room(pump_block);
    HD_TRY_VOID(drain(pipeline, content, true, room, [&](Bytes b) { return sink->write(b); }));
    return sink->finish();
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

Result<repo::Sha1Digest> Repository::get(std::string_view path, files::Sink* sink,
                                         const repo::StoredForm& form) {
    repo::SumTap original;
    auto pipeline = repo::reader_of(form, &original, nullptr);
    HD_TRY(const auto source, files_->read(path));
    HD_TRY_VOID(pump(*source, pipeline, [&](Bytes bytes) {
        return sink == nullptr ? Result<>{} : sink->write(bytes);
    }));
    return original.finish();
}

}  // namespace howdah::backup
