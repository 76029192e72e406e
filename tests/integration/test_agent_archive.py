"""archive_command through the agent: a pusher of its own does the work, and the agent may come and go."""
import calendar
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest
from cluster import HOWDAH, as_postgres, query, rest, set_parameters, wait_for


def command(cluster):
    return f"{HOWDAH} --config={cluster.dir}/backup.conf --stanza=demo --pg1-path=$PWD --log-level-console=info archive-push"


@pytest.fixture(scope="module")
def archiving(cluster):
    leader = cluster.wait_healthy()
    repository = cluster.dir / "repository"
    (cluster.dir / "backup.conf").write_text(
        f"[global]\nrepo1-path={repository}\nlock-path={repository}/lock\nlog-path={repository}\nspool-path={repository}\n"
        "process-max=2\ncompress-type=gz\n[demo]\n")
    repository.mkdir()
    if as_postgres():
        os.chown(repository, as_postgres()["user"], as_postgres()["group"])
    subprocess.run([HOWDAH, f"--config={cluster.dir}/backup.conf", "--stanza=demo", f"--pg1-path={leader.data_dir}",
                    "--no-online", "stanza-create"], check=True, cwd="/", **as_postgres())
    set_parameters(cluster, archive_mode="on", archive_command=command(cluster) + " %p")
    cluster.howdah("restart", "howdah", "--force", "-c", cluster.config())
    return cluster.wait_healthy()


def switch_wal(leader, times):
    for _ in range(times):
        query(leader.dsn, "create table if not exists filler (n int)")
        query(leader.dsn, "insert into filler select generate_series(1, 10000)")
        last = query(leader.dsn, "select pg_walfile_name(pg_switch_wal())")[0][0]
    wait_for(lambda: query(leader.dsn, "select last_archived_wal >= %s from pg_stat_archiver", last)[0][0], "archiving", 60)
    return last


def pusher_of(agent):
    children = pathlib.Path(f"/proc/{agent}/task/{agent}/children").read_text().split()
    found = [int(pid) for pid in children if b"archive-pusher" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]
    return found[0] if found else None


def resident_mb(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def test_list_says_how_much_a_restore_would_bring_back(cluster, archiving):
    before = int(query(archiving.dsn, "select floor(extract(epoch from clock_timestamp()))::bigint")[0][0])
    switch_wal(archiving, 1)

    def until():
        lines = [line for line in cluster.howdah("list", "-e", "-c", cluster.config()).stdout.splitlines()
                 if "Recoverable until" in line]
        found = re.search(r"until: (\S+ \S+) UTC", lines[0]) if lines else None
        return found and calendar.timegm(time.strptime(found[1], "%Y-%m-%d %H:%M:%S"))
    before -= 1  # the time of a file lags the clock by a tick
    wait_for(lambda: (until() or 0) >= before, "list tells it")
    assert until() <= time.time() + 1
    metric = rest(archiving.host, "/metrics")[1]
    assert float(re.search(r"howdah_recoverable_until_seconds\{.*\} (\d+)", metric)[1]) >= before


def test_archiving_goes_through_the_agent_and_on_without_it(cluster, archiving):
    leader = archiving
    agent = leader.agent_pid()
    socket = next(pathlib.Path(leader.data_dir).parent.glob("*/archive.sock"))
    assert socket.stat().st_mode & 0o777 == 0o600
    switch_wal(leader, 8)
    pusher = pusher_of(agent)
    assert pusher, "the agent has a pusher"
    print(f"agent {resident_mb(agent):.1f} MB, pusher {resident_mb(pusher):.1f} MB")
    assert resident_mb(agent) < 40
    # Without its pusher, which the next request starts anew.
    os.kill(pusher, signal.SIGKILL)
    switch_wal(leader, 3)
    wait_for(lambda: pusher_of(agent) not in (None, pusher), "a new pusher")
    # Without the agent the pusher ends, and each command pushes itself; PostgreSQL runs on for its lease.
    pusher = pusher_of(agent)
    os.kill(agent, signal.SIGKILL)
    wait_for(lambda: not pathlib.Path(f"/proc/{pusher}").exists(), "the pusher's end with the agent")
    switch_wal(leader, 2)
    leader.start_agent()
    leader = cluster.wait_healthy()
    switch_wal(leader, 3)
    wait_for(lambda: pusher_of(leader.agent_pid()), "the pusher of the agent that came back")
    assert query(leader.dsn, "select failed_count from pg_stat_archiver")[0][0] == 0
    done = subprocess.run([HOWDAH, f"--config={cluster.dir}/backup.conf", "--stanza=demo", "verify"],
                          check=False, text=True, capture_output=True, cwd="/", **as_postgres())
    assert done.returncode == 0, done.stdout + done.stderr
