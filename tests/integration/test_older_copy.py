"""A data directory that somebody replaced by an older copy of itself counts for nothing until it has caught up."""
import json
import os
import pathlib
import shutil
import subprocess
import time

import pytest
from cluster import Cluster, frozen, processes_of, query, wait_for


@pytest.fixture
def cluster():
    made = Cluster("--no-load", "--sync", "strict")
    try:
        made.wait_healthy()
        yield made
    finally:
        made.close()
    assert made.left_running == {}


def copy_of(directory, to):
    subprocess.run(["cp", "-a", directory, to], check=True)


def held(member):
    with open(pathlib.Path(member.data_dir).parent / "state/held_wal", encoding="utf-8") as file:
        return json.load(file)


def test_its_vote_does_not_count_and_it_does_not_lead(cluster):
    leader = cluster.leader()
    voter, other = (m for m in cluster.members.values() if m.name != leader.name)
    query(cluster.endpoint, "create table kept (n int)")
    wait_for(lambda: len(cluster.record()["sync"]["voters"]) == 2, "both standbys vote")
    voter.kill_agent_and_postmaster()
    copy_of(voter.data_dir, voter.data_dir + ".older")
    voter.start_agent()
    cluster.wait_healthy()
    wait_for(lambda: len(cluster.record()["sync"]["voters"]) == 2, "both standbys vote again")
    before = held(voter)["lsn"]
    host = processes_of(pathlib.Path(other.data_dir).parent)
    with frozen(pid for pid, words in host.items() if not words.split()[0].endswith("etcd")):
        assert query(cluster.endpoint, "insert into kept values (1) returning n", timeout=20) == [(1,)]
        wait_for(lambda: held(voter)["lsn"] > before, "the voter has noted what it holds")
        voter.kill_agent_and_postmaster()
        leader.kill_agent_and_postmaster()
        shutil.rmtree(voter.data_dir)
        os.rename(voter.data_dir + ".older", voter.data_dir)
        if os.path.exists(voter.data_dir + "/postmaster.pid"):
            os.unlink(voter.data_dir + "/postmaster.pid")
    voter.start_agent()
    until = time.monotonic() + 20
    while time.monotonic() < until:
        assert cluster.writable() == []
        time.sleep(0.5)
    told = cluster.howdah("explain", voter.name, "-c", cluster.config(), check=False).stdout
    assert "older copy" in told and "--accept-loss" in told, told
    leader.start_agent()
    cluster.wait_healthy()
    assert query(cluster.endpoint, "select n from kept") == [(1,)]
