#include <algorithm>

#include "instance/fake/fake_instance.h"

// WAL on its way from server to server: connect, send, write, flush, confirm.

namespace howdah::instance {
namespace {

constexpr Nanos retry_connect = Millis(500);
constexpr Nanos resend = Millis(200);
/// wal_sender_timeout and wal_receiver_timeout.
constexpr Nanos stream_timeout = Seconds(20);

}  // namespace

void FakeInstance::connect_later(Nanos delay) {
    if (!connecting_) {
        connecting_ = true;
        later(delay, [this] {
            connecting_ = false;
            connect();
        });
    }
}

void FakeInstance::connect() {
    if (!up_ || !accepting_ || role_ != ha::Role::standby || !following_ || streaming_) {
        return;
    }
    auto* from = servers_.at(following_->host, following_->port);
    const auto there = from != nullptr ? servers_.delay(*this, *from) : std::nullopt;
    const auto back = from != nullptr ? servers_.delay(*from, *this) : std::nullopt;
    if (!there || !back || !from->up_ || !from->accepting_ || from->hung || !on_history_of(*from)) {
        return connect_later(retry_connect);
    }
    streaming_ = true;
    from->arrive(*this, *there, [from, this, session = ++session_, end = end_, alive = alive_] {
        if (*alive) {
            from->serve(*this, session, end);
        }
    });
    listen_to_upstream(session_);
    changed();
}

/// wal_receiver_timeout: an upstream that is gone without a word is noticed late.
void FakeInstance::listen_to_upstream(std::uint64_t session) {
    later(stream_timeout, [this, session] {
        if (!streaming_ || session != session_ || !following_) {
            return;
        }
        const auto* from = servers_.at(following_->host, following_->port);
        const auto known = from->senders_.find(name_);
        if (!reach(*following_) || known == from->senders_.end() ||
            known->second.session != session) {
            upstream_gone(session);
        } else {
            listen_to_upstream(session);
        }
    });
}

void FakeInstance::disconnect() {
    if (!streaming_) {
        return;
    }
    streaming_ = false;
    flushed_ = end_;  // the WAL receiver flushes what it has written when it ends
    auto* from = following_ ? servers_.at(following_->host, following_->port) : nullptr;
    const auto delay = from != nullptr ? servers_.delay(*this, *from) : std::nullopt;
    if (delay) {
        from->arrive(*this, *delay,
                     [from, name = name_, session = session_] { from->hang_up(name, session); });
    }
    ++session_;
}

void FakeInstance::serve(FakeInstance& standby, std::uint64_t session, pg::Lsn from) {
    if (!up_ || !accepting_ || !standby.on_history_of(*this)) {
        auto* other = &standby;
        if (const auto delay = servers_.delay(*this, standby)) {
            standby.arrive(*this, *delay, [other, session] { other->upstream_gone(session); });
        }
        return;
    }
    senders_[standby.name_] = {.standby = &standby,
                               .pid = ++last_pid_,
                               .session = session,
                               .sent = from,
                               .write = from,
                               .flush = from};
    changed();
    pump();
    release();
}

void FakeInstance::hang_up(const std::string& standby, std::uint64_t session) {
    const auto it = senders_.find(standby);
    if (it != senders_.end() && it->second.session == session) {
        senders_.erase(it);
        changed();
    }
}

void FakeInstance::upstream_gone(std::uint64_t session) {
    if (streaming_ && session == session_) {
        streaming_ = false;
        flushed_ = end_;
        changed();
        connect_later(retry_connect);
    }
}

void FakeInstance::pump() {
    for (auto& [name, sender] : senders_) {
        pump(name, sender);
    }
}

void FakeInstance::pump(const std::string& name, Sender& sender) {
    if (sender.in_flight || !up_ || (sender.sent >= flushed_ && sender.flush >= flushed_)) {
        return;
    }
    sender.in_flight = true;
    if (sender.owed_since.never()) {
        sender.owed_since = clock_.now();
    }
    auto* standby = sender.standby;
    const auto delay = servers_.delay(*this, *standby);
    if (!delay) {
        later(resend, [this, name, session = sender.session] {
            const auto it = senders_.find(name);
            if (it == senders_.end() || it->second.session != session) {
                return;
            }
            it->second.in_flight = false;
            if (clock_.now() > it->second.owed_since + stream_timeout) {
                hang_up(name, session);
            } else {
                pump(name, it->second);
            }
        });
        return;
    }
    sender.sent = flushed_;
    standby->arrive(*this, *delay,
                    [this, standby, session = sender.session, history = branches_, lsn = flushed_] {
                        standby->receive(*this, session, history, lsn);
                    });
}

void FakeInstance::receive(FakeInstance& from, std::uint64_t session, WalHistory history,
                           pg::Lsn lsn) {
    if (!streaming_ || session != session_ || !up_) {
        return;
    }
    if (clock_.now() < receives_from_) {
        return later(receives_from_ - clock_.now(), [this, &from, session, history, lsn] {
            receive(from, session, history, lsn);
        });
    }
    if (!disk_trouble.empty()) {
        // It can't write: the WAL receiver ends, and another tries later.
        disconnect();
        return connect_later(retry_connect);
    }
    const auto same = std::min(branches_->size(), history->size());
    if (!std::equal(branches_->begin(), branches_->begin() + static_cast<std::ptrdiff_t>(same),
                    history->begin()) &&
        servers_.on_mixed) {
        servers_.on_mixed(name_, from.name_);
    }
    branches_ = std::move(history);
    end_ = std::max(end_, lsn);
    later(times.flush, [this, &from, session, lsn] { flush_received(from, session, lsn); });
}

void FakeInstance::flush_received(FakeInstance& from, std::uint64_t session, pg::Lsn lsn) {
    if (!streaming_ || session != session_ || !up_) {
        return;
    }
    if (frozen_) {
        return later(Millis(50),
                     [this, &from, session, lsn] { flush_received(from, session, lsn); });
    }
    flushed_ = std::max(flushed_, lsn);
    if (!senders_.empty()) {
        pump();
    }
    const auto delay = servers_.delay(*this, from);
    from.arrive(*this, delay.value_or(resend), [&from, name = name_, session, lsn, lost = !delay] {
        from.confirmed(name, session, lost ? pg::Lsn{} : lsn);
    });
}

void FakeInstance::confirmed(const std::string& name, std::uint64_t session, pg::Lsn lsn) {
    const auto it = senders_.find(name);
    if (it == senders_.end() || it->second.session != session) {
        return;
    }
    auto& sender = it->second;
    sender.in_flight = false;
    sender.write = std::max(sender.write, lsn);
    if (lsn > sender.flush) {
        sender.flush = lsn;
        sender.owed_since = sender.flush < flushed_ ? clock_.now() : Instant{};
        release();
    }
    pump(name, sender);
}

std::vector<Walsender> FakeInstance::walsenders() const {
    std::vector<Walsender> all;
    if (!up_ || !accepting_) {
        return all;
    }
    for (const auto& [name, sender] : senders_) {
        const auto priority = writable() ? in_force_.priority_of(name) : 0;
        const auto silent = sender.owed_since.never() ? Nanos{} : clock_.now() - sender.owed_since;
        all.push_back({.application_name = name,
                       .state = "streaming",
                       .sync_state = priority == 0                                       ? "async"
                                     : in_force_.method == pg::SyncStandbys::Method::any ? "quorum"
                                     : priority <= in_force_.count                       ? "sync"
                                                                   : "potential",
                       .sync_priority = priority,
                       .write = sender.write,
                       .flush = sender.flush,
                       .replay = sender.flush,
                       .silent = to_millis(silent),
                       .pid = sender.pid,
                       .client_port = sender.session});
    }
    return all;
}

}  // namespace howdah::instance
