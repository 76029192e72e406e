"""What an agent does at its start with a PostgreSQL, or a data directory, that it finds. Its store does not answer."""
import os
import pathlib
import pwd
import struct
import subprocess
import time

import psycopg2
import pytest
from cluster import HOWDAH, NETWORK, as_postgres, processes_of, query, wait_for

PG = pathlib.Path("/usr/lib/postgresql/15/bin")
HOST = f"{NETWORK}.1"
DSN = f"host={HOST} port=6543 user=postgres dbname=postgres"
CONFIG = """
scope: found
name: n1
state_dir: {folder}/state
restapi: {{listen: '{host}:8008'}}
etcd3: {{hosts: ['{host}:2379']}}
postgresql:
  listen: {host}:6543
  data_dir: {folder}/data
  bin_dir: {programs}
  authentication:
    superuser: {{username: postgres, password: a}}
    replication: {{username: replicator, password: b}}
"""
THIS_BOOT = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().replace("-", "").strip()
ANOTHER_BOOT = "0123456789abcdef" * 2


class Found:
    """A folder of user postgres with a cluster in it, and the agent of this folder."""

    def __init__(self, folder):
        self.folder, self.data, self.state = folder, folder / "data", folder / "state"
        self.state.mkdir(mode=0o700)
        self.file = folder / "patroni.yml"
        self.file.write_text(CONFIG.format(folder=folder, host=HOST, programs=PG))
        self.log = folder / "agent.log"
        self.agent = None
        user = pwd.getpwnam("postgres")
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, user.pw_uid, user.pw_gid)
        self.run(PG / "initdb", "-D", self.data, "-A", "trust", "-U", "postgres")

    def run(self, *words):
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60, check=False, cwd="/",
                              env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"}, **as_postgres())
        assert done.returncode == 0, (words, done.stdout, done.stderr)

    def start_by_hand(self):
        """As a distribution's own service does at boot."""
        self.run(PG / "pg_ctl", "start", "-w", "-s", "-D", self.data, "-l", self.folder / "postgresql.log", "-o",
                 f"-h {HOST} -p 6543 -k ''")

    def write_deadline(self, boot, seconds):
        """The fencer's page as an earlier agent left it: sequence, deadline, boot."""
        at = time.clock_gettime_ns(time.CLOCK_BOOTTIME) + int(seconds * 1e9)
        page = struct.pack("<QqQQ", 2, at, int(boot[:16], 16), int(boot[16:], 16)).ljust(4096, b"\0")
        path = self.state / "deadline"
        path.write_bytes(page)
        os.chown(path, pwd.getpwnam("postgres").pw_uid, pwd.getpwnam("postgres").pw_gid)

    def start_agent(self):
        with open(self.log, "ab") as log:
            self.agent = subprocess.Popen([HOWDAH, "agent", str(self.file)], stdout=log, stderr=log, cwd="/",
                                          stdin=subprocess.DEVNULL, start_new_session=True, **as_postgres())

    def said(self, text):
        return text in self.log.read_text()

    def writable(self):
        try:
            return query(DSN, "select not pg_is_in_recovery()")[0][0]
        except psycopg2.Error:
            return False

    def close(self):
        if self.agent:
            self.agent.terminate()
            self.agent.wait(timeout=30)
        for pid in processes_of(self.folder):
            os.kill(pid, 9)


@pytest.fixture
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("found")
    for parent in [folder, *list(folder.parents)[:2]]:
        parent.chmod(parent.stat().st_mode | 0o055)
    made = Found(folder)
    yield made
    made.close()


@pytest.mark.parametrize("boot", [ANOTHER_BOOT, THIS_BOOT], ids=["another boot's deadline", "this boot's deadline"])
def test_a_primary_that_no_fencer_will_end_is_stopped_at_once(found, boot):
    found.start_by_hand()
    found.write_deadline(boot, 900_000)
    assert found.writable()
    begun = time.monotonic()
    found.start_agent()
    wait_for(lambda: not found.writable(), "it is stopped", 20)
    print(f"stopped after {time.monotonic() - begun:.2f} s")
    wait_for(lambda: found.said("rule=fence_without_term"), "the agent says why")


def test_a_good_directory_outlives_a_mark_of_unfinished_work_elsewhere(found):
    """An agent was stopped amid a base backup; then an operator put a good directory in the place of the half one."""
    (found.state / "unfinished").write_text(f"{found.data}\n")
    (found.data / "kept").write_text("precious")
    found.start_agent()
    wait_for(lambda: found.said("rule=wait_for_store"), "the agent has looked around", 20)
    assert (found.data / "kept").read_text() == "precious"
    assert (found.data / "global/pg_control").exists()
