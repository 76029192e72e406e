#include "backup/host/grants.h"

#include <fmt/format.h>

#include <algorithm>

#include "backup/options/given_options.h"

namespace howdah::backup {
namespace {

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(' ');
    return begin == std::string_view::npos
               ? std::string_view()
               : text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

bool goes_by(const io::PeerNames& peer, const std::string& name) {
    return peer.common_name == name || std::ranges::find(peer.hosts, name) != peer.hosts.end();
}

}  // namespace

Result<Grants> Grants::of(const std::vector<ConfigText>& files) {
    Grants grants;
    for (const auto& file : files) {
        HD_TRY(const auto lines, lines_of(file));
        for (const auto& line : lines) {
            const auto key = find_option(line.key);
            const auto name = key ? key->facts->name : std::string_view();
            const auto& value = line.given.value;
            if (name == "pg-host" && !value.empty()) {
                grants.hosts_.push_back({.who = value, .stanza = line.section});
            }
            if (name != "tls-server-auth") {
                continue;
            }
            const auto equals = value.find('=');
            if (equals == std::string::npos || equals == 0 || equals + 1 == value.size()) {
                return fail(Errc::invalid,
                            fmt::format("{}: '{}' is no value of option 'tls-server-auth'",
                                        line.given.where, value),
                            "CLIENT=STANZA[,STANZA], or CLIENT=*");
            }
            const auto client = std::string(trimmed(value.substr(0, equals)));
            for (std::string_view rest = std::string_view(value).substr(equals + 1);
                 !rest.empty();) {
                const auto comma = std::min(rest.find(','), rest.size());
                grants.clients_.push_back(
                    {.who = client, .stanza = std::string(trimmed(rest.substr(0, comma)))});
                rest.remove_prefix(std::min(comma + 1, rest.size()));
            }
        }
    }
    return grants;
}

Right Grants::right(const io::PeerNames& peer, std::string_view stanza) const {
    const auto is_of = [&](const Named& each) {
        return each.stanza == stanza && goes_by(peer, each.who);
    };
    if (has_list()) {
        const auto granted = std::ranges::any_of(clients_, [&](const Named& each) {
            return peer.common_name == each.who && (each.stanza == "*" || each.stanza == stanza);
        });
        return granted ? Right::write : Right::none;
    }
    return std::ranges::any_of(hosts_, is_of) ? Right::write : Right::read;
}

bool Grants::any(const io::PeerNames& peer) const {
    return !has_list() || std::ranges::any_of(clients_, [&](const Named& each) {
        return peer.common_name == each.who;
    });
}

Result<> Grants::check(const io::PeerNames& peer, std::string_view stanza, Right needed) const {
    const auto has = right(peer, stanza);
    if (has >= needed) {
        return {};
    }
    if (has_list()) {
        return fail(Errc::invalid,
                    fmt::format("client '{}' may not reach stanza '{}'", peer.common_name, stanza),
                    fmt::format("tls-server-auth={}={} on the repository host allows it",
                                peer.common_name, stanza));
    }
    return fail(Errc::invalid,
                fmt::format("client '{}' may read stanza '{}' but not change it: its certificate "
                            "names no pgN-host of section [{}]",
                            peer.common_name, stanza, stanza),
                fmt::format("name it there on the repository host, by a name that its certificate "
                            "has, or set tls-server-auth={}={}",
                            peer.common_name, stanza));
}

Result<std::vector<std::string>> stanzas_in(const std::vector<ConfigText>& files) {
    std::vector<std::string> names;
    for (const auto& file : files) {
        HD_TRY(const auto lines, lines_of(file));
        for (const auto& line : lines) {
            const auto& name = line.section;
            if (name != "global" && !name.contains(':') &&
                std::ranges::find(names, name) == names.end()) {
                names.push_back(name);
            }
        }
    }
    return names;
}

}  // namespace howdah::backup
