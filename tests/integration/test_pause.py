"""A paused cluster stops and replaces nobody: agents are stopped, upgraded and started again under a running PostgreSQL."""
import contextlib
import os
import pathlib
import shutil
import signal
import time

import pytest
from cluster import Cluster, frozen, processes_of, query, wait_for


@pytest.fixture(scope="module")
def cluster():
    made = Cluster("--no-load")
    made.wait_healthy()
    yield made
    made.close()
    assert made.left_running == {}


@pytest.fixture(autouse=True)
def paused(cluster):
    cluster.wait_healthy()
    assert cluster.howdah("pause", "--wait", "-c", cluster.config()).returncode == 0
    yield
    cluster.howdah("resume", "--wait", "-c", cluster.config(), check=False)
    cluster.wait_healthy()


def started(member):
    return query(member.dsn, "select pg_postmaster_start_time()")[0][0]


def is_gone(pid):
    """Dead, be it that its parent (this test, of an agent that it started) has not reaped it."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    return True


def wait_gone(pid):
    wait_for(lambda: is_gone(pid), f"the end of process {pid}")


def holds(cluster, member, after):
    record = cluster.record()
    return record["holder_name"] == member.name and record["state"] == "primary" and record["epoch"] > after


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_an_agent_may_stop_and_start_again_under_its_primary(cluster, how):
    leader = cluster.leader()
    before, epoch = started(leader), cluster.record()["epoch"]
    agent = leader.agent_pid()
    os.kill(agent, how)
    wait_gone(agent)
    until = time.monotonic() + 12  # longer than the term, W and what a fencer would wait
    while time.monotonic() < until:
        assert not leader.in_recovery()
        assert cluster.writable() == [leader.name]
        time.sleep(0.5)
    leader.start_agent()
    wait_for(lambda: holds(cluster, leader, epoch), "the same member holds a new epoch")
    assert started(leader) == before
    assert query(cluster.endpoint, "select 1") == [(1,)]


def test_an_agent_may_start_again_without_the_store(cluster):
    leader = cluster.leader()
    before, agent = started(leader), leader.agent_pid()
    os.kill(agent, signal.SIGKILL)
    wait_gone(agent)
    etcds = [pid for pid, command in processes_of(cluster.dir).items() if command.split()[0].endswith("etcd")]
    assert len(etcds) == 3
    with frozen(etcds):
        leader.start_agent()
        until = time.monotonic() + 12
        while time.monotonic() < until:
            assert not leader.in_recovery()
            time.sleep(0.5)
    wait_for(lambda: query(cluster.endpoint, "select 1") == [(1,)], "the endpoint leads there again")
    assert started(leader) == before


def test_a_resume_gives_nobody_what_a_paused_primary_may_still_write(cluster):
    leader = cluster.leader()
    epoch = cluster.record()["epoch"]
    assert cluster.record()["paused"] is True
    agent = leader.agent_pid()
    os.kill(agent, signal.SIGKILL)
    wait_gone(agent)
    resumed = cluster.howdah("resume", "--wait", "-c", cluster.config(), check=False)
    assert resumed.returncode != 0, resumed.stdout + resumed.stderr
    assert f"{leader.name} led in the pause" in resumed.stderr, resumed.stderr
    until = time.monotonic() + 12
    while time.monotonic() < until:
        assert cluster.writable() == [leader.name], "two primaries"
        assert cluster.record()["epoch"] == epoch
        time.sleep(0.5)
    other = next(m for m in cluster.members.values() if m.name != leader.name)
    told = cluster.howdah("explain", other.name, "-c", cluster.config(), check=False).stdout
    assert "may still take writes" in told and "--accept-loss" in told, told
    leader.start_agent()
    # Its fencer was not armed, so that nothing but its own word says that it led: it starts anew.
    wait_for(lambda: cluster.record()["epoch"] > epoch and len(cluster.writable()) == 1, "one leads again")
    cluster.wait_healthy()
    assert cluster.howdah("pause", "--wait", "-c", cluster.config()).returncode == 0


def test_a_standby_that_is_restarted_comes_back(cluster):
    standby = next(m for m in cluster.members.values() if m.name != cluster.leader().name)
    before = started(standby)
    done = cluster.howdah("restart", "-c", cluster.config(), "howdah", standby.name, "--force")
    assert "Success" in done.stdout, done.stdout + done.stderr
    wait_for(lambda: started(standby) != before, "it runs again")


def test_a_primary_whose_agent_lost_its_state_is_left_running(cluster):
    leader = cluster.leader()
    before, agent = started(leader), leader.agent_pid()
    os.kill(agent, signal.SIGKILL)
    wait_gone(agent)
    state = str(pathlib.Path(leader.data_dir).parent / "state")
    os.rename(state, state + ".lost")
    try:
        leader.start_agent()
        until = time.monotonic() + 8
        while time.monotonic() < until:
            assert not leader.in_recovery() and started(leader) == before
            time.sleep(0.5)
    finally:
        agent = leader.agent_pid()
        os.kill(agent, signal.SIGKILL)
        wait_gone(agent)
        shutil.rmtree(state)
        os.rename(state + ".lost", state)
        leader.start_agent()
    wait_for(lambda: query(cluster.endpoint, "select 1") == [(1,)], "it leads again")
    assert started(leader) == before


def test_a_silent_store_stops_no_primary(cluster):
    leader = cluster.leader()
    before = started(leader)
    others = [m for m in cluster.members.values() if m.name != leader.name]
    quiet = [pid for pid, command in processes_of(cluster.dir).items() if command.split()[0].endswith("etcd")]
    quiet += [others[0].agent_pid()]  # no promise of its: without a pause the term would end
    with frozen(quiet):
        until = time.monotonic() + 12
        while time.monotonic() < until:
            assert not leader.in_recovery()
            time.sleep(0.5)
    wait_for(lambda: query(cluster.endpoint, "select 1") == [(1,)], "the endpoint leads there again")
    assert started(leader) == before


def test_a_primary_that_crashed_goes_on_where_it_was(cluster):
    leader = cluster.leader()
    leader.kill_postmaster()
    wait_for(lambda: not leader.in_recovery() and query(cluster.endpoint, "select 1") == [(1,)], "it leads again")
    assert cluster.leader().name == leader.name


def test_what_an_operator_stopped_is_not_started(cluster):
    standby = next(m for m in cluster.members.values() if m.name != cluster.leader().name)
    postmaster = standby.postmaster_pid()
    os.kill(postmaster, signal.SIGINT)
    wait_gone(postmaster)
    until = time.monotonic() + 8
    while time.monotonic() < until:
        assert not os.path.exists(f"{standby.data_dir}/postmaster.pid")
        time.sleep(0.5)
    assert cluster.howdah("resume", "--wait", "-c", cluster.config()).returncode == 0
    cluster.wait_healthy()
    assert cluster.howdah("pause", "--wait", "-c", cluster.config()).returncode == 0
