#include "backup/host/write_once.h"

#include <fmt/format.h>

#include "backup/options/exit_code.h"
#include "repo/archive_name.h"

namespace howdah::backup {
namespace {

using files::IfTaken;

struct Split {
    std::string_view folder{}, name{};
};
Split split(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos
               ? Split{.name = path}
               : Split{.folder = path.substr(0, slash), .name = path.substr(slash + 1)};
}

/// Below "archive", but for "archive/STANZA/archive.info" and its copy, which stanza-upgrade writes
/// anew.
bool is_kept(std::string_view path) {
    if (!path.starts_with("archive/")) {
        return false;
    }
    const auto [folder, name] = split(path);
    return folder.find('/') != folder.rfind('/') ||
           (name != "archive.info" && name != "archive.info.copy");
}

/// Looks before it finishes, while nobody else finishes a file of that segment.
class KeptSink final : public files::Sink {
public:
    KeptSink(std::unique_ptr<files::Sink> sink, files::Files& files, OneAtATime& turns,
             std::string path)
        : sink_(std::move(sink)), files_(files), turns_(turns), path_(std::move(path)) {}

    Result<> write(Bytes bytes) override { return sink_->write(bytes); }
    Result<> finish() override {
        const auto [folder, name] = split(path_);
        const auto segment = repo::parse_stored_segment(name);
        const auto turn = turns_.take(fmt::format(
            "{}:{}/{}", files_.name(), folder, segment ? std::string_view(segment->name) : name));
        HD_TRY_VOID(segment ? check_no_other(folder, *segment) : check_free());
        return sink_->finish();
    }

private:
    Result<> check_free() const {
        HD_TRY(const auto there, files_.stat(path_));
        return there ? is_there(path_) : Result<>{};
    }
    Result<> check_no_other(std::string_view folder, const repo::StoredSegment& own) const {
        return files_.list(folder, [&](const files::Entry& entry) -> Result<> {
            const auto other = repo::parse_stored_segment(split(entry.path).name);
            if (!other || other->name != own.name) {
                return {};
            }
            if (other->sum == own.sum) {
                return is_there(entry.path);
            }
            return fail_with(ExitCode::archive_duplicate, Errc::unsafe,
                             fmt::format("{} is not taken into {}: {} is there, of another content",
                                         path_, files_.name(), entry.path),
                             "two clusters may be archiving into one stanza: nothing was changed");
        });
    }
    static std::unexpected<Error> is_there(std::string_view path) {
        return fail(Errc::conflict,
                    fmt::format("{} is there already; what is archived is not replaced", path));
    }

    std::unique_ptr<files::Sink> sink_;
    files::Files& files_;
    OneAtATime& turns_;
    std::string path_;
};

std::unexpected<Error> no_link(std::string_view path) {
    return fail(Errc::invalid, fmt::format("no link is made at '{}', in the archive", path));
}

}  // namespace

OneAtATime::Turn OneAtATime::take(std::string name) {
    std::unique_lock lock(mutex_);
    left_.wait(lock, [&] { return !taken_.contains(name); });
    taken_.insert(name);
    return {*this, std::move(name)};
}

void OneAtATime::leave(const std::string& name) {
    const std::scoped_lock lock(mutex_);
    taken_.erase(name);
    left_.notify_all();
}

Result<std::unique_ptr<files::Sink>> WriteOnceArchive::write(std::string_view path,
                                                             files::NameSync names, IfTaken taken) {
    HD_TRY_VOID(files::check_path(path));
    if (!is_kept(path)) {
        return files_->write(path, names, taken);
    }
    // A program on this host may finish one between the look and the rename.
    HD_TRY(auto sink, files_->write(path, names, IfTaken::refuse));
    return std::make_unique<KeptSink>(std::move(sink), *files_, turns_, std::string(path));
}

Result<> WriteOnceArchive::hard_link(std::string_view path, std::string_view existing) {
    return is_kept(path) ? no_link(path) : files_->hard_link(path, existing);
}

Result<> WriteOnceArchive::link(std::string_view path, std::string_view target) {
    return is_kept(path) ? no_link(path) : files_->link(path, target);
}

}  // namespace howdah::backup
