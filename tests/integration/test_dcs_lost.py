"""What a silent store does to a cluster: nothing, as long as every member that could claim agrees."""
import json
import os
import shutil
import signal
import time

import pytest
from cluster import Writer, frozen, processes_of, rest, wait_for

T = 5.0  # the `default` lease profile


@pytest.fixture(autouse=True)
def healthy(cluster):
    cluster.wait_healthy()
    wait_for(lambda: len(cluster.record()["claimers"]) == 3, "all members may claim")


def etcd_of(cluster, members):
    found = {}
    for member in members:
        for pid, words in processes_of(os.path.dirname(member.data_dir)).items():
            if "etcd" in words.split(" ")[0]:
                found[pid] = member.name
    return found


def test_writes_go_on_while_all_of_etcd_sleeps(cluster):
    leader = cluster.leader()
    epoch = cluster.record()["epoch"]
    with Writer(cluster.endpoint) as writer, Writer(leader.dsn, table="direct") as direct:
        with frozen(etcd_of(cluster, cluster.members.values())):
            asleep = time.monotonic()
            wait_for(lambda: time.monotonic() > asleep + 5 * T, "five lease times", 40)
        for each in (writer, direct):
            wait_for(lambda each=each: each.times[-1] > asleep + 5 * T, "writes go on", 10)
            assert each.errors == [] and each.longest_gap(asleep) < 1.0
        cluster.wait_healthy()
    assert cluster.record()["epoch"] == epoch and cluster.leader().name == leader.name
    assert writer.missing() == []


def test_no_session_is_cut_when_etcd_wakes_up(cluster):
    """What members vouched for does not go back with the first renewal after the silence."""
    with Writer(cluster.endpoint) as writer:
        with frozen(etcd_of(cluster, cluster.members.values())):
            asleep = time.monotonic()
            wait_for(lambda: time.monotonic() > asleep + 9, "nine seconds", 12)
        wait_for(lambda: writer.times[-1] > asleep + 9 + 2 * T, "writes go on", 20)
        assert writer.errors == [], "its one session was cut"
    cluster.wait_healthy()


def test_primary_steps_down_when_a_claimer_is_silent_too(cluster):
    leader = cluster.leader()
    silent = next(m for m in cluster.members.values() if m is not leader)
    def rounds():
        with open(leader.log, errors="replace") as log:
            return log.read().count("every claimer promised")

    before = rounds()
    with frozen(etcd_of(cluster, cluster.members.values())):
        wait_for(lambda: rounds() > before, "promises", 2 * T)
        silent.kill_everything()
        wait_for(lambda: leader.name not in cluster.writable(), "the primary steps down", 3 * T)
        assert cluster.writable() == []
    silent.start_agent()
    cluster.wait_healthy()


def test_one_sleeping_etcd_member_demotes_nobody(cluster):
    leader = cluster.leader()
    epoch = cluster.record()["epoch"]
    for member in cluster.members.values():
        with Writer(cluster.endpoint) as writer:
            with frozen(etcd_of(cluster, [member])):
                asleep = time.monotonic()
                wait_for(lambda: time.monotonic() > asleep + 2 * T, "two lease times", 30)
            wait_for(lambda: writer.times[-1] > asleep + 2 * T, "writes go on", 20)
            assert writer.errors == [] and writer.longest_gap(asleep) < 2.0
    assert cluster.leader().name == leader.name
    cluster.wait_healthy()
    assert cluster.record()["epoch"] == epoch


def forget_etcd(cluster):
    for member in cluster.members.values():
        shutil.rmtree(os.path.join(os.path.dirname(member.data_dir), "etcd"))


def config_of(cluster):
    return json.loads(rest(cluster.leader().host, "/config")[1])


def test_primary_goes_on_when_etcd_loses_its_data_and_writes_the_scope_anew(cluster):
    leader, before, config = cluster.leader(), cluster.record(), config_of(cluster)
    with Writer(cluster.endpoint) as writer:
        lost = time.monotonic()
        forget_etcd(cluster)
        for pid in etcd_of(cluster, cluster.members.values()):
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: cluster.record()["epoch"] == before["epoch"], "the record is back", 40)
        cluster.wait_healthy()
        wait_for(lambda: writer.times[-1] > lost + 2 * T, "writes go on", 20)
        assert writer.errors == [] and writer.longest_gap(lost) < 2.0
    assert cluster.leader() is leader and writer.missing() == []
    wait_for(lambda: config_of(cluster) == config, "the configuration is back")


def test_cluster_without_a_leader_is_recovered_from_the_members_when_etcd_lost_its_data(cluster):
    before = cluster.record()
    with Writer(cluster.endpoint) as writer:
        rows = len(writer.acknowledged)
        wait_for(lambda: len(writer.acknowledged) > rows, "writes")
    for member in cluster.members.values():
        member.kill_everything()
    forget_etcd(cluster)
    for member in cluster.members.values():
        member.start_agent()
    wait_for(lambda: len(cluster.list()) == 3, "all members are back in the store", 40)
    assert "dcs recover" in cluster.howdah("explain", "-c", cluster.config()).stdout
    asked = cluster.howdah("dcs", "recover", "-c", cluster.config())
    assert asked.stdout.count("takes part") == 3 and "leads epoch" in asked.stdout
    cluster.wait_healthy()
    assert cluster.record()["epoch"] > before["epoch"] and writer.missing() == []
    again = cluster.howdah("dcs", "recover", "-c", cluster.config(), check=False)
    assert again.returncode == 1 and "nothing is lost" in again.stdout
