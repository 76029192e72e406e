#include "repo/manifest/manifest_names.h"

#include <algorithm>

#include "repo/info/json.h"

namespace howdah::repo {
namespace {

using std::string_view;

constexpr std::size_t longest_name = 4096;

std::unexpected<Error> bad(string_view name, string_view why) {
    return fail(Errc::invalid, json_string(name.substr(0, longest_name)) + " " + std::string(why),
                "the manifest is damaged, or was made to write outside of the data directory");
}

bool is_number(string_view text) {
    return !text.empty() && text.size() <= 10 &&
           std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// "pg_data" itself, and for a path "pg_tblspc", are names of folders.
Result<> check_root(string_view name, NameOf what) {
    const auto slash = name.find('/');
    const auto root = name.substr(0, slash);
    const bool alone = slash == string_view::npos;
    const bool may_stand_alone =
        what == NameOf::path || (what == NameOf::target && root == "pg_data");
    if ((root != "pg_data" && root != "pg_tblspc") || (alone && !may_stand_alone)) {
        return bad(name, "does not lie in pg_data or pg_tblspc");
    }
    if (alone || root == "pg_data") {
        return {};
    }
    const auto oid = name.substr(slash + 1, name.find('/', slash + 1) - slash - 1);
    if (!is_number(oid) || (what == NameOf::target && name.size() != slash + 1 + oid.size())) {
        return bad(name, "does not lie in a tablespace");
    }
    return {};
}

}  // namespace

Result<> check_name(string_view name, NameOf what) {
    if (name.size() > longest_name) {
        return bad(name, "is too long");
    }
    if (name.find('\0') != string_view::npos) {
        return bad(name, "holds a NUL");
    }
    for (auto rest = name;;) {
        const auto part = rest.substr(0, rest.find('/'));
        if (part.empty() || part == "." || part == "..") {
            return bad(name, "is no plain path");
        }
        if (part.size() == rest.size()) {
            break;
        }
        rest.remove_prefix(part.size() + 1);
    }
    return check_root(name, what);
}

}  // namespace howdah::repo
