#include "repo/manifest/manifest_file.h"

#include <fmt/format.h>

#include <charconv>
#include <iterator>
#include <limits>

#include "repo/info/label.h"

namespace howdah::repo {
namespace {

using std::string_view;

constexpr std::uint64_t block_unit = 8192;
// Absurd numbers end here, so that sums of a few of them don't overflow.
constexpr std::uint64_t largest_size = std::uint64_t{1} << 60;
constexpr std::uint64_t largest_block = std::uint64_t{1} << 30;
constexpr std::uint64_t largest_sum = 16;  // bytes of an XXH3-128

Result<std::uint64_t> number_up_to(JsonReader& json, std::uint64_t most) {
    HD_TRY(const auto number, json.number());
    if (number > most) {
        return fail(Errc::invalid, fmt::format("{} is too large", number));
    }
    return number;
}

Result<Sha1Digest> read_sum(JsonReader& json) {
    HD_TRY(const auto text, json.string());
    const auto sum = Sha1Digest::parse(text);
    if (!sum) {
        return fail(Errc::invalid, fmt::format("\"{}\" is no SHA-1", text));
    }
    return *sum;
}

Result<std::uint32_t> read_page(JsonReader& json) {
    HD_TRY(const auto page, number_up_to(json, std::numeric_limits<std::uint32_t>::max()));
    return static_cast<std::uint32_t>(page);
}

/// 5 or [2,3].
Result<> read_run(JsonReader& json, PageRuns& runs) {
    if (!json.at('[')) {
        HD_TRY(const auto page, read_page(json));
        runs.emplace_back(page, page);
        return {};
    }
    std::vector<std::uint32_t> ends;
    HD_TRY_VOID(json.array([&](JsonReader& element) -> Result<> {
        HD_TRY(const auto page, read_page(element));
        ends.push_back(page);
        return {};
    }));
    if (ends.size() != 2 || ends[0] > ends[1]) {
        return fail(Errc::invalid, "a run of pages is not [first,last]");
    }
    runs.emplace_back(ends[0], ends[1]);
    return {};
}

Result<> read_block_field(string_view key, JsonReader& json, BlockFacts& blocks) {
    if (key == "bi") {
        HD_TRY(const auto units, number_up_to(json, largest_block / block_unit));
        blocks.block_size = static_cast<std::uint32_t>(units * block_unit);
    } else if (key == "bic") {
        HD_TRY(const auto size, number_up_to(json, largest_sum));
        blocks.checksum_size = static_cast<std::uint32_t>(size);
    } else {
        HD_TRY(blocks.map_size, number_up_to(json, largest_size));
    }
    return {};
}

Result<> read_bundle_field(string_view key, JsonReader& json, std::optional<BundlePlace>& bundle) {
    auto& place = bundle ? *bundle : bundle.emplace();
    if (key == "bni") {
        HD_TRY(const auto id, number_up_to(json, std::numeric_limits<std::uint32_t>::max()));
        place.id = static_cast<std::uint32_t>(id);
    } else {
        HD_TRY(place.offset, number_up_to(json, largest_size));
    }
    return {};
}

/// Sums and page checks.
Result<bool> read_check_field(string_view key, JsonReader& json, ManifestFile& file) {
    if (key == "checksum") {
        HD_TRY(file.sum, read_sum(json));
    } else if (key == "rck") {
        HD_TRY(file.stored_sum, read_sum(json));
    } else if (key == "checksum-page") {
        HD_TRY(const bool good, json.boolean());
        file.pages = good ? PagesFound::good : PagesFound::bad;
    } else if (key == "checksum-page-error") {
        auto& runs = file.bad_pages.emplace();
        HD_TRY_VOID(json.array([&](JsonReader& run) { return read_run(run, runs); }));
    } else {
        return false;
    }
    return true;
}

Result<bool> read_owner_field(string_view key, JsonReader& json, ManifestFile& file,
                              FileStrings& strings) {
    if (key == "user") {
        HD_TRY(strings.user, read_owner(json));
        file.user = strings.user;
    } else if (key == "group") {
        HD_TRY(strings.group, read_owner(json));
        file.group = strings.group;
    } else if (key == "mode") {
        HD_TRY(const auto text, json.string());
        HD_TRY(file.mode, parse_mode(text));
    } else if (key == "reference") {
        HD_TRY(const auto text, json.string());
        HD_TRY_VOID(Label::parse(text));
        strings.reference = text;
        file.reference = strings.reference;
    } else {
        return false;
    }
    return true;
}

struct Seen {
    bool size = false;
    bool timestamp = false;
    bool stored_size = false;
};

Result<> read_field(string_view key, JsonReader& json, ManifestFile& file, FileStrings& strings,
                    Seen& seen) {
    if (key == "size") {
        seen.size = true;
        HD_TRY(file.size, number_up_to(json, largest_size));
    } else if (key == "timestamp") {
        seen.timestamp = true;
        HD_TRY(file.modified, json.signed_number());
    } else if (key == "repo-size") {
        seen.stored_size = true;
        HD_TRY(file.stored_size, number_up_to(json, largest_size));
    } else if (key == "szo") {
        HD_TRY(file.original_size, number_up_to(json, largest_size));
    } else if (key == "bni" || key == "bno") {
        return read_bundle_field(key, json, file.bundle);
    } else if (key == "bi" || key == "bic" || key == "bim") {
        return read_block_field(key, json, file.blocks ? *file.blocks : file.blocks.emplace());
    } else {
        HD_TRY(const bool check, read_check_field(key, json, file));
        if (!check) {
            HD_TRY(const bool owner, read_owner_field(key, json, file, strings));
            return owner ? Result<>() : json.skip();
        }
    }
    return {};
}

Result<> fits_together(const ManifestFile& file, const Seen& seen) {
    if (!seen.size || !seen.timestamp) {
        return fail(Errc::invalid, seen.size ? "timestamp is missing" : "size is missing");
    }
    if (file.bundle && file.bundle->id == 0) {
        return fail(Errc::invalid, "bno without bni");
    }
    if (file.blocks && (file.blocks->block_size == 0 || file.blocks->checksum_size == 0)) {
        return fail(Errc::invalid, "bi or bic is 0 or missing");
    }
    if (file.blocks && file.blocks->map_size > file.stored_size) {
        return fail(Errc::invalid, "bim is larger than repo-size");
    }
    return {};
}

void add_bad_pages(JsonObject& object, const PageRuns& runs) {
    std::string list = "[";
    for (const auto& [first, last] : runs) {
        list += list.size() > 1 ? "," : "";
        list += first == last ? fmt::format("{}", first) : fmt::format("[{},{}]", first, last);
    }
    object.add_raw("checksum-page-error", list + "]");
}

void add_places(JsonObject& object, const ManifestFile& file) {
    constexpr BlockFacts standard;
    if (const auto& blocks = file.blocks) {
        object.add("bi", std::uint64_t{blocks->block_size / block_unit});
        if (blocks->checksum_size != standard.checksum_size) {
            object.add("bic", std::uint64_t{blocks->checksum_size});
        }
        if (blocks->map_size != 0) {
            object.add("bim", blocks->map_size);
        }
    }
    if (file.bundle) {
        object.add("bni", std::uint64_t{file.bundle->id});
        if (file.bundle->offset != 0) {
            object.add("bno", file.bundle->offset);
        }
    }
}

void add_checks(JsonObject& object, const ManifestFile& file) {
    if (file.sum) {
        object.add("checksum", file.sum->hex());
    }
    if (file.pages != PagesFound::unchecked) {
        object.add_bool("checksum-page", file.pages == PagesFound::good);
        if (file.bad_pages) {
            add_bad_pages(object, *file.bad_pages);
        }
    }
}

}  // namespace

Result<std::uint16_t> parse_mode(string_view text) {
    std::uint16_t mode = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, mode, 8);
    if (text.size() != 4 || error != std::errc() || stop != end) {
        return fail(Errc::invalid, fmt::format("\"{}\" is no file mode", text));
    }
    return mode;
}

std::string mode_text(std::uint16_t mode) {
    return fmt::format("{:04o}", mode);
}

void add_owner(JsonObject& object, string_view key, string_view name) {
    if (name.empty()) {
        object.add_bool(key, false);
    } else {
        object.add(key, name);
    }
}

Result<std::string> read_owner(JsonReader& json) {
    if (!json.at('"')) {
        HD_TRY(const bool named, json.boolean());
        if (named) {
            return fail(Errc::invalid, "expected a name or false");
        }
        return std::string();
    }
    HD_TRY(const auto name, json.string());
    return std::string(name);
}

std::string_view render_file(JsonObject& object, const ManifestFile& file) {
    add_places(object, file);
    add_checks(object, file);
    if (file.group) {
        add_owner(object, "group", *file.group);
    }
    if (file.mode) {
        object.add("mode", mode_text(*file.mode));
    }
    if (file.stored_sum) {
        object.add("rck", file.stored_sum->hex());
    }
    if (!file.reference.empty()) {
        object.add("reference", file.reference);
    }
    if (file.stored_size != file.size) {
        object.add("repo-size", file.stored_size);
    }
    object.add("size", file.size);
    if (file.original_size) {
        object.add("szo", *file.original_size);
    }
    object.add_signed("timestamp", file.modified);
    if (file.user) {
        add_owner(object, "user", *file.user);
    }
    return object.finish();
}

Result<> read_file(string_view json, ManifestFile& file, FileStrings& strings) {
    JsonReader reader(json);
    Seen seen;
    HD_TRY_VOID(reader.object([&](string_view key, JsonReader& value) {
        return read_field(key, value, file, strings, seen);
    }));
    if (!seen.stored_size) {
        file.stored_size = file.size;
    }
    return fits_together(file, seen);
}

}  // namespace howdah::repo
