#include "backup/repository.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>

#include "repo/copies.h"
#include "repo/paths.h"

namespace howdah::backup {
namespace {

constexpr std::size_t info_limit = std::size_t{256} << 20;
constexpr std::size_t block_size = std::size_t{256} << 10;

template <std::size_t size>
std::array<std::byte, size> random_bytes() {
    std::array<std::byte, size> bytes{};
    HD_CHECK(getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(size));
    return bytes;
}

template <class Write>
Result<> drain(repo::Pipeline& pipeline, Bytes& in, bool last, MutableBytes room, Write write) {
    for (auto flow = repo::Flow::wants_room; flow == repo::Flow::wants_room;) {
        auto out = room;
        HD_TRY(flow, pipeline.step(in, out, last));
        HD_TRY_VOID(write(Bytes(room).first(room.size() - out.size())));
    }
    return {};
}

/// All of `source` through `pipeline`, with two blocks of memory.
template <class Write>
Result<> pump(store::Source& source, repo::Pipeline& pipeline, Write write) {
    ByteBuffer block(block_size), room(block_size);
    while (true) {
        HD_TRY(const auto got, source.read(block));
        auto in = Bytes(block).first(got);
        HD_TRY_VOID(drain(pipeline, in, got == 0, room, write));
        if (got == 0) {
            return {};
        }
    }
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
