"""What people and other tools do to a member behind its agent's back, on real PostgreSQL and real etcd."""
import contextlib
import os
import pathlib
import signal
import subprocess

import pytest
from cluster import Cluster, processes_of, promote_by_hand, query, rest, wait_for


@pytest.fixture(scope="module")
def cluster():
    made = Cluster("--no-load", "--sync", "strict")
    yield made
    made.close()


@pytest.fixture(autouse=True)
def healthy(cluster):
    cluster.wait_healthy(90)


def standbys(cluster):
    leader = cluster.leader()
    return [member for member in cluster.members.values() if member is not leader]


def rows(dsn):
    return [text for _, text in query(dsn, "select * from t order by 1")]


def test_a_standby_promoted_by_hand_comes_back_by_itself(cluster):
    query(cluster.endpoint, "create table t (n int, text text)")
    promoted = standbys(cluster)[0]
    promote_by_hand(promoted)
    query(cluster.endpoint, "insert into t values (1, 'acknowledged')")
    wait_for(lambda: "acknowledged" in rows(promoted.dsn) and promoted.in_recovery(), "it follows again", 60)
    cluster.wait_healthy()
    for member in cluster.members.values():
        wait_for(lambda m=member: rows(m.dsn) == ["acknowledged"], f"{member.name} has what was acknowledged, and nothing else")


def test_the_number_that_a_promotion_by_hand_took_is_not_taken_again(cluster):
    """Its history may stand in the archive, whatever has become of the directory since."""
    query(cluster.endpoint, "create table if not exists t (n int, text text)")
    leader, promoted = cluster.leader(), standbys(cluster)[0]
    on = "select timeline_id from pg_control_checkpoint()"
    (before,), = query(leader.dsn, on)
    promote_by_hand(promoted)
    wait_for(promoted.in_recovery, "it follows again", 60)
    cluster.wait_healthy(90)
    cluster.howdah("switchover", "-c", cluster.config(), "--force")
    now = cluster.wait_new_leader(leader)
    cluster.wait_healthy(90)
    query(now.dsn, "checkpoint")
    (after,), = query(now.dsn, on)
    assert after > before + 1, f"timeline {before + 1} was opened by hand, and is opened again"


def test_a_standby_promoted_by_hand_takes_no_acknowledged_row_away_when_the_leader_is_lost(cluster):
    query(cluster.endpoint, "create table if not exists t (n int, text text)")
    leader = cluster.leader()
    promote_by_hand(standbys(cluster)[0])
    query(cluster.endpoint, "insert into t values (2, 'before the loss')", timeout=30)
    leader.kill_agent_and_postmaster()
    wait_for(lambda: "before the loss" in rows(cluster.endpoint), "what was acknowledged is there", 60)
    leader.start_agent()
    cluster.wait_healthy(90)
    for member in cluster.members.values():
        wait_for(lambda m=member: "before the loss" in rows(m.dsn) and "ghost" not in rows(m.dsn), member.name)


def test_a_stopped_fencer_is_told_and_stops_no_switchover(cluster):
    leader = cluster.leader()
    fencer = next(pid for pid, words in processes_of(pathlib.Path(leader.data_dir).parent).items() if " fencer " in words)
    os.kill(fencer, signal.SIGSTOP)
    try:
        told = wait_for(lambda: [line for line in cluster.howdah("explain", "-c", leader.config).stdout.splitlines()
                                 if "its fencer would not end it" in line], "explain tells of it", 15, every=0.2)
        print(told)
        cluster.wait_new_leader(leader)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(fencer, signal.SIGCONT)


def test_a_former_leader_keeps_no_slot_of_another_member(cluster):
    old = cluster.leader()
    slots = "select slot_name from pg_replication_slots"
    assert len(query(old.dsn, slots)) == 2
    target = standbys(cluster)[0].name
    cluster.howdah("switchover", "-c", cluster.config(), "--candidate", target, "--force")
    cluster.wait_healthy()
    query(old.dsn, "select pg_create_physical_replication_slot('made_by_hand')")
    wait_for(lambda: query(old.dsn, slots) == [("made_by_hand",)], "it drops the others' slots", 30)
    query(old.dsn, "select pg_drop_replication_slot('made_by_hand')")


def test_another_data_directory_by_configuration_is_refused(cluster):
    done = cluster.howdah("edit-config", "-c", cluster.config(), "--force", "-s",
                          "postgresql.parameters.data_directory=/etc", check=False)
    assert done.returncode != 0 and "data_directory" in done.stderr + done.stdout
    assert isinstance(done, subprocess.CompletedProcess) and rest(cluster.leader().host, "/primary")[0] == 200
