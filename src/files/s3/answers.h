#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "files/files.h"

/// What S3 answers in XML, and what it is asked in XML. Source: Amazon S3 API Reference.
namespace howdah::files {

/// One page of ListObjectsV2.
struct S3Listing {
    std::vector<Entry> entries{};  ///< paths are whole keys; those of folders without the last '/'
    std::string next{};            ///< what to ask for the next page; empty: this was the last
};
/// Errors: Errc::corrupt.
Result<S3Listing> parse_listing(std::string_view xml);

/// Of CreateMultipartUpload. Errors: Errc::corrupt.
Result<std::string> parse_upload_id(std::string_view xml);

/// <Error> at the root. Also an answer with status 200 may carry one. Empty code: there is none.
struct S3Error {
    std::string code{}, message{};
};
S3Error parse_error(std::string_view xml);
/// Of DeleteObjects, which answers 200: the first object that was not deleted.
S3Error parse_delete_error(std::string_view xml);

/// Body of CompleteMultipartUpload; parts count from 1.
std::string complete_xml(const std::vector<std::string>& etags);
/// Body of DeleteObjects, at most 1,000 keys.
std::string delete_xml(const std::vector<std::string>& keys);

}  // namespace howdah::files
