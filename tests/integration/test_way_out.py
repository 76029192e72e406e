"""Waits that nobody but an operator can end, and names that an earlier era left."""
import contextlib
import json
import pathlib
import subprocess
import time

import pytest
from cluster import HOWDAH, Cluster, Writer, etcd_get, frozen, processes_of, query, wait_for


def of_mode(mode):
    made = Cluster("--no-load", "--sync", mode)
    try:
        made.wait_healthy()
        yield made
    finally:
        made.close()
    assert made.left_running == {}


@pytest.fixture
def strict():
    yield from of_mode("strict")


@pytest.fixture
def quorum():
    yield from of_mode("quorum")


def others(cluster, leader):
    return [m for m in cluster.members.values() if m.name != leader.name]


def configure(cluster, *settings):
    arguments = [word for setting in settings for word in ("-s", setting)]
    done = cluster.howdah("edit-config", "-c", cluster.config(), "--force", *arguments, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def accept_loss(cluster, candidate, typed):
    return subprocess.run([HOWDAH, "failover", "-c", cluster.config(), "--accept-loss", "--candidate", candidate, "--force"],
                          input=typed + "\n", text=True, capture_output=True, timeout=90, check=False)


def test_a_member_that_is_left_alone_leads_when_an_operator_accepts_the_loss(quorum):
    leader = quorum.leader()
    query(quorum.endpoint, "create table kept (n int)")
    gone, left = others(quorum, leader)
    wait_for(lambda: len(sync_standbys(quorum)) == 2, "both standbys vote")
    leader.kill_agent_and_postmaster()
    gone.kill_agent_and_postmaster()

    why = wait_for(lambda: explain_has(quorum, left, "--accept-loss"), "explain names the way out", 40)
    assert left.name in why
    refused = accept_loss(quorum, left.name, "something else")
    assert refused.returncode == 1 and "nothing is done" in refused.stderr, refused.stdout + refused.stderr
    assert left.in_recovery()

    done = accept_loss(quorum, left.name, left.name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert query(quorum.endpoint, "select count(*) from kept") == [(0,)]
    assert not left.in_recovery()


def sync_standbys(cluster):
    for member in cluster.members.values():
        with contextlib.suppress(OSError):
            key = etcd_get(f"{member.host}:2379", "/service/howdah/sync")["/service/howdah/sync"]
            return (json.loads(key)["sync_standby"] or "").split(",")
    raise OSError("no etcd answers")


def explain_has(cluster, member, words):
    done = cluster.howdah("explain", member.name, "-c", member.config, check=False)
    return done.stdout if words in done.stdout else None


def switch_to(cluster, candidate):
    old = cluster.leader()
    done = cluster.howdah("switchover", "-c", cluster.config(), "--candidate", candidate.name, "--force", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    cluster.wait_new_leader(old)
    cluster.wait_healthy()


def test_writes_go_on_without_a_standby_when_the_mode_was_turned_off_between_two_roles(strict):
    first = strict.leader()
    second = others(strict, first)[0]
    switch_to(strict, second)
    configure(strict, "synchronous_mode=false", "synchronous_mode_strict=false")
    wait_for(lambda: query(second.dsn, "show synchronous_standby_names")[0][0] == "", "it waits for nobody")
    switch_to(strict, first)
    asleep = [pid for standby in others(strict, first) for pid in processes_of(pathlib.Path(standby.data_dir).parent)]
    with frozen(asleep):
        begun = time.monotonic()
        query(strict.endpoint, "create table goes_on (n int)", timeout=10)
        assert time.monotonic() - begun < 5
        assert query(first.dsn, "show synchronous_standby_names")[0][0] == ""
    strict.wait_healthy()


def test_a_primary_that_is_lost_just_after_its_promotion_is_replaced():
    cluster = Cluster("--no-load")
    try:
        first = cluster.wait_healthy()
        with Writer(cluster.endpoint) as writer:
            first.kill_agent_and_postmaster()

            def promoted():
                names = [name for name in cluster.writable() if name != first.name]
                return cluster.members[names[0]] if names else None

            second = wait_for(promoted, "a promotion", 30, every=0.005)
            second.kill_agent_and_postmaster()
            third = next(m for m in cluster.members.values() if m.name not in (first.name, second.name))
            begun = time.monotonic()
            wait_for(lambda: not third.in_recovery(), "the last member leads", 40)
            seconds = time.monotonic() - begun
            assert seconds < 25, f"writable after {seconds:.1f} s"
            wait_for(lambda: writer.times and writer.times[-1] > begun, "writes go on", 30)
    finally:
        cluster.close()
