#include "cli/editor.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

namespace howdah::cli {

namespace {

namespace fs = std::filesystem;

/// A folder of one's own that goes away with all that is in it (editors leave backups).
class TempFolder {
public:
    TempFolder() {
        std::string pattern = (fs::temp_directory_path() / "howdah-edit-XXXXXX").string();
        const auto* made = ::mkdtemp(pattern.data());
        path_ = made == nullptr ? "" : made;
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    ~TempFolder() {
        std::error_code ignored;
        if (!path_.empty()) {
            fs::remove_all(path_, ignored);
        }
    }
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

bool is_in_path(const std::string& program) {
    const auto* path = std::getenv("PATH");
    std::istringstream folders(path == nullptr ? "/usr/bin:/bin" : path);
    for (std::string folder; std::getline(folders, folder, ':');) {
        if (::access((folder + "/" + program).c_str(), X_OK) == 0) {
            return true;
        }
    }
    return false;
}

/// $EDITOR may be a command with options.
std::vector<std::string> editor() {
    const auto* chosen = std::getenv("EDITOR");
    std::istringstream words(chosen == nullptr ? "" : chosen);
    std::vector<std::string> out;
    for (std::string word; words >> word;) {
        out.push_back(word);
    }
    if (out.empty()) {
        out.emplace_back(is_in_path("editor") ? "editor" : "vi");
    }
    return out;
}

int run(const std::vector<std::string>& words) {
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (const auto& word : words) {
        argv.push_back(const_cast<char*>(word.c_str()));
    }
    argv.push_back(nullptr);
    const auto pid = ::fork();
    if (pid == 0) {
        ::execvp(argv[0], argv.data());
        ::_exit(127);
    }
    int status = -1;
    while (pid > 0 && ::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace

Result<std::string> edit_text(const std::string& text, const std::string& name) {
    const TempFolder folder;
    if (folder.path().empty()) {
        return fail(Errc::io, "no folder for the editor's file could be made", "is /tmp full?");
    }
    const auto file = folder.path() + "/" + name;
    std::ofstream(file) << text;
    auto words = editor();
    words.push_back(file);
    const auto code = run(words);
    if (code != 0) {
        return fail(code == 127 ? Errc::not_found : Errc::cancelled,
                    "the editor " + words.front() + " ended with " + std::to_string(code),
                    "the environment variable EDITOR names another; -s KEY=VALUE needs none");
    }
    std::ifstream in(file);
    std::ostringstream edited;
    if (!in || !(edited << in.rdbuf())) {
        return fail(Errc::cancelled, "the editor left no text");
    }
    return edited.str();
}

}  // namespace howdah::cli
