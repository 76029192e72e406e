#include "repo/manifest/file_table.h"

#include <algorithm>
#include <cstring>

#include "repo/manifest/varint.h"

namespace howdah::repo {
namespace {

constexpr std::size_t usual_chunk = 1U << 20;
/// What a file that was only listed grows by when it has been copied: two sums, and where it lies.
constexpr std::size_t growth = 50;

enum Flag : std::uint64_t {
    has_sum = 1 << 0,
    has_stored_sum = 1 << 1,
    stored_differs = 1 << 2,
    has_original_size = 1 << 3,
    has_reference = 1 << 4,
    has_bundle = 1 << 5,
    has_blocks = 1 << 6,
    pages_good = 1 << 7,
    pages_bad = 1 << 8,
    has_bad_pages = 1 << 9,
    has_user = 1 << 10,
    has_group = 1 << 11,
    has_mode = 1 << 12,
};

std::uint64_t flags_of(const ManifestFile& file) {
    std::uint64_t flags = 0;
    const auto set = [&](bool on, Flag flag) { flags |= on ? flag : 0; };
    set(file.sum.has_value(), has_sum);
    set(file.stored_sum.has_value(), has_stored_sum);
    set(file.stored_size != file.size, stored_differs);
    set(file.original_size.has_value(), has_original_size);
    set(!file.reference.empty(), has_reference);
    set(file.bundle.has_value(), has_bundle);
    set(file.blocks.has_value(), has_blocks);
    set(file.pages == PagesFound::good, pages_good);
    set(file.pages == PagesFound::bad, pages_bad);
    set(file.bad_pages.has_value(), has_bad_pages);
    set(file.user.has_value(), has_user);
    set(file.group.has_value(), has_group);
    set(file.mode.has_value(), has_mode);
    return flags;
}

std::pair<std::string_view, std::string_view> split(std::string_view name) {
    const auto slash = name.rfind('/');
    const auto cut = slash == std::string_view::npos ? 0 : slash + 1;
    return {name.substr(0, cut), name.substr(cut)};
}

/// Compares first+second of both without putting them together.
int compare(std::pair<std::string_view, std::string_view> a,
            std::pair<std::string_view, std::string_view> b) {
    const bool swapped = a.first.size() > b.first.size();
    if (swapped) {
        std::swap(a, b);
    }
    const auto common = a.first.size();
    int order = a.first.compare(b.first.substr(0, common));
    if (order == 0) {
        const auto rest = b.first.substr(common);
        order = a.second.substr(0, rest.size()).compare(rest);
        if (order == 0) {
            order = a.second.substr(rest.size()).compare(b.second);
        }
    }
    return swapped ? -order : order;
}

void append(ByteBuffer& out, Bytes bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
}

Sha1Digest take_sum(const std::byte*& at) {
    Sha1Digest sum;
    std::memcpy(sum.bytes.data(), at, sum.bytes.size());
    at += sum.bytes.size();
    return sum;
}

}  // namespace

std::uint32_t Words::id_of(std::string_view text) {
    if (const auto found = ids_.find(text); found != ids_.end()) {
        return found->second;
    }
    const auto id = static_cast<std::uint32_t>(texts_.size());
    ids_.emplace(texts_.emplace_back(text), id);
    return id;
}

void FileTable::pack_checks(const ManifestFile& file) {
    if (file.sum) {
        append(packed_, file.sum->bytes);
    }
    if (file.stored_sum) {
        append(packed_, file.stored_sum->bytes);
    }
}

void FileTable::pack_places(const ManifestFile& file) {
    if (file.stored_size != file.size) {
        append_varint(packed_, file.stored_size);
    }
    if (file.original_size) {
        append_varint(packed_, *file.original_size);
    }
    if (!file.reference.empty()) {
        append_varint(packed_, labels_.id_of(file.reference));
    }
    if (file.bundle) {
        append_varint(packed_, file.bundle->id);
        append_varint(packed_, file.bundle->offset);
    }
    if (file.blocks) {
        append_varint(packed_, file.blocks->block_size);
        append_varint(packed_, file.blocks->checksum_size);
        append_varint(packed_, file.blocks->map_size);
    }
    if (file.user) {
        append_varint(packed_, owners_.id_of(*file.user));
    }
    if (file.group) {
        append_varint(packed_, owners_.id_of(*file.group));
    }
    if (file.mode) {
        append_varint(packed_, *file.mode);
    }
}

// Flags, folder and name come first: finding and sorting read no further.
void FileTable::pack(const ManifestFile& file) {
    packed_.clear();
    if (records_.empty()) {
        epoch_ = file.modified;
    }
    const auto [folder, base] = split(file.name);
    append_varint(packed_, flags_of(file));
    append_varint(packed_, folders_.id_of(folder));
    append_varint(packed_, base.size());
    append(packed_, bytes_of(base));
    append_varint(packed_, file.size);
    const auto since =
        static_cast<std::uint64_t>(file.modified) - static_cast<std::uint64_t>(epoch_);
    append_varint(packed_, zigzag(static_cast<std::int64_t>(since)));
    pack_checks(file);
    pack_places(file);
    if (file.bad_pages) {
        const auto id = static_cast<std::uint32_t>(bad_pages_.size());
        bad_pages_.emplace(id, *file.bad_pages);
        append_varint(packed_, id);
    }
}

std::byte* FileTable::store(std::size_t room) {
    ByteBuffer front;  // how long the record may become where it is
    append_varint(front, room);
    const auto size = front.size() + room;
    if (chunks_.empty() || chunk_size_ - chunk_used_ < size) {
        chunk_size_ = std::max(usual_chunk, size);
        chunk_used_ = 0;
        chunks_.push_back(std::make_unique<std::byte[]>(chunk_size_));
        chunks_bytes_ += chunk_size_;
    }
    auto* const place = chunks_.back().get() + chunk_used_;
    std::memcpy(place, front.data(), front.size());
    std::memcpy(place + front.size(), packed_.data(), packed_.size());
    chunk_used_ += size;
    return place;
}

void FileTable::add(const ManifestFile& file) {
    pack(file);
    const bool grows = !file.sum && file.size > 0;
    auto* const record = store(packed_.size() + (grows ? growth : 0));
    sorted_ = sorted_ && (records_.empty() || !before(record, records_.back()));
    records_.push_back(record);
}

void FileTable::set(std::size_t index, const ManifestFile& file) {
    HD_CHECK(compare(parts(records_.at(index)), split(file.name)) == 0);
    pack(file);
    const auto* at = static_cast<const std::byte*>(records_[index]);
    const auto room = take_varint(at);
    if (packed_.size() <= room) {
        std::memcpy(records_[index] + (at - records_[index]), packed_.data(), packed_.size());
    } else {
        records_[index] = store(packed_.size());
    }
}

void FileTable::unpack_checks(const std::byte*& at, std::uint64_t flags, ManifestFile& file) const {
    if (flags & has_sum) {
        file.sum = take_sum(at);
    }
    if (flags & has_stored_sum) {
        file.stored_sum = take_sum(at);
    }
    file.pages = flags & pages_good  ? PagesFound::good
                 : flags & pages_bad ? PagesFound::bad
                                     : PagesFound::unchecked;
}

void FileTable::unpack_places(const std::byte*& at, std::uint64_t flags, ManifestFile& file) const {
    const auto word = [&](const Words& words) {
        return words.at(static_cast<std::uint32_t>(take_varint(at)));
    };
    file.stored_size = flags & stored_differs ? take_varint(at) : file.size;
    if (flags & has_original_size) {
        file.original_size = take_varint(at);
    }
    if (flags & has_reference) {
        file.reference = word(labels_);
    }
    if (flags & has_bundle) {
        auto& bundle = file.bundle.emplace();
        bundle.id = static_cast<std::uint32_t>(take_varint(at));
        bundle.offset = take_varint(at);
    }
    if (flags & has_blocks) {
        auto& blocks = file.blocks.emplace();
        blocks.block_size = static_cast<std::uint32_t>(take_varint(at));
        blocks.checksum_size = static_cast<std::uint32_t>(take_varint(at));
        blocks.map_size = take_varint(at);
    }
    if (flags & has_user) {
        file.user = word(owners_);
    }
    if (flags & has_group) {
        file.group = word(owners_);
    }
    if (flags & has_mode) {
        file.mode = static_cast<std::uint16_t>(take_varint(at));
    }
}

ManifestFile FileTable::at(std::size_t index) const {
    const auto* at = static_cast<const std::byte*>(records_.at(index));
    const auto [folder, base] = parts(at);
    take_varint(at);  // its room
    const auto flags = take_varint(at);
    at = reinterpret_cast<const std::byte*>(base.data() + base.size());
    ManifestFile file;
    file.name.reserve(folder.size() + base.size());
    file.name.append(folder).append(base);
    file.size = take_varint(at);
    const auto since = static_cast<std::uint64_t>(unzigzag(take_varint(at)));
    file.modified = static_cast<std::int64_t>(since + static_cast<std::uint64_t>(epoch_));
    unpack_checks(at, flags, file);
    unpack_places(at, flags, file);
    if (flags & has_bad_pages) {
        file.bad_pages = bad_pages_.at(static_cast<std::uint32_t>(take_varint(at)));
    }
    return file;
}

std::pair<std::string_view, std::string_view> FileTable::parts(const std::byte* record) const {
    take_varint(record);  // its room
    take_varint(record);  // flags
    const auto folder = folders_.at(static_cast<std::uint32_t>(take_varint(record)));
    const auto size = take_varint(record);
    return {folder, {reinterpret_cast<const char*>(record), size}};
}

bool FileTable::before(const std::byte* a, const std::byte* b) const {
    return compare(parts(a), parts(b)) < 0;
}

void FileTable::sort() {
    if (!sorted_) {
        std::ranges::sort(records_, [this](const auto* a, const auto* b) { return before(a, b); });
        sorted_ = true;
    }
}

std::optional<std::string> FileTable::duplicate() const {
    const auto found =
        std::ranges::adjacent_find(records_, [this](const std::byte* a, const std::byte* b) {
            return compare(parts(a), parts(b)) == 0;
        });
    if (found == records_.end()) {
        return std::nullopt;
    }
    const auto [folder, base] = parts(*found);
    return std::string(folder) + std::string(base);
}

std::optional<std::size_t> FileTable::find(std::string_view name) const {
    HD_CHECK(sorted_);
    const auto wanted = split(name);
    const auto found = std::ranges::lower_bound(
        records_, wanted, [](const auto& a, const auto& b) { return compare(a, b) < 0; },
        [this](const std::byte* record) { return parts(record); });
    if (found == records_.end() || compare(parts(*found), wanted) != 0) {
        return std::nullopt;
    }
    return static_cast<std::size_t>(found - records_.begin());
}

std::vector<std::string_view> FileTable::folders() const {
    std::vector<std::string_view> all;
    for (std::uint32_t id = 0; id < folders_.size(); ++id) {
        const auto folder = folders_.at(id);
        all.push_back(folder.substr(0, folder.empty() ? 0 : folder.size() - 1));
    }
    return all;
}

std::vector<std::string_view> FileTable::references() const {
    std::vector<std::string_view> all;
    for (std::uint32_t id = 0; id < labels_.size(); ++id) {
        all.push_back(labels_.at(id));
    }
    return all;
}

std::size_t FileTable::memory_bytes() const {
    return chunks_bytes_ + records_.capacity() * sizeof(records_[0]);
}

}  // namespace howdah::repo
