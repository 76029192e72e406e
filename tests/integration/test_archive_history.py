"""Promotions one after the other, one of them by hand: the archive holds the one history of the cluster, whole."""
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest
from cluster import HOWDAH, as_postgres, promote_by_hand, query, set_parameters, wait_for

UP_OPTIONS = ["--no-load"]
PG = pathlib.Path("/usr/lib/postgresql/15/bin")


class Archive:
    """A repository on the host that all members share."""

    def __init__(self, cluster):
        self.dir = cluster.dir / "archive"
        self.dir.mkdir()
        self.config = self.dir / "pgbackrest.conf"
        self.config.write_text(f"[global]\nrepo1-path={self.dir}/repo\nlock-path={self.dir}/lock\nlog-path={self.dir}\n"
                               f"spool-path={self.dir}\nstart-fast=y\n[demo]\n")
        if as_postgres():
            for path in (self.dir, self.config):
                os.chown(path, as_postgres()["user"], as_postgres()["group"])
        self.command = f"{HOWDAH} --config={self.config} --stanza=demo --pg1-path=$PWD archive-push %p"

    def run(self, *words, check=True):
        done = subprocess.run([HOWDAH, f"--config={self.config}", "--stanza=demo", *map(str, words)], check=False, text=True,
                              capture_output=True, timeout=120, cwd="/", **as_postgres())
        assert not check or done.returncode == 0, (words, done.stdout, done.stderr)
        return done

    def names(self):
        """Of segments and histories, without what their stored names add."""
        found = {re.match(r"[0-9A-F]{24}(?=-)|[0-9A-F]{8}\.history", path.name) for path in self.dir.glob("repo/archive/demo/15-1/**/*")}
        return sorted(name.group() for name in found if name)

    def restored_rows(self, *options):
        """What a restore elsewhere holds, recovered as far as these say."""
        data = self.dir / "restored"
        shutil.rmtree(data, ignore_errors=True)
        self.run(f"--pg1-path={data}", "--target-action=promote", *options, "restore")
        own = f"-c hba_file={data}/trust.conf -c ident_file=/dev/null"
        (data / "trust.conf").write_text("local all all trust\n")
        server = [PG / "pg_ctl", "-D", data, "-w", "-s", "-t", "60"]
        subprocess.run([*server, "start", "-l", self.dir / "restored.log", "-o",
                        f"-k {data} -h '' -p 5432 -c archive_mode=off -c fsync=off -c synchronous_standby_names='' {own}"],
                       check=True, cwd="/", **as_postgres())
        dsn = f"host={data} user=postgres dbname=postgres"
        try:
            wait_for(lambda: not query(dsn, "select pg_is_in_recovery()")[0][0], "the end of recovery")
            return [n for n, in query(dsn, "select n from steps order by 1")]
        finally:
            subprocess.run([*server, "stop", "-m", "immediate"], check=True, cwd="/", **as_postgres())


@pytest.fixture(scope="module")
def archive(cluster):
    leader = cluster.wait_healthy()
    made = Archive(cluster)
    for member in cluster.members.values():  # a backup asks by a socket
        folder, config = pathlib.Path(member.data_dir).parent, pathlib.Path(member.config)
        text = config.read_text().replace("unix_socket_directories: ''", f"unix_socket_directories: '{folder}'")
        config.write_text(text.replace("  pg_hba:\n", "  pg_hba:\n    - local all all trust\n"))
        os.kill(member.agent_pid(), signal.SIGKILL)
        member.start_agent()
        cluster.wait_healthy(90)
    leader = cluster.wait_healthy()
    made.run("--no-online", f"--pg1-path={leader.data_dir}", "stanza-create")
    set_parameters(cluster, archive_mode="on", archive_command=made.command)
    cluster.howdah("restart", "howdah", "--force", "-c", cluster.config())
    leader = cluster.wait_healthy()
    query(leader.dsn, "create table steps (n int)")
    made.run("--type=full", f"--pg1-path={leader.data_dir}", f"--pg1-socket-path={pathlib.Path(leader.data_dir).parent}",
             "--pg1-user=postgres", "backup")
    return made


def step(leader, number):
    """A row, in a segment that is then whole. The segment's name."""
    query(leader.dsn, "insert into steps values (%s)", number, timeout=30)
    return query(leader.dsn, "select pg_walfile_name(pg_switch_wal())", timeout=30)[0][0]


def timeline(leader):
    query(leader.dsn, "checkpoint", timeout=30)
    return query(leader.dsn, "select timeline_id from pg_control_checkpoint()")[0][0]


def is_archived(archive, name):
    return wait_for(lambda: name in archive.names(), f"{name} in the archive", 90, every=0.2)


def test_three_promotions_leave_one_history(cluster, archive):
    leader = cluster.leader()
    is_archived(archive, step(leader, 1))
    first = timeline(leader)

    # By hand, on a member that leads nothing: it archives nothing of its branch.
    promoted = next(member for member in cluster.members.values() if member is not leader)
    before = archive.names()
    promote_by_hand(promoted)
    wait_for(promoted.in_recovery, "it follows again", 60)
    cluster.wait_healthy(90)
    is_archived(archive, step(leader, 2))
    assert [name for name in archive.names() if int(name[:8], 16) != first] == [], before

    # The primary is lost with WAL that it could not archive: the next one has it, and pushes it.
    archive.run("stop")
    unarchived = [step(leader, 3), step(leader, 4)]
    for member in cluster.members.values():
        wait_for(lambda m=member: query(m.dsn, "select count(*) from steps") == [(4,)], "it has been replayed")
    leader.kill_agent_and_postmaster()
    second = cluster.wait_new_leader(leader)
    archive.run("start")
    branch = timeline(second)
    for name in [*unarchived, f"{branch:08X}.history", step(second, 5)]:
        is_archived(archive, name)
    leader.start_agent()
    cluster.wait_healthy(90)

    # A planned one.
    wait_for(lambda: cluster.howdah("switchover", "-c", cluster.config(), "--force"), "a standby that has everything", 30, every=1)
    third = cluster.wait_new_leader(second)
    cluster.wait_healthy(90)
    last = step(third, 6)
    is_archived(archive, last)
    is_archived(archive, f"{timeline(third):08X}.history")
    assert third.in_recovery() is False and int(last[:8], 16) == timeline(third) > branch > first

    assert archive.restored_rows() == [1, 2, 3, 4, 5, 6]
    assert archive.restored_rows(f"--target-timeline={branch}") == [1, 2, 3, 4, 5]
    assert archive.restored_rows(f"--target-timeline={first}") == [1, 2, 3, 4]

    # A hole right before the branch: nothing of the first timeline lies behind it, yet it is not its end.
    stored, = archive.dir.glob(f"repo/archive/demo/15-1/*/{unarchived[-1]}-*")
    away = stored.rename(archive.dir / "away")
    archive.config.write_text(archive.config.read_text().replace("[demo]", "archive-timeout=1\n[demo]"))

    def get(name):
        return archive.run(f"--pg1-path={third.data_dir}", "archive-get", name, archive.dir / "got", check=False).returncode

    assert get(unarchived[-1]) == 200
    assert get(f"{first:08X}" + last[8:]) == 1, "behind the branch there is nothing to come"
    with pytest.raises(subprocess.CalledProcessError):
        archive.restored_rows(f"--target-timeline={first}")  # PostgreSQL has stopped
    assert "is missing in the midst" in (archive.dir / "restored.log").read_text()
    away.rename(stored)
    assert archive.restored_rows(f"--target-timeline={first}") == [1, 2, 3, 4]
