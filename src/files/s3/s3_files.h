#pragma once

#include "files/files.h"
#include "files/s3/answers.h"
#include "files/s3/s3_client.h"

namespace howdah::files {

/// A repository in a bucket, as pgBackRest lays it out: the key of a file is its path below the
/// root. There are neither folders nor links: make_folder(), hard_link(), link() and sync_tree() do
/// nothing. A file is written as one object, larger ones as a multipart upload, which is given up
/// when its sink is. What a killed process has left of one costs until a
/// rule of the bucket removes it, and shows nowhere. IfTaken::refuse holds against other writers
/// where the server knows conditional writes (If-None-Match, Amazon since 2024); elsewhere it is
/// looked for the name just before.
class S3Files final : public Files {
public:
    explicit S3Files(S3Options options);

    std::string name() const override;
    Result<std::unique_ptr<Source>> read(std::string_view path, ReadRange range) override;
    Result<std::unique_ptr<Sink>> write(std::string_view path, NameSync names,
                                        IfTaken taken) override;
    Result<> remove_unfinished(std::string_view folder) override;
    Result<> sync_tree(std::string_view folder) override;
    Result<std::optional<Entry>> stat(std::string_view path) override;
    Result<> list(std::string_view folder,
                  const std::function<Result<>(const Entry&)>& each) override;
    Result<> remove(std::string_view path) override;
    Result<> remove_tree(std::string_view folder) override;
    Result<> make_folder(std::string_view folder) override;
    Result<> hard_link(std::string_view path, std::string_view existing) override;
    Result<> link(std::string_view path, std::string_view target) override;

private:
    std::string key_of(std::string_view path) const;
    std::string prefix_of(std::string_view folder) const;
    /// Errors: of anything but a listing, so that "could not look" is never "nothing is there".
    Result<S3Listing> one_page(const S3Call& call);
    /// All pages, keys as they are.
    Result<> list_keys(std::string_view prefix, std::string_view delimiter,
                       const std::function<Result<>(std::vector<Entry>)>& page);

    S3Client client_;
    std::string root_;  ///< without '/' at its ends; may be empty
};

}  // namespace howdah::files
