#include "config/hba_lockout.h"

#include <fmt/format.h>

#include "config/addresses.h"
#include "config/hba.h"

namespace howdah::config {
namespace {

/// One login, by every way that it may take.
struct Need {
    std::string what{};  ///< "the superuser postgres through the Unix socket"
    std::vector<HbaLogin> ways{};
    std::string line{};  ///< that would let it in
};

/// The address that PostgreSQL sees of a client that connects from `host`: Linux calls from
/// 127.0.0.1 wherever on the loopback it goes.
std::vector<std::string> seen_as(const std::string& host) {
    if (host == "localhost") {
        return {"127.0.0.1", "::1"};
    }
    return is_loopback(host) && host != "::1" ? std::vector<std::string>{host, "127.0.0.1"}
                                              : std::vector{host};
}

std::string network_of(const std::string& address) {
    if (is_any(address)) {
        return "samenet";
    }
    return address == "localhost" ? "127.0.0.1/32"
                                  : address + (address.contains(':') ? "/128" : "/32");
}

/// A word that means itself in a line.
std::string quoted(const std::string& name) {
    std::string out = "\"";
    for (const char c : name) {
        out += c == '"' ? "\"\"" : std::string(1, c);
    }
    return name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos &&
                   name != "all" && name != "replication" && name != "sameuser" &&
                   name != "samerole" && name != "samegroup"
               ? name
               : out + "\"";
}

Need superuser_of(const Postgresql& own) {
    const auto& user = own.superuser.username;
    if (own.use_unix_socket) {
        return {
            .what = fmt::format("the superuser {} through the Unix socket", user),
            .ways = {{.database = own.database, .user = user, .local = true}},
            .line = fmt::format("local {} {} scram-sha-256", quoted(own.database), quoted(user))};
    }
    const auto host = local_address(own.listen_addresses);
    Need need{.what = fmt::format("the superuser {} from {}", user, host),
              .line = fmt::format("host {} {} {} scram-sha-256", quoted(own.database), quoted(user),
                                  network_of(host))};
    for (const auto& address : seen_as(host)) {
        need.ways.push_back({.database = own.database, .user = user, .address = address});
    }
    return need;
}

/// Which way a peer takes to its own PostgreSQL its own file says.
Need superuser_at(const HbaPeer& peer, const Postgresql& own) {
    const auto& user = own.superuser.username;
    Need need{.what = fmt::format("the superuser {} on {}", user, peer.name),
              .ways = {{.database = own.database, .user = user, .local = true}},
              .line = fmt::format("host {} {} samehost scram-sha-256", quoted(own.database),
                                  quoted(user))};
    auto addresses = peer.addresses;
    addresses.emplace_back("localhost");
    for (const auto& address : addresses) {
        for (const auto& seen : seen_as(address)) {
            need.ways.push_back({.database = own.database, .user = user, .address = seen});
        }
    }
    if (peer.addresses.empty()) {
        need.ways.push_back({.database = own.database, .user = user});
    }
    return need;
}

/// `database` nullopt: replication.
Need peer_login(const HbaPeer& peer, const std::string& user, const std::string& purpose,
                const std::optional<std::string>& database) {
    Need need{
        .what = fmt::format("the user {} for {}, from {}", user, purpose, peer.name),
        .line = fmt::format(
            "host {} {} {} scram-sha-256", database ? quoted(*database) : "replication",
            quoted(user), peer.addresses.empty() ? "samenet" : network_of(peer.addresses.front()))};
    for (const auto& address : peer.addresses) {
        for (const auto& seen : seen_as(address)) {
            need.ways.push_back({.database = database, .user = user, .address = seen});
        }
    }
    if (need.ways.empty()) {
        need.ways.push_back({.database = database, .user = user});
    }
    return need;
}

/// Empty: it may get in.
std::string rejection(const std::vector<HbaRule>& rules, const Need& need) {
    std::string why;
    for (const auto& way : need.ways) {
        const auto answer = hba_answer(rules, way);
        if (!answer.clear_no()) {
            return {};
        }
        if (why.empty()) {
            why = answer.line.empty() ? "no line lets it in"
                                      : fmt::format("line \"{}\" rejects it", answer.line);
        }
    }
    return why;
}

}  // namespace

std::optional<std::string> lockout(const std::vector<std::string>& lines, const Postgresql& own,
                                   const std::vector<HbaPeer>& peers) {
    if (lines.empty()) {
        return std::nullopt;
    }
    std::vector needs{superuser_of(own)};
    for (const auto& peer : peers) {
        needs.push_back(superuser_at(peer, own));
        needs.push_back(peer_login(peer, own.replication.username, "replication", std::nullopt));
        if (own.rewind) {
            needs.push_back(peer_login(peer, own.rewind->username, "pg_rewind", own.database));
        }
    }
    const auto rules = parse_hba(lines).rules;
    for (const auto& need : needs) {
        if (const auto why = rejection(rules, need); !why.empty()) {
            return fmt::format("it locks out {}: {}; one that would: {}", need.what, why,
                               need.line);
        }
    }
    return std::nullopt;
}

}  // namespace howdah::config
