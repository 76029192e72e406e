"""What the cluster promises when something dies, on real PostgreSQL and real etcd."""
import json
import os
import signal
import time

import pytest
from cluster import (AGENT_KILLED_AT_MOST, HOST_LOST_AT_MOST, KILLED_AT_MOST, SWITCHOVER_AT_MOST, TwinWatch, Writer, query,
                     wait_for)


@pytest.fixture(autouse=True)
def healthy(cluster):
    cluster.wait_healthy()


def timeline(member):
    return int(query(member.dsn, "select substring(pg_walfile_name(pg_current_wal_lsn()) for 8)")[0][0], 16)


def test_bootstrap_gives_one_leader_and_two_streaming_standbys(cluster):
    assert cluster.seconds_to_start < 60
    rows = cluster.list()
    assert sorted(row["Role"] for row in rows) == ["Leader", "Replica", "Replica"]
    assert {row["TL"] for row in rows} == {1}
    leader = cluster.leader()
    assert not leader.in_recovery()
    assert all(m.in_recovery() for m in cluster.members.values() if m is not leader)
    assert query(leader.dsn, "show data_checksums") == [("on",)]


def test_dcs_status_names_every_etcd_member(cluster):
    text = cluster.howdah("dcs", "status", "-c", cluster.config(), "--json").stdout
    assert json.loads(text)
    assert all(name in text for name in cluster.members) and "leader" in text


def test_read_only_port_leads_to_a_standby(cluster):
    assert query(cluster.read_only, "select pg_is_in_recovery()") == [(True,)]
    assert query(cluster.endpoint, "select pg_is_in_recovery()") == [(False,)]


def test_first_failover_after_the_postmaster_was_killed(cluster):
    old = cluster.leader()
    before = timeline(old)
    with Writer(cluster.endpoint) as writer, TwinWatch(cluster) as twins:
        killed = time.monotonic()
        old.kill_postmaster()
        wait_for(lambda: writer.times[-1] > killed + 0.05 and writer.longest_gap(killed), "writes go on", 30)
        cluster.wait_healthy()
    assert twins.rounds > 0 and twins.seen == []
    leader = cluster.leader()
    # Recovered in place on the same timeline, or another member promoted on the next one: never two.
    assert timeline(leader) == before + (0 if leader.name == old.name else 1)
    assert sum(not m.in_recovery() for m in cluster.members.values()) == 1
    writer.outage(killed, KILLED_AT_MOST)
    # The final LSN was published and the next primary had all of it, or recovered in place: nothing is lost.
    assert writer.missing() == []


def test_switchover_loses_no_acknowledged_row(cluster):
    old = cluster.leader()
    before = timeline(old)
    target = next(m for m in cluster.members.values() if m is not old)
    with Writer(cluster.endpoint) as writer:
        asked = time.monotonic()
        done = cluster.howdah("switchover", "-c", cluster.config(), "--candidate", target.name, "--force")
        assert "Successfully switched over" in done.stdout
        cluster.wait_healthy()
    assert cluster.leader().name == target.name
    assert timeline(target) == before + 1
    assert writer.missing() == []
    writer.outage(asked, SWITCHOVER_AT_MOST)


def test_lost_host_is_replaced_and_rejoins_by_rewind(cluster):
    old = cluster.leader()
    before = timeline(old)
    with Writer(cluster.endpoint) as writer, TwinWatch(cluster) as twins:
        killed = time.monotonic()
        old.kill_everything()
        leader = cluster.wait_new_leader(old, 40)
        wait_for(lambda: writer.times[-1] > killed + 1, "writes go on", 30)
    assert twins.seen == []
    assert timeline(leader) == before + 1
    old.start_agent()
    cluster.wait_healthy(90)
    assert old.in_recovery()
    assert cluster.leader().name == leader.name
    # Asynchronous replication: what was in flight at the kill may be missing, and nothing else.
    missing = writer.lost()
    print(f"missing {missing}")
    assert len(missing) <= 2
    writer.outage(killed, HOST_LOST_AT_MOST)


def test_history_has_a_row_for_every_promotion(cluster):
    leader = cluster.leader()
    ended = list(range(1, timeline(leader)))
    rows = wait_for(lambda: [row[0] for row in cluster.history()] == ended and cluster.history(), "a complete history", 20)
    assert rows[-1][4] == leader.name


def test_agent_restart_leaves_the_running_primary_alone(cluster):
    leader = cluster.leader()
    started = query(leader.dsn, "select pg_postmaster_start_time()")
    before = cluster.record()
    with Writer(cluster.endpoint) as writer:
        killed = time.monotonic()
        os.kill(leader.agent_pid(), signal.SIGKILL)
        leader.start_agent()
        wait_for(lambda: cluster.record()["incarnation"] != before["incarnation"], "the new agent holds the record")
        cluster.wait_healthy()
    after = cluster.record()
    assert after["holder_uuid"] == before["holder_uuid"] and after["epoch"] > before["epoch"]
    assert cluster.leader().name == leader.name
    assert query(leader.dsn, "select pg_postmaster_start_time()") == started
    writer.outage(killed, AGENT_KILLED_AT_MOST)
    assert writer.missing() == []
