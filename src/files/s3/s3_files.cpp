#include "files/s3/s3_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "files/s3/answers.h"
#include "files/s3/object_sink.h"
#include "files/s3/object_source.h"

namespace howdah::files {
namespace {

std::string trimmed(std::string path) {
    while (path.starts_with('/')) {
        path.erase(0, 1);
    }
    while (path.ends_with('/')) {
        path.pop_back();
    }
    return path;
}

/// "Fri, 27 Nov 2026 10:00:01 GMT"; 0 for another text.
std::int64_t http_date(const std::string& text) {
    std::tm parts{};
    return strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts) != nullptr ? timegm(&parts)
                                                                                  : 0;
}

}  // namespace

S3Files::S3Files(S3Options options)
    : client_(std::move(options)), root_(trimmed(client_.options().root)) {}

std::string S3Files::name() const {
    return client_.url(root_);
}

std::string S3Files::key_of(std::string_view path) const {
    return root_.empty() || path.empty() ? root_ + std::string(path)
                                         : root_ + "/" + std::string(path);
}

std::string S3Files::prefix_of(std::string_view folder) const {
    const auto key = key_of(folder);
    return key.empty() ? "" : key + "/";
}

Result<std::unique_ptr<Source>> S3Files::read(std::string_view path, ReadRange range) {
    HD_TRY_VOID(check_path(path));
    return ObjectSource::open(client_, key_of(path), range);
}

Result<std::unique_ptr<Sink>> S3Files::write(std::string_view path, NameSync /*names*/,
                                             IfTaken taken) {
    HD_TRY_VOID(check_path(path));
    return std::make_unique<ObjectSink>(client_, key_of(path), taken);
}

Result<> S3Files::remove_unfinished(std::string_view folder) {
    return check_path(folder);
}

Result<> S3Files::sync_tree(std::string_view folder) {
    return check_path(folder);
}

Result<std::optional<Entry>> S3Files::stat(std::string_view path) {
    HD_TRY_VOID(check_path(path));
    if (path.empty()) {
        return Entry{.kind = EntryKind::folder};
    }
    HD_TRY(auto answer, client_.send({.method = "HEAD",
                                      .path = key_of(path),
                                      .headers = customer_key_headers(client_.options())}));
    if (answer.status / 100 == 2) {
        return Entry{.path = std::string(path),
                     .size = std::strtoull(answer.headers["content-length"].c_str(), nullptr, 10),
                     .modified_unix_s = http_date(answer.headers["last-modified"])};
    }
    HD_TRY(const auto below,
           client_.send(
               {.query = {{"list-type", "2"}, {"max-keys", "1"}, {"prefix", prefix_of(path)}}}));
    HD_TRY(const auto listing, parse_listing(below.body));
    return listing.entries.empty()
               ? std::nullopt
               : std::optional(Entry{.path = std::string(path), .kind = EntryKind::folder});
}

Result<S3Listing> S3Files::one_page(const S3Call& call) {
    HD_TRY(const auto answer, client_.send(call));
    if (answer.status / 100 == 2) {
        return parse_listing(answer.body);
    }
    const auto error = parse_error(answer.body);
    return fail(Errc::io,
                fmt::format("list {}: S3 answered {} {}: {}", client_.url(call.query.at("prefix")),
                            answer.status, error.code, error.message),
                "is there such a bucket?");
}

Result<> S3Files::list_keys(std::string_view prefix, std::string_view delimiter,
                            const std::function<Result<>(std::vector<Entry>)>& page) {
    S3Call call{.query = {{"list-type", "2"}, {"prefix", std::string(prefix)}}};
    if (!delimiter.empty()) {
        call.query["delimiter"] = delimiter;
    }
    while (true) {
        HD_TRY(auto listing, one_page(call));
        HD_TRY_VOID(page(std::move(listing.entries)));
        if (listing.next.empty()) {
            return {};
        }
        call.query["continuation-token"] = listing.next;
    }
}

Result<> S3Files::list(std::string_view folder, const std::function<Result<>(const Entry&)>& each) {
    HD_TRY_VOID(check_path(folder));
    const auto prefix = prefix_of(folder);
    const auto root = prefix_of("");
    std::vector<Entry> all;
    HD_TRY_VOID(list_keys(prefix, "/", [&](std::vector<Entry> page) -> Result<> {
        for (auto& entry : page) {
            if (entry.path != prefix) {  // other tools mark folders by such keys
                entry.path.erase(0, root.size());
                all.push_back(std::move(entry));
            }
        }
        return {};
    }));
    // S3 sorts "deep-x" before "deep/".
    std::ranges::sort(all, {}, &Entry::path);
    for (const auto& entry : all) {
        HD_TRY_VOID(each(entry));
    }
    return {};
}

Result<> S3Files::remove(std::string_view path) {
    HD_TRY_VOID(check_path(path));
    HD_TRY(const auto answer, client_.send({.method = "DELETE", .path = key_of(path)}));
    (void)answer;  // 204, or 404: it is not there
    return {};
}

Result<> S3Files::remove_tree(std::string_view folder) {
    HD_TRY_VOID(check_path(folder));
    return list_keys(prefix_of(folder), "", [&](const std::vector<Entry>& page) -> Result<> {
        if (page.empty()) {
            return {};
        }
        std::vector<std::string> keys;
        for (const auto& entry : page) {
            keys.push_back(entry.path);
        }
        const auto body = delete_xml(keys);
        HD_TRY(const auto answer, client_.send({.method = "POST",
                                                .query = {{"delete", ""}},
                                                .headers = {{"content-md5", content_md5(body)}},
                                                .body = body}));
        const auto error = parse_delete_error(answer.body);
        return error.code.empty() && answer.status / 100 == 2
                   ? Result<>{}
                   : fail(Errc::io, fmt::format("delete below {}: {} {} {}", client_.url(folder),
                                                answer.status, error.code, error.message));
    });
}

Result<> S3Files::make_folder(std::string_view folder) {
    return check_path(folder);
}

Result<> S3Files::hard_link(std::string_view path, std::string_view existing) {
    HD_TRY_VOID(check_path(path));
    return check_path(existing);
}

Result<> S3Files::link(std::string_view path, std::string_view /*target*/) {
    return check_path(path);
}

}  // namespace howdah::files
