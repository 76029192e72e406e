"""What the cluster promises when something dies, on real PostgreSQL and real etcd."""
import json
import subprocess
import time

import pytest
from cluster import HOWDAH, Cluster, Writer, processes_of, query, wait_for


@pytest.fixture(autouse=True)
def healthy(cluster):
    cluster.wait_healthy()


def timeline(member):
    return int(query(member.dsn, "select substring(pg_walfile_name(pg_current_wal_lsn()) for 8)")[0][0], 16)


def history(cluster):
    out = cluster.howdah("history", "-c", cluster.config(), "--format", "json", check=False)
    return json.loads(out.stdout) if out.returncode == 0 else None


def test_bootstrap_gives_one_leader_and_two_streaming_standbys(cluster):
    rows = cluster.list()
    assert sorted(row["Role"] for row in rows) == ["Leader", "Replica", "Replica"]
    assert {row["TL"] for row in rows} == {1}
    leader = cluster.leader()
    assert not leader.in_recovery()
    assert all(m.in_recovery() for m in cluster.members.values() if m is not leader)
    assert query(leader.dsn, "show data_checksums") == [("on",)]


def test_read_only_port_leads_to_a_standby(cluster):
    assert query(cluster.read_only, "select pg_is_in_recovery()") == [(True,)]
    assert query(cluster.endpoint, "select pg_is_in_recovery()") == [(False,)]


def test_first_failover_after_the_postmaster_was_killed(cluster):
    old = cluster.leader()
    before = timeline(old)
    with Writer(cluster.endpoint) as writer:
        killed = time.monotonic()
        old.kill_postmaster()
        wait_for(lambda: writer.times[-1] > killed + 0.05 and writer.longest_gap(killed), "writes go on", 30)
        cluster.wait_healthy()
    leader = cluster.leader()
    # Recovered in place on the same timeline, or another member promoted on the next one: never two.
    assert timeline(leader) == before + (0 if leader.name == old.name else 1)
    assert sum(not m.in_recovery() for m in cluster.members.values()) == 1
    print(f"outage {writer.longest_gap(killed):.2f} s, errors {len(writer.errors)}, missing {writer.missing()}")
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
    print(f"outage {writer.longest_gap(asked):.2f} s")


def test_lost_host_is_replaced_and_rejoins_by_rewind(cluster):
    old = cluster.leader()
    before = timeline(old)
    with Writer(cluster.endpoint) as writer:
        killed = time.monotonic()
        old.kill_everything()
        leader = cluster_leader_elsewhere(cluster, old)
        wait_for(lambda: writer.times[-1] > killed + 1, "writes go on", 30)
    assert timeline(leader) == before + 1
    old.start_agent()
    cluster.wait_healthy(90)
    assert old.in_recovery()
    assert cluster.leader().name == leader.name
    # Asynchronous replication: only what was in flight at the kill may be missing.
    missing = writer.missing()
    print(f"outage {writer.longest_gap(killed):.2f} s, missing {missing}")
    assert len(missing) <= 2


def cluster_leader_elsewhere(cluster, old):
    """Asks a living member's store, since the dead host's etcd went with it."""
    alive = next(m for m in cluster.members.values() if m is not old)

    def look():
        out = subprocess.run([HOWDAH, "list", "-c", alive.config, "--format", "json"], text=True,
                             capture_output=True, timeout=30, check=True)
        names = [row["Member"] for row in json.loads(out.stdout) if row["Role"] == "Leader"]
        return names and names[0] != old.name and not cluster.members[names[0]].in_recovery() and cluster.members[names[0]]
    return wait_for(look, "a leader elsewhere", 40)


def test_history_has_a_row_for_every_promotion(cluster):
    leader = cluster.leader()
    rows = wait_for(lambda: (h := history(cluster)) and len(h) == timeline(leader) - 1 and h, "history is complete", 20)
    assert [row["TL"] for row in rows] == list(range(1, timeline(leader)))
    assert rows[-1]["New Leader"] == leader.name


def test_agent_restart_leaves_the_running_primary_alone(cluster):
    leader = cluster.leader()
    started = query(leader.dsn, "select pg_postmaster_start_time()")
    subprocess.run(["kill", "-KILL", str(leader.agent_pid())], check=True)
    leader.start_agent()
    cluster.wait_healthy()
    assert cluster.leader().name == leader.name
    assert query(leader.dsn, "select pg_postmaster_start_time()") == started


def test_down_leaves_nothing_running():
    made = Cluster("--no-load")
    made.close()
    assert processes_of(made.dir) == {}
