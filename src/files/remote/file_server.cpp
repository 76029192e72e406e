#include "files/remote/file_server.h"

#include <fmt/format.h>

#include <algorithm>

#include "files/remote/entry_json.h"
#include "remote/fields.h"

namespace howdah::files {
namespace {

using remote::Json;
using remote::Message;

constexpr std::size_t block = std::size_t{256} << 10;          ///< of a file, in one message
constexpr std::size_t names_at_once = std::size_t{128} << 10;  ///< bytes of paths in one message

/// Between two requests, or two parts of a file: a client may think; whether its host is there is
/// TCP's to notice.
constexpr Millis idle = std::chrono::hours(24);

std::string name(const Json& head, const char* key) {
    return decode_name(remote::text_in(head, key));
}

/// One client's requests, one after the other.
class Requests {
public:
    Requests(remote::Channel& channel, const ServedFiles& served)
        : channel_(channel), served_(served) {}

    /// Errors: the connection's.
    Result<> answer(const Message& request) {
        channel_.begin_work();
        const auto what = remote::text_in(request.head, "do");
        if (what == "read") {
            return read(request.head);
        }
        if (what == "write") {
            return write(request.head);
        }
        if (what == "list") {
            return list(request.head);
        }
        if (what == "hold") {
            return hold(request.head);
        }
        if (what == "held") {
            return reply(held(request.head));
        }
        return reply(change(what, request.head));
    }

private:
    Result<> refuse(const Error& error) {
        return channel_.send({{"error", remote::to_json(error)}});
    }
    Result<> reply(const Result<Json>& outcome) {
        return outcome ? channel_.send(*outcome) : refuse(outcome.error());
    }
    Result<Json> change(const std::string& what, const Json& head);
    Result<> may_read(std::string_view path) const {
        HD_TRY_VOID(check_path(path));
        return served_.may(path, Access::read);
    }
    Result<Holds::InUse> may_change(const Json& head, std::string_view path) const;
    Result<> read(const Json& head);
    Result<> list(const Json& head);
    Result<> write(const Json& head);
    Result<std::unique_ptr<Sink>> begin_file(const Json& head, const std::string& path);
    Result<> take_file(const Json& head, std::unique_ptr<Sink> sink);
    Result<> hold(const Json& head);
    Result<Json> held(const Json& head) const;

    remote::Channel& channel_;
    const ServedFiles& served_;
};

Result<Holds::InUse> Requests::may_change(const Json& head, std::string_view path) const {
    HD_TRY_VOID(check_path(path));
    HD_TRY_VOID(served_.may(path, Access::write));
    std::vector<std::uint64_t> ids;
    for (const auto& each : remote::list_in(head, "holds")) {
        if (each.is_number_unsigned()) {
            ids.push_back(each.get<std::uint64_t>());
        }
    }
    return served_.holds.use(ids);
}

std::string folder_of(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
}

/// A link leads to a neighbour, never out of what the client may reach.
Result<> check_target(const std::string& target) {
    return target.empty() || target == "." || target == ".." || target.contains('/')
               ? fail(Errc::invalid, fmt::format("a link to '{}' is not made", target))
               : Result<>{};
}

Result<Json> Requests::change(const std::string& what, const Json& head) {
    auto& files = served_.files;
    const auto path = name(head, "path");
    if (what == "stat") {
        HD_TRY_VOID(may_read(path));
        HD_TRY(const auto entry, files.stat(path));
        return entry ? Json{{"entry", to_json(*entry)}} : Json::object();
    }
    HD_TRY(const auto using_it, may_change(head, path));
    if (what == "remove") {
        HD_TRY_VOID(files.remove(path));
    } else if (what == "remove_tree") {
        HD_TRY_VOID(files.remove_tree(path));
    } else if (what == "remove_unfinished") {
        HD_TRY_VOID(files.remove_unfinished(path));
    } else if (what == "sync_tree") {
        HD_TRY_VOID(files.sync_tree(path));
    } else if (what == "make_folder") {
        HD_TRY_VOID(files.make_folder(path));
    } else if (what == "hard_link") {
        const auto existing = name(head, "existing");
        HD_TRY_VOID(check_path(existing));
        HD_TRY_VOID(served_.may(existing, Access::write));
        HD_TRY_VOID(files.hard_link(path, existing));
    } else if (what == "link") {
        const auto target = name(head, "target");
        HD_TRY_VOID(check_target(target));
        // The neighbour is the client's only if the folder of both is.
        HD_TRY_VOID(served_.may(folder_of(path), Access::write));
        HD_TRY_VOID(files.link(path, target));
    } else {
        return fail(Errc::invalid, fmt::format("'{}' is no request", what));
    }
    return Json::object();
}

Result<> Requests::read(const Json& head) {
    const auto path = name(head, "path");
    const auto may = may_read(path);
    if (!may) {
        return refuse(may.error());
    }
    const auto source =
        served_.files.read(path, {.offset = remote::number_in(head, "offset").value_or(0),
                                  .size = remote::number_in(head, "size")});
    if (!source) {
        return refuse(source.error());
    }
    ByteBuffer part(block);
    for (bool last = false; !last;) {
        channel_.begin_work();
        std::size_t filled = 0;
        while (filled < part.size() && !last) {
            const auto got = (*source)->read(MutableBytes(part).subspan(filled));
            if (!got) {
                return refuse(got.error());
            }
            filled += *got;
            last = *got == 0;
        }
        HD_TRY_VOID(channel_.send({{"last", last}}, Bytes(part).first(filled)));
    }
    return {};
}

Result<> Requests::list(const Json& head) {
    const auto folder = name(head, "path");
    const auto may = may_read(folder);
    if (!may) {
        return refuse(may.error());
    }
    Json entries = Json::array();
    std::size_t bytes = 0;
    const auto listed = served_.files.list(folder, [&](const Entry& entry) -> Result<> {
        if (!served_.shows(entry.path)) {
            return {};
        }
        entries.push_back(to_json(entry));
        bytes += entry.path.size() + entry.target.size() + 100;
        if (bytes < names_at_once) {
            return {};
        }
        bytes = 0;
        HD_TRY_VOID(channel_.send({{"entries", std::exchange(entries, Json::array())}}));
        channel_.begin_work();
        return {};
    });
    return listed ? channel_.send({{"entries", entries}, {"last", true}}) : refuse(listed.error());
}

Result<std::unique_ptr<Sink>> Requests::begin_file(const Json& head, const std::string& path) {
    HD_TRY(const auto using_it, may_change(head, path));
    return served_.files.write(
        path, remote::flag_in(head, "by_sync_tree") ? NameSync::by_sync_tree : NameSync::at_once,
        remote::flag_in(head, "refuse_taken") ? IfTaken::refuse : IfTaken::replace);
}

Result<> Requests::write(const Json& head) {
    const auto path = name(head, "path");
    auto sink = begin_file(head, path);
    if (!sink) {
        return refuse(sink.error());
    }
    HD_TRY_VOID(channel_.send(Json::object()));
    return take_file(head, *std::move(sink));
}

/// Parts until the client finishes it, or gives it up. One that cannot be written is told at once;
/// what is on its way is passed over.
Result<> Requests::take_file(const Json& head, std::unique_ptr<Sink> sink) {
    while (true) {
        HD_TRY(const auto message, channel_.receive_within(idle));
        const auto what = remote::text_in(message.head, "do");
        if (what == "give_up") {
            sink.reset();
            return channel_.send(Json::object());
        }
        if (what == "part" && sink) {
            if (const auto written = sink->write(message.body); !written) {
                sink.reset();
                HD_TRY_VOID(refuse(written.error()));
            }
        } else if (what == "finish") {
            channel_.begin_work();
            if (!sink) {
                return refuse({.code = Errc::io, .message = "the file could not be written"});
            }
            const auto may = may_change(head, name(head, "path"));
            const auto finished = may ? sink->finish() : std::unexpected(may.error());
            sink.reset();
            return finished ? channel_.send(Json::object()) : refuse(finished.error());
        } else if (what != "part") {
            return fail(Errc::corrupt, fmt::format("'{}' inside a file", what));
        }
    }
}

Result<Json> Requests::held(const Json& head) const {
    HD_TRY(const auto held,
           served_.held(remote::text_in(head, "what"), remote::text_in(head, "stanza")));
    Json answer{{"held", held.has_value()}};
    if (held && held->hundredths) {
        answer["progress"] = *held->hundredths;
    }
    return answer;
}

/// Held until the client says so, or its connection ends.
Result<> Requests::hold(const Json& head) {
    auto held = served_.hold(remote::text_in(head, "what"));
    if (!held) {
        return refuse(held.error());
    }
    const auto id = served_.holds.begin();
    auto outcome = channel_.send({{"hold", id}});
    while (outcome) {
        const auto message = channel_.receive_within(idle);
        if (!message) {
            // A holder that is silent for a day is still one, as with a lock file.
            if (message.error().code == Errc::timeout) {
                continue;
            }
            outcome = std::unexpected(message.error());
        } else if (remote::text_in(message->head, "do") == "release") {
            break;
        } else if (const auto done = remote::number_in(message->head, "progress"); done && *held) {
            (*held)->note_progress(static_cast<std::uint32_t>(*done));
        }
    }
    served_.holds.end(id);
    held->reset();
    return outcome ? channel_.send(Json::object()) : outcome;
}

}  // namespace

void serve_files(remote::Channel& channel, const ServedFiles& served) {
    Requests requests(channel, served);
    while (true) {
        const auto request = channel.receive_within(idle);
        if (!request || !requests.answer(*request)) {
            return;
        }
    }
}

}  // namespace howdah::files
