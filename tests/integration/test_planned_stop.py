"""A planned stop ends, whatever PostgreSQL's own would wait for: an archiver, a receiver that never confirms."""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest
import yaml
from cluster import Writer, as_postgres, query, set_parameters, wait_for

LIMIT = 20  # seconds without a primary
BIN = "/usr/lib/postgresql/15/bin"


@pytest.fixture(scope="module")
def archiving(cluster):
    cluster.wait_healthy()
    set_parameters(cluster, archive_mode="on", archive_command="/bin/true", wal_level="logical", wal_sender_timeout="0")
    cluster.howdah("restart", "howdah", "--force", "-c", cluster.config())
    cluster.wait_healthy()
    wait_for(lambda: all(query(m.dsn, "show archive_mode") == [("on",)] for m in cluster.members.values()), "archiving")


@pytest.fixture(autouse=True)
def healthy(cluster, archiving):
    cluster.wait_healthy()
    wait_for(lambda: len(cluster.record()["claimers"]) == 3, "all members may claim")


def processes_in(folder, program):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "comm").read_text().strip() == program \
                    and os.readlink(entry / "cwd") == str(folder):
                found.append(int(entry.name))
    return found


@contextlib.contextmanager
def hanging_archiver(cluster):
    leader = cluster.leader()
    set_parameters(cluster, archive_command="sleep 600")
    query(leader.dsn, "create table if not exists filler (t text)")
    query(leader.dsn, "insert into filler select repeat('x', 1000) from generate_series(1, 100)")
    query(leader.dsn, "select pg_switch_wal()")
    wait_for(lambda: processes_in(leader.data_dir, "sleep"), "the archiver hangs")
    try:
        yield leader
    finally:
        set_parameters(cluster, archive_command="/bin/true")
        for member in cluster.members.values():
            for pid in processes_in(member.data_dir, "sleep"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def stopped_receiver(leader, folder, logical):
    """A receiver that is connected and confirms nothing more."""
    folder.mkdir()
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    for parent in [folder, *list(folder.parents)[:3]]:
        parent.chmod(parent.stat().st_mode | 0o055)
    words = [f"{BIN}/pg_receivewal", "-D", str(folder), "--synchronous", "--no-loop"]
    login = leader.dsn
    if not logical:  # pg_hba lets the replication role alone read WAL as it is
        role = yaml.safe_load(pathlib.Path(leader.config).read_text())["postgresql"]["authentication"]["replication"]
        login = f"host={leader.host} port=5432 user={role['username']} password={role['password']}"
    if logical:
        query(leader.dsn, "select pg_create_logical_replication_slot('watcher', 'test_decoding')")
        words = [f"{BIN}/pg_recvlogical", "--slot", "watcher", "--start", "-f", str(folder / "out"), "--no-loop"]
    before = query(leader.dsn, "select count(*) from pg_stat_replication")[0][0]
    process = subprocess.Popen([*words, "-d", login], stderr=subprocess.PIPE, text=True, **as_postgres())
    try:
        wait_for(lambda: query(leader.dsn, "select count(*) from pg_stat_replication where state = 'streaming'")[0][0] > before,
                 "the receiver streams")
        os.kill(process.pid, signal.SIGSTOP)
        yield
    finally:
        process.kill()
        process.communicate(timeout=10)


def switched_over(cluster, old):
    with Writer(cluster.endpoint) as writer:
        asked = time.monotonic()
        cluster.howdah("switchover", "-c", cluster.config(), "--force", check=False)
        wait_for(lambda: writer.times[-1] > asked and writer.longest_gap(asked) > 0.05, "writes go on", 60)
        writer.outage(asked, LIMIT)
        leader = cluster.wait_new_leader(old)
        rows = len(writer.acknowledged)
        wait_for(lambda: len(writer.acknowledged) > rows, "writes go on", 30)
    assert writer.missing() == []
    return leader


def test_a_switchover_does_not_wait_for_an_archiver_that_hangs(cluster):
    with hanging_archiver(cluster) as old:
        switched_over(cluster, old)
    cluster.wait_healthy()


def test_a_restart_does_not_wait_for_an_archiver_that_hangs(cluster):
    with hanging_archiver(cluster) as leader, Writer(cluster.endpoint) as writer:
        asked = time.monotonic()
        started = query(leader.dsn, "select pg_postmaster_start_time()")
        cluster.howdah("restart", "howdah", leader.name, "--force", "-c", cluster.config(), check=False)
        wait_for(lambda: query(leader.dsn, "select pg_postmaster_start_time()") != started, "the restart", 30)
        rows = len(writer.acknowledged)
        wait_for(lambda: len(writer.acknowledged) > rows + 5, "writes go on", 30)
        assert writer.longest_gap(asked) < LIMIT
        assert cluster.leader() is leader
    cluster.wait_healthy()
    assert writer.missing() == []


@pytest.mark.parametrize("logical", [False, True], ids=["pg_receivewal", "pg_recvlogical"])
def test_a_switchover_does_not_wait_for_a_receiver_that_never_confirms(cluster, tmp_path, logical):
    old = cluster.leader()
    with stopped_receiver(old, tmp_path / "received", logical):
        switched_over(cluster, old)
    cluster.wait_healthy()
