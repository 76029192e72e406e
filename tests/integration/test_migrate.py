"""A cluster of Debian's own Patroni 3.0.2 goes on under Howdah with the same files, and back again."""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest
import yaml
from cluster import HOWDAH, NETWORK, as_postgres, etcd_get, processes_of, query, rest, wait_for
from patroni import PATRONI, environment, needs_patroni

ETCD = f"{NETWORK}.90"


class Site:
    """One etcd and two members whose daemon is either patroni or howdah."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="howdah-migrate-"))
        self.dir.chmod(0o777)
        self.running, self.logs = {}, self.dir / "logs"
        self.logs.mkdir(mode=0o777)
        self.etcd = self.spawn("etcd", ["etcd", "--name", "e", "--data-dir", f"{self.dir}/etcd", "--enable-v2",
                                        "--listen-client-urls", f"http://{ETCD}:2379", "--advertise-client-urls", f"http://{ETCD}:2379",
                                        "--listen-peer-urls", f"http://{ETCD}:2380", "--initial-advertise-peer-urls", f"http://{ETCD}:2380",
                                        "--initial-cluster", f"e=http://{ETCD}:2380"])
        wait_for(lambda: etcd_get(f"{ETCD}:2379", "/x") == {}, "etcd answers")
        self.hosts = {"n1": f"{NETWORK}.91", "n2": f"{NETWORK}.92"}

    def spawn(self, name, words, **more):
        with open(self.logs / f"{name}.log", "ab") as log:
            return subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/", **as_postgres(), **more)

    def config(self, name, section="etcd3"):
        host = self.hosts[name]
        login = {"username": "postgres", "password": "sample-password"}
        doc = {"scope": "site", "name": name, "restapi": {"listen": f"{host}:8008", "connect_address": f"{host}:8008"},
               section: {"hosts": [f"{ETCD}:2379"]},
               "bootstrap": {"dcs": {"ttl": 20, "loop_wait": 1, "retry_timeout": 5, "postgresql": {"use_pg_rewind": True, "use_slots": True}},
                             "initdb": [{"encoding": "UTF8"}, "data-checksums"],
                             "pg_hba": ["host replication all 127.0.0.0/8 md5", "host all all 127.0.0.0/8 md5"]},
               "postgresql": {"listen": f"{host}:5432", "connect_address": f"{host}:5432", "data_dir": f"{self.dir}/{name}/data",
                              "bin_dir": "/usr/lib/postgresql/15/bin", "pgpass": f"{self.dir}/{name}.pgpass",
                              "authentication": {"superuser": login, "replication": {"username": "replicator", "password": "sample-password"}},
                              "parameters": {"unix_socket_directories": f"{self.dir}/{name}"}}}
        path = self.dir / f"{name}.yml"
        path.write_text(yaml.safe_dump(doc))
        (self.dir / name).mkdir(exist_ok=True)
        (self.dir / name).chmod(0o777)
        return str(path)

    def start(self, name, daemon):
        words = ["/usr/bin/python3", str(PATRONI)] if daemon == "patroni" else [HOWDAH, "agent"]
        self.running[name] = self.spawn(name, [*words, self.config(name)], env=environment(HOME=str(self.dir)))

    def stop(self, name):
        process = self.running.pop(name)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=40)

    def query(self, name, sql):
        return query(f"host={self.hosts[name]} port=5432 user=postgres password=sample-password dbname=postgres", sql)

    def primary(self):
        names = []
        for name in self.running:
            with contextlib.suppress(Exception):
                if not self.query(name, "select pg_is_in_recovery()")[0][0] and rest(self.hosts[name], "/primary")[0] == 200:
                    names.append(name)
        return names[0] if len(names) == 1 else None

    def streams(self):
        rows = self.query(self.primary(), "select application_name from pg_stat_replication where state = 'streaming'")
        return len(rows) == len(self.running) - 1

    def tails(self):
        return "\n".join(f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-40:]) for log in self.logs.iterdir())

    def close(self):
        for name in list(self.running):
            with contextlib.suppress(Exception):
                self.stop(name)
        for pid in processes_of(self.dir):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.etcd.kill()
        self.etcd.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


@pytest.fixture
def site():
    made = Site()
    try:
        yield made
    except BaseException:
        print(made.tails())
        raise
    finally:
        print(made.tails())
        made.close()


@needs_patroni
def test_patroni_members_become_howdah_members_one_by_one_and_all_go_back(site):
    for name in site.hosts:
        site.start(name, "patroni")
        wait_for(site.primary, "a primary under Patroni", 60)
    wait_for(site.streams, "the standby streams", 60)
    old = site.primary()
    site.query(old, "create table kept as select generate_series(1, 1000) as n")
    other = next(name for name in site.hosts if name != old)

    site.stop(other)
    site.start(other, "howdah")
    wait_for(site.streams, "Howdah's standby streams from Patroni's primary", 40)
    assert site.primary() == old, "a Howdah member takes nothing from a Patroni leader"
    site.query(old, "insert into kept values (0)")
    wait_for(lambda: site.query(other, "select count(*) from kept") == [(1001,)], "the row on Howdah's standby")

    def shown():
        return subprocess.run([HOWDAH, "list", "-c", site.config(other)], text=True, capture_output=True, timeout=20, check=True).stdout

    wait_for(lambda: " Mixed with Patroni: " in shown() and "| n1 " in shown(), "the list tells of both")
    assert '"nofailover":true' in etcd_get(f"{ETCD}:2379", f"/service/site/members/{other}")[f"/service/site/members/{other}"]
    site.stop(old)
    wait_for(site.primary, "the Howdah member leads when Patroni's key has expired", 90)
    assert site.primary() == other and site.query(other, "select count(*) from kept") == [(1001,)]
    site.start(old, "howdah")
    wait_for(site.primary, "a primary under Howdah", 90)
    wait_for(site.streams, "the other member streams", 60)
    assert site.query(site.primary(), "select count(*) from kept") == [(1001,)]
    site.query(site.primary(), "insert into kept values (1001)")

    for name in site.hosts:
        site.stop(name)
    for name in site.hosts:
        site.start(name, "patroni")
    wait_for(site.primary, "a primary under Patroni again", 90)
    wait_for(site.streams, "the standby streams again", 60)
    assert site.query(site.primary(), "select count(*) from kept") == [(1002,)]


def test_a_scope_in_the_v2_store_is_refused_with_the_way_out(site):
    subprocess.run(["etcdctl", "--endpoints", f"http://{ETCD}:2379", "set", "/service/site/leader", "n1"], check=True, capture_output=True,
                   timeout=10, env={**os.environ, "ETCDCTL_API": "2"})
    file = site.config("n1", section="etcd")
    done = subprocess.run([HOWDAH, "agent", file], text=True, capture_output=True, timeout=30, **as_postgres())
    assert done.returncode == 3 and "this scope lives in etcd's v2 store" in done.stderr, done.stderr
    assert "docs/migrate-from-patroni.md" in done.stderr
    assert etcd_get(f"{ETCD}:2379", "/service/site/") == {}
