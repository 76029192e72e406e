#include "backup/command/repo_files.h"

#include <fmt/format.h>
#include <regex.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "backup/options/exit_code.h"

namespace howdah::backup {
namespace {

using nlohmann::json;

/// A filter of names; an empty one lets all pass.
class Filter {
public:
    static Result<Filter> make(const std::string& text) {
        Filter filter;
        if (!text.empty()) {
            auto compiled = std::make_unique<regex_t>();
            if (regcomp(compiled.get(), text.c_str(), REG_EXTENDED | REG_NOSUB) != 0) {
                return fail_with(ExitCode::format, Errc::invalid,
                                 fmt::format("--filter={}: it is no regular expression", text));
            }
            filter.compiled_.reset(compiled.release());
        }
        return filter;
    }
    bool passes(const std::string& name) const {
        return !compiled_ || regexec(compiled_.get(), name.c_str(), 0, nullptr, 0) == 0;
    }

private:
    struct Free {
        void operator()(regex_t* compiled) const {
            regfree(compiled);
            delete compiled;
        }
    };
    std::unique_ptr<regex_t, Free> compiled_{};
};

Result<std::vector<files::Entry>> right_below(files::Files& files, const std::string& folder) {
    std::vector<files::Entry> entries;
    HD_TRY_VOID(files.list(folder, [&](const files::Entry& entry) {
        entries.push_back(entry);
        return Result<>{};
    }));
    return entries;
}

Result<> add_below(files::Files& files, const std::string& folder, bool recurse,
                   std::vector<files::Entry>& all) {
    HD_TRY(const auto entries, right_below(files, folder));
    for (const auto& entry : entries) {
        all.push_back(entry);
        if (recurse && entry.kind == files::EntryKind::folder) {
            HD_TRY_VOID(add_below(files, entry.path, recurse, all));
        }
    }
    return {};
}

std::string_view name_of(files::EntryKind kind) {
    switch (kind) {
        case files::EntryKind::file:
            return "file";
        case files::EntryKind::folder:
            return "path";
        case files::EntryKind::link:
            return "link";
        case files::EntryKind::other:
            return "special";
    }
    return "";
}

}  // namespace

Result<std::string> path_in(Repository& repository, const std::string& word) {
    auto path = word;
    while (path.ends_with('/')) {
        path.pop_back();
    }
    const auto root = repository.files().name();
    if (word.starts_with('/') && path == root) {
        return std::string();
    }
    if (word.starts_with('/') && path.starts_with(root + "/")) {
        path = path.substr(root.size() + 1);
    }
    if (path.starts_with('/') || word == "/" || !files::check_path(path)) {
        return fail_with(ExitCode::param_invalid, Errc::invalid,
                         fmt::format("path '{}' is not in base path '{}'", word, root));
    }
    return path;
}

Result<std::vector<files::Entry>> list_files(Repository& repository, const std::string& path,
                                             const FileOptions& options) {
    HD_TRY(const auto filter, Filter::make(options.filter));
    auto& files = repository.files();
    std::vector<files::Entry> all;
    HD_TRY(auto self, files.stat(path));
    const auto is_file = self && self->kind == files::EntryKind::file;
    all.push_back(is_file ? *self : files::Entry{.kind = files::EntryKind::folder});
    all.back().path = ".";
    if (!is_file) {
        std::vector<files::Entry> below;
        HD_TRY_VOID(add_below(files, path, options.recurse, below));
        for (auto& entry : below) {
            entry.path = entry.path.substr(path.empty() ? 0 : path.size() + 1);
            all.push_back(std::move(entry));
        }
    }
    std::erase_if(all, [&](const files::Entry& entry) { return !filter.passes(entry.path); });
    if (options.sort == "desc") {
        std::ranges::reverse(all);
    }
    return all;
}

std::string list_text(const std::vector<files::Entry>& entries) {
    std::string text;
    for (const auto& entry : entries) {
        if (entry.path != "." || entry.kind == files::EntryKind::file) {
            text += entry.path + "\n";
        }
    }
    return text;
}

std::string list_json(const std::vector<files::Entry>& entries) {
    auto all = nlohmann::ordered_json::object();
    for (const auto& entry : entries) {
        nlohmann::ordered_json one{{"type", name_of(entry.kind)}};
        if (entry.kind == files::EntryKind::file) {
            one["size"] = entry.size;
            one["time"] = entry.modified_unix_s;
        } else if (entry.kind == files::EntryKind::link) {
            one["destination"] = entry.target;
        }
        all[entry.path] = one;
    }
    return all.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<> get_file(Repository& repository, const std::string& path, bool raw, files::Sink& sink) {
    HD_TRY(const auto form, raw ? repo::StoredForm{} : repository.cipher_of(path));
    HD_TRY_VOID(repository.get(path, &sink, form));
    return sink.finish();
}

Result<> put_file(Repository& repository, const std::string& path, bool raw,
                  files::Source& source) {
    HD_TRY(const auto there, repository.files().stat(path));
    if (path.empty() || (there && there->kind == files::EntryKind::folder)) {
        return fail_with(ExitCode::file_write, Errc::conflict,
                         fmt::format("'{}' is a folder of {}", path, repository.name()));
    }
    HD_TRY(const auto form, raw ? repo::StoredForm{} : repository.cipher_of(path));
    HD_TRY_VOID(repository.put(path, source, form));
    return {};
}

Result<> remove_files(Repository& repository, const std::string& path, bool recurse) {
    auto& files = repository.files();
    HD_TRY(const auto self, files.stat(path));
    if (self && self->kind == files::EntryKind::file) {
        return files.remove(path);
    }
    HD_TRY(const auto inside, right_below(files, path));
    if (!inside.empty() && !recurse) {
        return fail_with(ExitCode::option_invalid, Errc::unsafe,
                         fmt::format("'{}' of {} is not empty", path, repository.name()),
                         "--recurse removes it with all that is in it, backups and WAL as well");
    }
    if (!path.empty()) {
        return self && self->kind == files::EntryKind::link ? files.remove(path)
                                                            : files.remove_tree(path);
    }
    for (const auto& entry : inside) {
        HD_TRY_VOID(entry.kind == files::EntryKind::folder ? files.remove_tree(entry.path)
                                                           : files.remove(entry.path));
    }
    return {};
}

}  // namespace howdah::backup
