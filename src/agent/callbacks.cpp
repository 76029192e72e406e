#include "agent/callbacks.h"

#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/words.h"

namespace howdah::agent {

std::vector<Callback> CallbackWatch::saw(const instance::Local& local, bool restarting) {
    // While it is being promoted it is still what it was.
    const std::string role =
        local.role == ha::Role::primary && !local.in_recovery ? "primary" : "replica";
    if (up_ && !local.postmaster) {
        up_ = false;
        restarts_ = restarting;
        return restarts_ ? std::vector<Callback>{} : std::vector<Callback>{{"on_stop", role_}};
    }
    if (!local.postmaster || !local.accepting || (up_ && role == role_)) {
        return {};
    }
    const bool changes = !role_.empty() && role != role_;
    const auto* event = changes ? "on_role_change" : restarts_ ? "on_restart" : "on_start";
    up_ = true;
    restarts_ = false;
    role_ = role;
    return {{event, role}};
}

bool CallbackRunner::has_ended(Running& running) {
    int status = 0;
    if (waitpid(running.child.pid, &status, WNOHANG) == 0) {
        return false;
    }
    if (WIFSIGNALED(status) || WEXITSTATUS(status) != 0) {
        spdlog::warn("callback ended {} command=\"{}\"",
                     WIFSIGNALED(status) ? fmt::format("by signal {}", WTERMSIG(status))
                                         : fmt::format("with {}", WEXITSTATUS(status)),
                     running.what);
    }
    return true;
}

void CallbackRunner::end(std::optional<Running>& slot) {
    if (slot && !has_ended(*slot)) {
        spdlog::warn("callback still runs and is ended command=\"{}\"", slot->what);
        ::kill(-slot->child.pid, SIGKILL);
        (void)waitpid(slot->child.pid, nullptr, 0);
    }
    slot.reset();
}

void CallbackRunner::reap() {
    for (auto* slot : {&main_, &reload_}) {
        if (*slot && has_ended(**slot)) {
            slot->reset();
        }
    }
}

void CallbackRunner::run(const std::map<std::string, std::string>& commands,
                         const Callback& callback, const std::string& scope) {
    const auto command = commands.find(callback.event);
    if (command == commands.end() || command->second.empty()) {
        return;
    }
    auto words = config::shell_words(command->second);
    if (!words || words->empty()) {
        spdlog::error("callback not run command=\"{}\" why=\"{}\"", command->second,
                      words ? "it is empty" : words.error().message);
        return;
    }
    words->insert(words->end(), {callback.event, callback.role, scope});
    auto& slot = callback.event == "on_reload" ? reload_ : main_;
    end(slot);
    auto child = io::spawn(*words, {.output = STDERR_FILENO, .own_session = true});
    if (!child) {
        spdlog::error("callback not run command=\"{}\" why=\"{}\"", command->second,
                      child.error().message);
        return;
    }
    spdlog::info("callback {} {} command=\"{}\"", callback.event, callback.role, command->second);
    slot = Running{.what = fmt::format("{} {} {}", command->second, callback.event, callback.role),
                   .child = *std::move(child)};
}

}  // namespace howdah::agent
