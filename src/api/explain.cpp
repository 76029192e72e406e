#include "api/explain.h"

#include <nlohmann/json.hpp>

#include "api/answers.h"

namespace howdah::api {
namespace {

std::string_view role_word(const agent::Status& s) {
    switch (s.local.role) {
        case ha::Role::primary:
            return "primary";
        case ha::Role::standby:
            return "replica";
        case ha::Role::none:
            break;
    }
    return s.local.data_dir == ha::DataDir::initialized ? "stopped" : "uninitialized";
}

}  // namespace

io::HttpResponse explain(const agent::Status& s, const std::vector<std::string>& obstacles) {
    return json_answer(200, {{"name", s.name},
                             {"role", role_word(s)},
                             {"rule", s.rule},
                             {"why", s.why},
                             {"trouble", s.trouble},
                             {"archiving_off", s.archiving_off},
                             {"settings_refused", s.local.settings_refused},
                             {"file_errors", s.local.file_errors},
                             {"obstacles", obstacles},
                             {"epoch", s.epoch},
                             {"holds_leader", s.holds_leader},
                             {"term_left_ms", s.term_left.count()},
                             {"member_uuid", s.member_uuid}});
}

}  // namespace howdah::api
