"""What synchronous modes promise, on real PostgreSQL and real etcd: no acknowledged row is lost, whatever dies or sleeps."""
import contextlib
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor, TimeoutError

import psycopg2
import pytest
from cluster import (HOST_LOST_AT_MOST, KILLED_AT_MOST, SWITCHOVER_AT_MOST, Cluster, Writer, etcd_get, processes_of, query,
                     wait_for)

T = 5.0  # the `default` lease profile


@pytest.fixture(scope="module", params=["on", "quorum", "strict"])
def cluster(request):
    made = Cluster("--no-load", "--sync", request.param)
    made.sync = request.param
    made.wait_healthy()
    yield made
    made.close()
    assert made.left_running == {}


@pytest.fixture(autouse=True)
def healthy(cluster):
    cluster.wait_healthy()
    wait_for(lambda: voters(cluster), "a published sync set", 30)


def sync_key(cluster):
    for member in cluster.members.values():
        with contextlib.suppress(OSError):
            return json.loads(etcd_get(f"{member.host}:2379", "/service/howdah/sync")["/service/howdah/sync"])
    raise OSError("no etcd answers")


def voters(cluster):
    return [name for name in (sync_key(cluster)["sync_standby"] or "").split(",") if name]


def signal_all(pids, number):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def pause(member, number):
    """SIGSTOP or SIGCONT to everything on a member's host: what a frozen virtual machine looks like."""
    signal_all(processes_of(os.path.dirname(member.data_dir)), number)


def test_roles_are_shown_as_patroni_shows_them(cluster):
    wait_for(lambda: len(voters(cluster)) == (1 if cluster.sync == "on" else 2), "all standbys that shall vote do")
    roles = sorted(row["Role"] for row in cluster.list())
    assert roles == (["Leader", "Replica", "Sync Standby"] if cluster.sync == "on"
                     else ["Leader", "Quorum Standby", "Quorum Standby"])
    assert sync_key(cluster)["leader"] == cluster.leader().name


def test_lost_host_loses_no_acknowledged_row(cluster):
    old = cluster.leader()
    with Writer(cluster.endpoint) as writer:
        killed = time.monotonic()
        old.kill_everything()
        cluster.wait_new_leader(old)
        wait_for(lambda: writer.times[-1] > killed + 0.1 and writer.longest_gap(killed), "writes go on", 30)
        old.start_agent()
        cluster.wait_healthy()
        writer.outage(killed, HOST_LOST_AT_MOST)
    assert writer.missing() == []


def test_killed_postmaster_loses_no_acknowledged_row(cluster):
    old = cluster.leader()
    with Writer(cluster.endpoint) as writer:
        killed = time.monotonic()
        old.kill_postmaster()
        wait_for(lambda: writer.times[-1] > killed + 0.1 and writer.longest_gap(killed), "writes go on", 30)
        writer.outage(killed, KILLED_AT_MOST)
        cluster.wait_healthy()
    assert writer.missing() == []


def test_switchover_goes_to_a_voter_and_loses_nothing(cluster):
    target = voters(cluster)[0]
    with Writer(cluster.endpoint) as writer:
        asked = time.monotonic()
        done = cluster.howdah("switchover", "-c", cluster.config(), "--candidate", target, "--force")
        assert "Successfully switched over" in done.stdout
        wait_for(lambda: writer.times[-1] > asked + 0.1 and writer.longest_gap(asked), "writes go on", 30)
        writer.outage(asked, SWITCHOVER_AT_MOST)
        cluster.wait_healthy()
    assert cluster.leader().name == target and writer.missing() == []


def test_a_standby_that_goes_away_is_no_longer_waited_for(cluster):
    gone = cluster.members[voters(cluster)[0]]
    with Writer(cluster.endpoint) as writer:
        killed = time.monotonic()
        gone.kill_everything()
        wait_for(lambda: gone.name not in voters(cluster), "it leaves the sync set", 20)
        wait_for(lambda: writer.times[-1] > killed + 3, "writes go on", 20)
        gone.start_agent()
        cluster.wait_healthy()
        writer.outage(killed, HOST_LOST_AT_MOST)
    assert writer.errors == [] and writer.missing() == []


def test_without_any_standby_strict_mode_acknowledges_nothing_and_the_others_go_on(cluster):
    leader = cluster.leader()
    query(cluster.endpoint, "create table if not exists alone (n int)")
    # PostgreSQL alone: etcd keeps its majority.
    frozen = [pid for m in cluster.members.values() if m is not leader for pid in processes_of(m.data_dir)]
    with ThreadPoolExecutor() as pool:
        signal_all(frozen, signal.SIGSTOP)
        try:
            write = pool.submit(query, leader.dsn, "insert into alone values (1)")
            if cluster.sync == "strict":
                with pytest.raises(TimeoutError):
                    write.result(timeout=2 * T)
            else:
                write.result(timeout=20)
        finally:
            signal_all(frozen, signal.SIGCONT)
        write.result(timeout=60)
    cluster.wait_healthy()


def test_what_waits_for_a_standby_is_shown_to_nobody_when_its_backend_is_killed(cluster):
    """A backend's crash makes PostgreSQL recover, and what waited would be visible before any standby has it."""
    if cluster.sync != "strict":
        pytest.skip("in the other modes a primary that lost its standbys goes on alone")
    leader = cluster.leader()
    query(cluster.endpoint, "create table unseen (n int)")
    frozen = [pid for m in cluster.members.values() if m is not leader for pid in processes_of(m.data_dir)]
    seen = []

    def look():
        """A reader through the endpoint; it may find nobody."""
        with contextlib.suppress(psycopg2.Error):
            seen.append(query(cluster.endpoint, "select n from unseen", timeout=2))

    with ThreadPoolExecutor() as pool:
        signal_all(frozen, signal.SIGSTOP)
        try:
            pool.submit(query, leader.dsn, "insert into unseen values (1)")
            waiting = "select pid from pg_stat_activity where wait_event = 'SyncRep' and query like 'insert into unseen%'"
            backend = wait_for(lambda: query(leader.dsn, waiting), "the insert waits for a standby")[0][0]
            os.kill(backend, signal.SIGKILL)
            killed = time.monotonic()
            while time.monotonic() < killed + 1.2 * T:
                look()
        finally:
            signal_all(frozen, signal.SIGCONT)
    cluster.wait_healthy()
    assert [(1,)] not in seen, "a reader saw a row that no standby had"
    look()
    assert seen, "nobody was ever asked"


def test_a_host_frozen_for_three_lease_times_loses_no_acknowledged_row(cluster):
    old = cluster.leader()
    with Writer(cluster.endpoint) as writer, Writer(old.dsn, table="written_directly") as direct:
        wait_for(lambda: writer.times and direct.times, "both write")
        frozen = time.monotonic()
        pause(old, signal.SIGSTOP)
        try:
            cluster.wait_new_leader(old)
            replaced = time.monotonic()
            wait_for(lambda: writer.times[-1] > frozen + 0.1 and writer.longest_gap(frozen), "writes go on", 30)
            wait_for(lambda: time.monotonic() > frozen + 3 * T, "three lease times", 20)
        finally:
            pause(old, signal.SIGCONT)
        cluster.wait_healthy(90)
        late = sum(at > replaced for at in direct.times)
        print(f"late direct writes acknowledged: {late}")
        writer.outage(frozen, HOST_LOST_AT_MOST)
    assert writer.missing() == []
    assert late == 0, "the old primary waited for standbys that follow another"
