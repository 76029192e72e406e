#include "cli/backup/open_files.h"

#include <fmt/format.h>

#include <array>

#include "backup/options/exit_code.h"
#include "files/posix/posix_files.h"
#include "files/s3/s3_files.h"

namespace howdah::cli {
namespace {

using backup::ExitCode;

constexpr std::uint64_t smallest_part = std::uint64_t{5} << 20;  // of S3, but for the last one

Result<> check_bucket(const backup::RepositoryOptions& options) {
    const auto& bucket = options.bucket;
    const auto own = [&](std::string_view name) {
        return fmt::format("repo{}-{}", options.index, name);
    };
    if (bucket.key_type != "shared") {
        return fail_with(ExitCode::feature_not_supported, Errc::invalid,
                         fmt::format("option '{}' is '{}': Howdah knows keys that stand in the "
                                     "options alone",
                                     own("s3-key-type"), bucket.key_type),
                         fmt::format("set {} and {} instead", own("s3-key"), own("s3-key-secret")));
    }
    const std::array<std::pair<std::string_view, const std::string&>, 5> needed{
        {{"s3-bucket", bucket.bucket},
         {"s3-endpoint", bucket.endpoint},
         {"s3-region", bucket.region},
         {"s3-key", bucket.key},
         {"s3-key-secret", bucket.key_secret}}};
    for (const auto& [name, value] : needed) {
        if (value.empty()) {
            return fail_with(ExitCode::option_required, Errc::invalid,
                             fmt::format("{}=s3 needs option '{}'", own("type"), own(name)));
        }
    }
    if (bucket.part_bytes < smallest_part) {
        return fail_with(ExitCode::option_invalid_value, Errc::invalid,
                         fmt::format("{}={}: S3 takes no parts of less than 5MiB",
                                     own("storage-upload-chunk-size"), bucket.part_bytes));
    }
    return {};
}

files::S3Options s3_options(const backup::RepositoryOptions& options) {
    const auto& bucket = options.bucket;
    const io::TlsFiles tls{
        .ca = bucket.ca_file, .verify = bucket.verify_tls, .verify_host = bucket.verify_tls};
    return {.bucket = bucket.bucket,
            .endpoint = bucket.endpoint,
            .region = bucket.region,
            .root = options.path,
            .who = {.key = bucket.key, .secret = bucket.key_secret, .token = bucket.token},
            .path_style = bucket.uri_style == "path",
            .host = bucket.host,
            .port = bucket.port,
            .tls = std::make_shared<io::TlsFiles>(tls),
            .kms_key_id = bucket.kms_key_id,
            .customer_key = bucket.sse_customer_key,
            .part_bytes = bucket.part_bytes,
            .request_limit = options.io_timeout};
}

}  // namespace

Result<std::unique_ptr<files::Files>> open_files(const backup::RepositoryOptions& options) {
    if (options.type == "posix" || options.type == "cifs") {
        return std::make_unique<files::PosixFiles>(options.path);
    }
    if (options.type == "s3") {
        HD_TRY_VOID(check_bucket(options));
        return std::make_unique<files::S3Files>(s3_options(options));
    }
    return fail_with(ExitCode::feature_not_supported, Errc::invalid,
                     fmt::format("option 'repo{}-type' is '{}': Howdah has posix, cifs and s3",
                                 options.index, options.type));
}

}  // namespace howdah::cli
