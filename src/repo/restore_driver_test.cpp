#include "repo/restore_driver_test.h"

#include <gtest/gtest.h>

#include <map>

#include "pg/control_file.h"
#include "repo/fixtures/fixtures.h"
#include "repo/manifest/block_plan.h"
#include "repo/manifest/manifest_reader.h"
#include "repo/paths.h"
#include "repo/stream/stored_form.h"

namespace howdah::repo {
namespace fixtures {
namespace {

constexpr std::size_t most = std::size_t{1} << 31;

StoredForm form_of(const ManifestHeader& header, bool in_bundle) {
    return {.compress = header.options.compress,
            .cipher_pass = header.cipher_pass,
            .raw = in_bundle && header.bundle_raw};
}

Result<ByteBuffer> restore_blocks(const ManifestHeader& header, const ManifestFile& file,
                                  std::string_view stored, const ReadStored& read) {
    const auto form = form_of(header, true);
    const auto& facts = *file.blocks;
    const auto bytes = bytes_of(stored);
    HD_TRY(const auto map, unpack_map(form, bytes.last(facts.map_size), facts));
    ByteBuffer content(file.size);
    for (const auto& super_block : reads_of(map)) {
        const auto& place = super_block.place;
        const auto& holder = header.references.at(place.reference).text();
        const auto path = place.bundle != 0
                              ? bundle_path("main", holder, place.bundle)
                              : file_path("main", holder, file, header.options.compress);
        const auto packed = read(path).substr(place.offset, place.stored_size);
        HD_TRY(const auto blocks,
               unpack_super_block(form, bytes_of(packed), super_block, facts, map));
        for (const auto& part : super_block.parts) {
            const auto from = std::uint64_t{part.index} * facts.block_size;
            const auto to = part.block * facts.block_size;
            const auto size = std::min<std::uint64_t>(facts.block_size, blocks.size() - from);
            if (to + size > content.size()) {
                return fail(Errc::corrupt, "a block lies behind the end of the file");
            }
            std::copy_n(blocks.begin() + static_cast<std::ptrdiff_t>(from), size,
                        content.begin() + static_cast<std::ptrdiff_t>(to));
        }
    }
    return content;
}

}  // namespace

Result<ByteBuffer> restore_file(const ManifestHeader& header, const ManifestFile& file,
                                const ReadStored& read) {
    const auto place =
        stored_place("main", header.label, file, header.options.compress, header.bundle);
    if (!place) {
        return ByteBuffer();
    }
    const auto stored = read(place->path).substr(place->offset, place->size);
    if (file.stored_sum && sha1_of(bytes_of(stored)) != *file.stored_sum) {
        return fail(Errc::corrupt, "the stored bytes have a wrong sum");
    }
    HD_TRY(auto content, file.blocks
                             ? restore_blocks(header, file, stored, read)
                             : unpack(form_of(header, place->in_bundle), bytes_of(stored), most));
    if (content.size() != file.size || (file.sum && sha1_of(content) != *file.sum)) {
        return fail(Errc::corrupt, "the content has a wrong size or sum");
    }
    return content;
}

}  // namespace fixtures

namespace {

/// What restore does to pg_control, as its last step.
void invalidate(ByteBuffer& control, const ManifestHeader& header) {
    const auto before = pg::ControlFile::parse(control);
    ASSERT_TRUE(before) << before.error().message;
    EXPECT_EQ(before->system_id, header.cluster.system_id);
    EXPECT_EQ(before->control_version, header.cluster.control_version);
    EXPECT_EQ(before->catalog_version, header.cluster.catalog_version);
    EXPECT_EQ(before->timeline, 1U);
    EXPECT_GE(before->checkpoint, before->redo);
    ASSERT_TRUE(pg::invalidate_checkpoint(control));
    EXPECT_EQ(pg::ControlFile::parse(control)->checkpoint, pg::Lsn(0xDEAD));
}

TEST(Restore, EveryFileOfEveryBackupOfEveryRepositoryIsAsPgBackRestRestoredIt) {
    for (const auto& name : fixtures::names()) {
        const auto& repository = fixtures::load(name);
        const auto read = [&](const std::string& path) -> std::string_view {
            return repository.at(path);
        };
        for (const auto& label : repository.labels()) {
            const auto manifest = parse_manifest("m", repository.manifest(label));
            ASSERT_TRUE(manifest);
            std::map<std::string, std::string> restored;
            for (std::size_t i = 0; i < manifest->files.size(); ++i) {
                const auto file = manifest->files.at(i);
                auto content = fixtures::restore_file(manifest->header, file, read);
                ASSERT_TRUE(content) << name << label << file.name << content.error().message;
                const auto path = file.name.substr(std::string("pg_data/").size());
                if (path == "global/pg_control") {
                    invalidate(*content, manifest->header);
                }
                if (path != "postgresql.auto.conf") {  // restore adds to it
                    restored[path] = fixtures::sha256(text_of(*content));
                }
            }
            EXPECT_TRUE(restored == repository.restored(label)) << name << label;
        }
    }
}

}  // namespace
}  // namespace howdah::repo
