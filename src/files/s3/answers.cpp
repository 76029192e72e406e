#include "files/s3/answers.h"

#include <fmt/format.h>

#include <pugixml.hpp>
#include <sstream>

#include "base/timestamp.h"

namespace howdah::files {
namespace {

Result<pugi::xml_node> root_of(pugi::xml_document& document, std::string_view xml,
                               const char* name) {
    const auto parsed = document.load_buffer(xml.data(), xml.size());
    const auto root = document.child(name);
    if (!parsed || !root) {
        return fail(Errc::corrupt,
                    fmt::format("S3 answered no {}, but: {}", name, xml.substr(0, 200)));
    }
    return root;
}

std::string text_of_document(const pugi::xml_document& document) {
    std::ostringstream out;
    document.save(out, "", pugi::format_raw | pugi::format_no_declaration);
    return out.str();
}

}  // namespace

Result<S3Listing> parse_listing(std::string_view xml) {
    pugi::xml_document document;
    HD_TRY(const auto root, root_of(document, xml, "ListBucketResult"));
    S3Listing listing;
    for (const auto& object : root.children("Contents")) {
        const auto modified = parse_iso8601(object.child_value("LastModified"));
        listing.entries.push_back({.path = object.child_value("Key"),
                                   .size = object.child("Size").text().as_ullong(),
                                   .modified_unix_s = modified ? modified->seconds : 0});
    }
    for (const auto& folder : root.children("CommonPrefixes")) {
        std::string path = folder.child_value("Prefix");
        if (path.ends_with('/')) {
            path.pop_back();
        }
        listing.entries.push_back({.path = path, .kind = EntryKind::folder});
    }
    if (root.child("IsTruncated").text().as_bool()) {
        listing.next = root.child_value("NextContinuationToken");
        if (listing.next.empty()) {
            return fail(Errc::corrupt, "S3 cut a listing short and did not say how to go on");
        }
    }
    return listing;
}

Result<std::string> parse_upload_id(std::string_view xml) {
    pugi::xml_document document;
    HD_TRY(const auto root, root_of(document, xml, "InitiateMultipartUploadResult"));
    const std::string id = root.child_value("UploadId");
    return id.empty() ? fail(Errc::corrupt, "S3 began an upload without an UploadId")
                      : Result<std::string>(id);
}

S3Error parse_error(std::string_view xml) {
    pugi::xml_document document;
    document.load_buffer(xml.data(), xml.size());
    const auto root = document.child("Error");
    return {.code = root.child_value("Code"), .message = root.child_value("Message")};
}

S3Error parse_delete_error(std::string_view xml) {
    pugi::xml_document document;
    document.load_buffer(xml.data(), xml.size());
    const auto first = document.child("DeleteResult").child("Error");
    return {.code = first.child_value("Code"),
            .message = first ? fmt::format("{}: {}", first.child_value("Key"),
                                           first.child_value("Message"))
                             : ""};
}

std::string complete_xml(const std::vector<std::string>& etags) {
    pugi::xml_document document;
    auto root = document.append_child("CompleteMultipartUpload");
    for (std::size_t i = 0; i < etags.size(); ++i) {
        auto part = root.append_child("Part");
        part.append_child("PartNumber").text() = static_cast<unsigned>(i + 1);
        part.append_child("ETag").text() = etags[i].c_str();
    }
    return text_of_document(document);
}

std::string delete_xml(const std::vector<std::string>& keys) {
    pugi::xml_document document;
    auto root = document.append_child("Delete");
    root.append_child("Quiet").text() = "true";
    for (const auto& key : keys) {
        root.append_child("Object").append_child("Key").text() = key.c_str();
    }
    return text_of_document(document);
}

}  // namespace howdah::files
