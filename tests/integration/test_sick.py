"""A primary that lives and can't do its work: another takes over, if a healthy one is there."""
import contextlib
import json
import os
import pathlib
import pwd
import shutil
import subprocess

import pytest
from cluster import Writer, as_postgres, frozen, processes_of, query, rest, wait_for

AFTER = 40  # seconds: eight until it counts as hung, four of patience, the rest for a busy machine


@pytest.fixture(autouse=True)
def healthy(cluster):
    cluster.wait_healthy()
    wait_for(lambda: len(cluster.record()["claimers"]) == 3, "all members may claim")


def log_after(member, begin):
    return pathlib.Path(member.log).read_text()[begin:]


def test_primary_whose_postmaster_hangs_is_replaced(cluster):
    """By a standby that has all of its WAL, or by a postmaster that answers."""
    sick = cluster.leader()
    begin = len(log_after(sick, 0))
    with Writer(cluster.endpoint) as writer:
        with frozen([sick.postmaster_pid()]):
            wait_for(lambda: "can take over" in log_after(sick, begin), "the agent gives it up", AFTER)
        rows = len(writer.acknowledged)
        wait_for(lambda: len(writer.acknowledged) > rows, "writes go on", 30)
        wait_for(lambda: query(cluster.endpoint, "select 1") == [(1,)], "new connections are answered", 30)
    cluster.wait_healthy()
    assert "answered no new connection" in log_after(sick, begin)


def test_hanging_primary_stays_when_nobody_could_take_over(cluster):
    sick = cluster.leader()
    begin = len(log_after(sick, 0))
    standbys = [m for m in cluster.members.values() if m is not sick]
    with frozen([m.postmaster_pid() for m in standbys]), frozen([sick.postmaster_pid()]):
        wait_for(lambda: "could another member take over?" in log_after(sick, begin), "the agent asks the others", AFTER)
        trouble = json.loads(rest(sick.host, "/explain")[1])["trouble"]
        assert "answered no new connection" in trouble
        assert [row["Member"] for row in cluster.list() if row["Role"] == "Leader"] == [sick.name]
    cluster.wait_healthy()


@contextlib.contextmanager
def small_disk(member):
    """This member's data lie on a file system of their own from now on."""
    user = pwd.getpwnam("postgres")
    member.kill_everything()
    shutil.rmtree(member.data_dir)
    os.mkdir(member.data_dir)
    options = f"size=640m,mode=0700,uid={user.pw_uid},gid={user.pw_gid}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "howdah-test", member.data_dir], check=True)
    member.start_agent()
    try:
        yield
    finally:
        member.kill_everything()
        wait_for(lambda: not processes_of(pathlib.Path(member.data_dir).parent), "the processes are gone", 10)
        subprocess.run(["umount", member.data_dir], check=True)


def fill(member):
    subprocess.run(["dd", "if=/dev/zero", f"of={member.data_dir}/ballast", "bs=1M"], check=False, capture_output=True,
                   **as_postgres())


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_primary_whose_disk_is_full_is_left(cluster):
    sick = next(m for m in cluster.members.values() if m is not cluster.leader())
    with small_disk(sick):
        cluster.wait_healthy()
        wait_for(lambda: len(cluster.record()["claimers"]) == 3, "all members may claim")
        cluster.howdah("switchover", "-c", cluster.config(), "--candidate", sick.name, "--force")
        cluster.wait_healthy()
        assert cluster.leader() is sick
        with Writer(cluster.endpoint) as writer:
            fill(sick)
            cluster.wait_new_leader(sick, AFTER)
            rows = len(writer.acknowledged)
            wait_for(lambda: len(writer.acknowledged) > rows, "writes go on", 20)
        assert writer.missing() == []
        os.remove(f"{sick.data_dir}/ballast")
        cluster.wait_healthy()
