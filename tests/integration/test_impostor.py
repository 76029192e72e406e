"""Something that calls itself like a standby is none: strict mode acknowledges nothing because of it."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import threading

import psycopg2
import pytest
import yaml
from cluster import as_postgres, query, wait_for

UP_OPTIONS = ["--no-load", "--sync", "strict"]
BIN = "/usr/lib/postgresql/15/bin"


class Insert:
    """One row, written past the endpoint; `done` once it is acknowledged."""

    def __init__(self, member, number):
        self.member, self.number, self.done = member, number, False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        connection = psycopg2.connect(self.member.dsn)
        connection.autocommit = True
        with contextlib.suppress(psycopg2.Error), connection.cursor() as cursor:
            cursor.execute("insert into ticks values (%s)", (self.number,))
            self.done = True


def pretend(leader, name, folder):
    """A receiver that streams from the leader by this name."""
    known = yaml.safe_load(pathlib.Path(leader.config).read_text())["postgresql"]["authentication"]["replication"]
    folder.mkdir()
    for parent in [folder, *list(folder.parents)[:3]]:
        parent.chmod(parent.stat().st_mode | 0o055)
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    environment = {**os.environ, "PGAPPNAME": name, "PGPASSWORD": str(known["password"])}
    return subprocess.Popen([f"{BIN}/pg_receivewal", "-h", leader.host, "-U", known["username"], "-D", str(folder),
                             "--synchronous", "--no-loop"], env=environment, stderr=subprocess.PIPE, text=True, **as_postgres())


@pytest.fixture(autouse=True)
def healthy(cluster):
    cluster.wait_healthy()
    wait_for(lambda: cluster.record()["sync"]["voters"], "a published sync set", 30)
    query(cluster.leader().dsn, "create table if not exists ticks (n int)")


def waits_for_a_standby(leader):
    return query(leader.dsn, "select 1 from pg_stat_activity where wait_event = 'SyncRep'")


def test_no_commit_is_acknowledged_by_a_stranger_with_a_dead_standbys_name(cluster, tmp_path):
    leader = cluster.leader()
    dead = [m for m in cluster.members.values() if m is not leader]
    for member in dead:
        member.kill_agent_and_postmaster()  # etcd goes on
    insert = Insert(leader, 42)
    wait_for(lambda: waits_for_a_standby(leader), "the commit waits")
    wait_for(lambda: "placeholder" in query(leader.dsn, "show synchronous_standby_names")[0][0], "nobody is waited for by name")
    strangers = [pretend(leader, m.name, tmp_path / m.name) for m in dead]
    try:
        for stranger in strangers:
            wait_for(lambda s=stranger: s.poll() is not None, "the primary ends it", 30)
            assert "terminating connection" in stranger.stderr.read()
        assert not insert.done and waits_for_a_standby(leader)
    finally:
        for stranger in strangers:
            stranger.kill()
            stranger.wait(timeout=10)
    for member in dead:
        member.start_agent()
    cluster.wait_healthy()
    wait_for(lambda: insert.done, "a standby of the cluster acknowledges it", 30)


def test_a_stranger_beside_a_living_standby_is_ended(cluster, tmp_path):
    leader = cluster.leader()
    name = cluster.record()["sync"]["voters"][0]["name"]
    stranger = pretend(leader, name, tmp_path / "beside")
    try:
        wait_for(lambda: stranger.poll() is not None, "the primary ends it", 30)
    finally:
        stranger.kill()
        stranger.wait(timeout=10)
    assert name in [row[0] for row in query(leader.dsn, "select application_name from pg_stat_replication")]
    cluster.wait_healthy()
