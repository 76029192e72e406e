#pragma once

#include <fmt/format.h>

#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "files/s3/s3_files.h"
#include "io/http.h"
#include "io/loop.h"

namespace howdah::files {

/// A bucket in memory behind a real HTTP server, as much of S3 as S3Files asks for. Signatures are
/// not looked at.
class BucketForTest {
public:
    BucketForTest() {
        HD_CHECK(server_.listen("127.0.64.7", 0).has_value());
        thread_ = std::thread([this] { loop_.run(serve()); });
    }
    ~BucketForTest() {
        ended_ = true;
        thread_.join();
    }

    S3Options options() const {
        return {.bucket = "backups",
                .endpoint = "s3.test",
                .region = "here",
                .root = "/repo",
                .who = {.key = "k", .secret = "s"},
                .path_style = true,
                .host = "127.0.64.7",
                .port = server_.port(),
                .tls = nullptr,
                .part_bytes = std::size_t{64} << 10,
                .tries = 4,
                .first_pause = std::chrono::milliseconds(1)};
    }
    /// The next requests are answered by these statuses, one each; 0: as usual.
    void answer_next(std::deque<int> statuses) {
        const std::scoped_lock lock(mutex_);
        scripted_ = std::move(statuses);
    }
    std::vector<std::string> requests() {
        const std::scoped_lock lock(mutex_);
        return requests_;
    }
    std::map<std::string, std::string> objects() {
        const std::scoped_lock lock(mutex_);
        return objects_;
    }
    void put(const std::string& key, const std::string& content) {
        const std::scoped_lock lock(mutex_);
        objects_[key] = content;
    }
    std::size_t open_uploads() {
        const std::scoped_lock lock(mutex_);
        return uploads_.size();
    }

private:
    using Query = std::map<std::string, std::string>;

    static std::string decoded(std::string_view text) {
        std::string out;
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] == '%') {
                out +=
                    static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
                i += 2;
            } else {
                out += text[i];
            }
        }
        return out;
    }

    io::Task<> serve() {
        io::Scope scope(loop_.executor());
        scope.spawn(server_.run());
        while (!ended_) {
            (void)co_await clock_.until(clock_.now() + std::chrono::milliseconds(2));
        }
        co_await scope.close();
    }

    io::Task<io::HttpResponse> answer(io::HttpRequest request) {
        const std::scoped_lock lock(mutex_);
        requests_.push_back(request.method + " " + decoded(request.target));
        if (!scripted_.empty()) {
            const auto status = scripted_.front();
            scripted_.pop_front();
            if (status != 0) {
                co_return io::HttpResponse{
                    .status = status,
                    .body = "<Error><Code>Scripted</Code><Message>by test</Message></Error>"};
            }
        }
        const auto mark = request.target.find('?');
        const auto path = decoded(request.target.substr(0, mark));
        Query query;
        for (auto rest = mark == std::string::npos ? "" : request.target.substr(mark + 1);
             !rest.empty();) {
            const auto part = rest.substr(0, rest.find('&'));
            rest.erase(0, std::min(rest.size(), part.size() + 1));
            query[part.substr(0, part.find('='))] = decoded(part.substr(part.find('=') + 1));
        }
        co_return handle(
            request, path.substr(std::min(path.size(), std::string("/backups/").size())), query);
    }

    io::HttpResponse handle(const io::HttpRequest& request, const std::string& key, Query& query) {
        if (request.method == "GET" && query.contains("list-type")) {
            return listing(query);
        }
        if (request.method == "POST") {
            return post(request, key, query);
        }
        if (request.method == "PUT") {
            if (query.contains("uploadId")) {
                uploads_[query["uploadId"]][std::stoi(query["partNumber"])] = request.body;
            } else if (is_taken(request, key)) {
                return {.status = 412};
            } else {
                objects_[key] = request.body;
            }
            return {.headers = {{"etag", etag(request.body)}}};
        }
        if (request.method == "DELETE") {
            query.contains("uploadId") ? uploads_.erase(query["uploadId"]) : objects_.erase(key);
            return {.status = 204};
        }
        const auto found = objects_.find(key);
        return found == objects_.end() ? io::HttpResponse{.status = 404}
                                       : object(request, found->second);
    }

    bool is_taken(const io::HttpRequest& request, const std::string& key) const {
        return request.headers.contains("if-none-match") && objects_.contains(key);
    }

    static std::string etag(const std::string& body) {
        return fmt::format("\"{}\"", std::hash<std::string>{}(body));
    }

    static io::HttpResponse object(const io::HttpRequest& request, const std::string& content) {
        io::HttpResponse answer{.headers = {{"etag", etag(content)}}, .body = content};
        answer.headers["last-modified"] = "Fri, 27 Nov 2026 10:00:01 GMT";
        const auto range = request.headers.find("range");
        if (range == request.headers.end()) {
            return answer;
        }
        const auto match = request.headers.find("if-match");
        if (match != request.headers.end() && match->second != etag(content)) {
            return {.status = 412};
        }
        std::size_t first = 0, last = 0;
        std::sscanf(range->second.c_str(), "bytes=%zu-%zu", &first, &last);
        if (first >= content.size()) {
            return {.status = 416};
        }
        answer.status = 206;
        answer.body = content.substr(first, last - first + 1);
        answer.headers["content-range"] =
            fmt::format("bytes {}-{}/{}", first, first + answer.body.size() - 1, content.size());
        return answer;
    }

    io::HttpResponse post(const io::HttpRequest& request, const std::string& key, Query& query) {
        if (query.contains("uploads")) {
            const auto id = fmt::format("u{}", ++last_upload_);
            uploads_[id];
            return {.body = fmt::format("<InitiateMultipartUploadResult><UploadId>{}</UploadId>"
                                        "</InitiateMultipartUploadResult>",
                                        id)};
        }
        if (query.contains("uploadId") && is_taken(request, key)) {
            return {.status = 412};
        }
        if (query.contains("uploadId")) {
            std::string whole;
            for (const auto& [number, part] : uploads_[query["uploadId"]]) {
                whole += part;
            }
            uploads_.erase(query["uploadId"]);
            objects_[key] = whole;
            return {.body = "<CompleteMultipartUploadResult/>"};
        }
        for (auto rest = request.body; rest.contains("<Key>");) {
            rest.erase(0, rest.find("<Key>") + 5);
            objects_.erase(rest.substr(0, rest.find('<')));
        }
        return {.body = "<DeleteResult/>"};
    }

    /// Two keys a page.
    io::HttpResponse listing(Query& query) {
        const auto& prefix = query["prefix"];
        std::string body = "<ListBucketResult>", last, next;
        int count = 0;
        for (const auto& [key, content] : objects_) {
            if (!key.starts_with(prefix)) {
                continue;
            }
            const auto slash =
                query.contains("delimiter") ? key.find('/', prefix.size()) : std::string::npos;
            const auto shown = key.substr(0, slash == std::string::npos ? slash : slash + 1);
            if (shown == last || shown <= query["continuation-token"]) {
                continue;
            }
            if (++count > 2) {
                next = last;
                break;
            }
            last = shown;
            body +=
                slash == std::string::npos
                    ? fmt::format(
                          "<Contents><Key>{}</Key><LastModified>2026-11-27T10:00:01."
                          "000Z</LastModified><Size>{}</Size></Contents>",
                          key, content.size())
                    : fmt::format("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", shown);
        }
        return {.body = body +
                        (next.empty() ? ""
                                      : "<IsTruncated>true</IsTruncated>"
                                        "<NextContinuationToken>" +
                                            next + "</NextContinuationToken>") +
                        "</ListBucketResult>"};
    }

    std::mutex mutex_{};
    std::map<std::string, std::string> objects_{};
    std::map<std::string, std::map<int, std::string>> uploads_{};
    std::vector<std::string> requests_{};
    std::deque<int> scripted_{};
    int last_upload_ = 0;

    io::Loop loop_{};
    io::SystemClock clock_{};
    io::HttpServer server_{loop_.executor(), clock_,
                           [this](io::HttpRequest request) { return answer(std::move(request)); }};
    std::atomic<bool> ended_ = false;
    std::thread thread_{};
};

}  // namespace howdah::files
