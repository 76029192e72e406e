"""Verbs on the repository host whose clusters are on other hosts: they run beside the primary, wherever that is."""
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest
from cluster import HOWDAH, NETWORK, Writer, as_postgres, query, set_parameters, wait_for
from repo_host import REPO_ADDRESS

HOSTS = {f"pgvm{n}": f"{NETWORK}.8{n}" for n in (1, 2, 3, 6)}
UP_OPTIONS = ["--no-load", "--etcd", "1"]


def write(path, text):
    path.write_text(text)
    if as_postgres():
        os.chown(path, as_postgres()["user"], as_postgres()["group"])


class Hosts:
    """The three database hosts of a cluster with their agents' jobs, and the repository host."""

    def __init__(self, cluster):
        self.cluster, self.dir, self.process = cluster, cluster.dir / "backup", None
        self.dir.mkdir()
        if as_postgres():
            os.chown(self.dir, as_postgres()["user"], as_postgres()["group"])
        self.run(HOWDAH, "cert", self.dir / "tls", "--ca", *[f"--host={name},{at}" for name, at in HOSTS.items()])
        self.there, self.log = self.dir / "pgvm6.conf", self.dir / "repo.log"
        stanza, own = "", f"log-path={self.dir}\nlock-path={self.dir}/lock-pgvm6\n"
        for number, host in enumerate(cluster.members.values(), 1):
            socket = pathlib.Path(host.data_dir).parent
            stanza += (f"pg{number}-path={host.data_dir}\npg{number}-port=5432\npg{number}-host={host.host}\n"
                       f"pg{number}-socket-path={socket}\n" + self.tls(f"pg{number}-host", "pgvm6"))
            write(self.conf(host), f"[main]\npg1-path={host.data_dir}\npg1-port=5432\npg1-socket-path={socket}\npg1-user=postgres\n\n"
                  f"[global]\nlog-level-file=detail\nrepo1-host={REPO_ADDRESS}\nrepo1-host-user=postgres\n"
                  f"log-path={self.dir}\nlock-path={self.dir}/lock-{host.name}\nspool-path={self.dir}\n" + self.tls("repo1-host", host.name))
            text = pathlib.Path(host.config).read_text()
            text = text.replace("unix_socket_directories: ''", f"unix_socket_directories: '{socket}'")
            text = text.replace("  pg_hba:\n", "  pg_hba:\n    - local all all trust\n")
            assert str(socket) + "'" in text and "local all" in text
            write(pathlib.Path(host.config), text + f"backup_jobs:\n  listen: {host.host}:8432\n  config: {self.conf(host)}\n"
                  f"  tls: {self.yaml_tls(host.name)}\n")
        write(self.there, f"[main]\n{stanza}\n[global]\nrepo1-path={self.dir}/repo\nrepo1-retention-full=2\nstart-fast=y\n{own}")
        write(self.dir / "repo.yml", f"repo:\n  config: {self.there}\n  listen: {REPO_ADDRESS}:8432\n  tls: {self.yaml_tls('pgvm6')}\n")
        self.serve()

    def conf(self, host):
        return self.dir / f"{host.name}.conf"

    def tls(self, prefix, name):
        return "".join(f"{prefix}-{what}-file={self.dir}/tls/{file}\n"
                       for what, file in (("ca", "ca.crt"), ("cert", f"{name}.crt"), ("key", f"{name}.key")))

    def yaml_tls(self, name):
        return f"{{ca: {self.dir}/tls/ca.crt, cert: {self.dir}/tls/{name}.crt, key: {self.dir}/tls/{name}.key}}"

    def run(self, *words, check=True):
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=120, cwd="/", **as_postgres())
        assert not check or done.returncode == 0, (words, done.stdout, done.stderr)
        return done

    def verb(self, *words, check=True):
        return self.run(HOWDAH, f"--config={self.there}", "--stanza=main", "--log-level-console=detail", *words, check=check)

    def begin(self, *words):
        return subprocess.Popen([HOWDAH, f"--config={self.there}", "--stanza=main", "--log-level-console=info", *words],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/", **as_postgres())

    def serve(self, yaml=None):
        count = self.log.read_text().count("listens on") if self.log.exists() else 0
        self.process = subprocess.Popen([HOWDAH, "repo", yaml or self.dir / "repo.yml"], stderr=self.log.open("a"), cwd="/", **as_postgres())
        wait_for(lambda: self.log.read_text().count("listens on") > count, "the repository host")

    def stop(self):
        self.process.terminate()
        assert self.process.wait(20) == 0

    def backups(self):
        return json.loads(self.verb("info", "--output=json").stdout)[0]["backup"]


@pytest.fixture(scope="module")
def hosts(cluster):
    cluster.wait_healthy()
    made = Hosts(cluster)
    for host in cluster.members.values():  # one agent after the other takes the new section
        os.kill(host.agent_pid(), signal.SIGKILL)
        host.start_agent()
        wait_for(lambda h=host: "jobs of the repository host are answered" in pathlib.Path(h.log).read_text(), "jobs")
        cluster.wait_healthy()
    command = f"{HOWDAH} --config={made.dir}/$(basename $(dirname $PWD)).conf --stanza=main archive-push %p"
    set_parameters(cluster, archive_mode="on", archive_command=command)
    cluster.howdah("restart", "howdah", "--force", "-c", cluster.config())
    cluster.wait_healthy()
    made.verb("stanza-create")
    yield made
    made.stop()


def test_check_asks_every_host(cluster, hosts):
    said = hosts.verb("check").stdout
    assert said.count("switch wal not performed because this is a standby") == 2, said
    assert len(re.findall("WAL segment [0-9A-F]{24} successfully archived to", said)) == 1, said


def test_a_backup_is_taken_beside_the_primary(cluster, hosts):
    leader = cluster.leader()
    query(leader.dsn, "create table t as select generate_series(1, 10000) n")
    said = hosts.verb("backup").stdout
    for line in ("INFO: backup command begin", "WARN: no prior backup exists, incr backup has been changed to full",
                 "after the requested immediate checkpoint completes", "backup start archive = ", "new backup label = ",
                 "backup command end: completed successfully", "expire command begin", "expire command end: completed successfully"):
        assert line in said, (line, said)
    assert [backup["type"] for backup in hosts.backups()] == ["full"]
    cluster.howdah("switchover", "-c", cluster.config(), "--force")
    moved = cluster.wait_new_leader(leader)
    cluster.wait_healthy()
    said = hosts.verb("backup", "--type=incr").stdout
    assert f"({moved.host}) is primary on timeline" in said, said
    assert [backup["type"] for backup in hosts.backups()] == ["full", "incr"]


# How long the repository host is away; a soak makes it longer.
AWAY_SECONDS = float(os.environ.get("HOWDAH_AWAY_SECONDS", "15"))


def test_the_repository_host_may_die_under_load(cluster, hosts):
    leader = cluster.wait_healthy()
    with Writer(cluster.endpoint) as writer:
        hosts.process.kill()
        hosts.process.wait()
        begun, switched = time.monotonic(), []
        while time.monotonic() - begun < AWAY_SECONDS:
            switched.append(query(leader.dsn, "select pg_walfile_name(pg_switch_wal())")[0][0])
            count = len(writer.acknowledged)
            wait_for(lambda n=count: len(writer.acknowledged) > n + 10, "writes go on")
        assert writer.longest_gap(begun) < 3, "the primary waits for no archive"
        hosts.serve()
        # PostgreSQL's archiver rests a minute after three failures.
        wait_for(lambda: query(leader.dsn, "select last_archived_wal >= %s from pg_stat_archiver", switched[-1])[0][0],
                 "archiving goes on by itself", 90, every=0.2)
    assert writer.missing() == [] and writer.errors == [] and cluster.leader().name == leader.name
    there = {path.name[:24] for path in hosts.dir.glob("repo/archive/main/15-1/*/*")}
    assert set(switched) <= there, sorted(set(switched) - there)
    assert "status: error" not in hosts.verb("verify").stdout


def test_nothing_but_jobs_can_be_asked_for(cluster, hosts):
    refused = hosts.verb("backup", "--no-online", "--force", check=False)
    assert refused.returncode == 31 and "database host" in refused.stdout
    # pgvm1 is no repository host of pgvm2.
    conf = hosts.dir / "impostor.conf"
    write(conf, hosts.there.read_text().replace("tls/pgvm6", "tls/pgvm1"))
    refused = hosts.run(HOWDAH, f"--config={conf}", "--stanza=main", "check", check=False)
    assert refused.returncode == 56 and "client 'pgvm1' is no repository host of stanza 'main'" in refused.stdout, refused


def test_what_is_scheduled_runs_once_however_often_it_was_missed(cluster, hosts):
    state, yaml = hosts.dir / "schedule.json", hosts.dir / "schedule.yml"
    write(yaml, (hosts.dir / "repo.yml").read_text() + f"  state: {state}\n  schedule:\n"
          "    {full: '0 * * * *', incr: '*/5 * * * *', verify: '@hourly', restore-test: '@hourly', expire: '0 0 30 2 *'}\n")
    write(state, json.dumps({"main": dict.fromkeys(("full", "incr", "verify", "restore-test", "expire"), 1_000_000_000)}))
    planned = hosts.run(HOWDAH, "repo", yaml, "--dry-run").stdout
    assert re.search("main full .*; would run now", planned) and "would be skipped: full is due as well" in planned, planned
    assert "main expire       next never" in planned
    before = len(hosts.backups())
    done = hosts.run(HOWDAH, "repo", yaml, "--once").stderr
    assert "main incr: skipped why=\"full is due as well\"" in done and "main full: new backup label" in done, done
    assert "main restore-test: begins" in done and "restore test of stanza main: good" in done, done
    assert "main verify: begins" in done and done.index("main full: begins") < done.index("main verify: begins")
    assert "begins" not in hosts.run(HOWDAH, "repo", yaml, "--once").stderr
    # One that comes due while nobody runs it is run by the daemon when it starts, and its failure is told.
    seen = json.loads(state.read_text())
    seen["main"]["incr"] = 1_000_000_000
    write(state, json.dumps(seen))
    hosts.stop()
    hosts.serve(yaml)
    wait_for(lambda: len(hosts.backups()) == before + 2, "the backup that was missed", 60)
    assert hosts.backups()[-1]["type"] == "incr"
    wait_for(lambda: json.loads(state.read_text())["main"]["incr"] > 1_000_000_000, "the state")
    hosts.stop()
    hosts.serve()
    wrong = hosts.dir / "wrong.yml"
    write(wrong, yaml.read_text().replace("0 * * * *", "61 * * * *"))
    refused = hosts.run(HOWDAH, "repo", wrong, check=False)
    assert refused.returncode == 1 and "repo.schedule.full: '61' is no minute" in refused.stderr, refused


def jobs():
    return [pid for pid in pathlib.Path("/proc").iterdir() if pid.name.isdigit() and is_job(pid)]


def is_job(pid):
    try:
        return b"HOWDAH_JOB=" in (pid / "environ").read_bytes()
    except OSError:
        return False


def test_who_asked_takes_the_job_along(cluster, hosts):
    slow = hosts.begin("backup", "--type=full", "--rate-limit=1MiB")
    wait_for(jobs, "the job")
    slow.send_signal(signal.SIGKILL)
    slow.wait(20)
    wait_for(lambda: not jobs(), "the end of the job")
    wait_for(lambda: hosts.verb("expire", check=False).returncode == 0, "the lock is free")


def test_a_failover_under_a_backup_begins_it_again_on_the_new_primary(cluster, hosts):
    leader = cluster.leader()
    slow = hosts.begin("backup", "--type=full", "--rate-limit=1MiB")
    wait_for(lambda: list((hosts.dir / "repo/backup/main").glob("*F/pg_data/base")) and jobs(), "a backup that copies")
    before = hosts.backups()[-1]["label"]
    leader.kill_everything()
    said = slow.communicate(timeout=120)[0]
    now = cluster.leader()
    assert slow.returncode == 0, said
    assert "the backup begins again there" in said and f"({now.host}) is primary" in said, said
    leader.start_agent()
    cluster.wait_healthy()
    assert hosts.backups()[-1]["label"] != before and hosts.backups()[-1]["type"] == "full"
    assert hosts.verb("verify").returncode == 0
