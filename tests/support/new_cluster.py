"""Agents on hosts of their own, beside one etcd: a cluster that is made from what a test puts into their directories."""
import contextlib
import json
import os
import pathlib
import pwd
import signal
import subprocess

import yaml
from cluster import HOWDAH, NETWORK, as_postgres, etcd_get, processes_of, query, rest, wait_for

ETCD_HOST = f"{NETWORK}.9"


class Store:
    """One etcd for a test file."""

    def __init__(self, folder):
        self.folder = folder
        url, peer = f"http://{ETCD_HOST}:2379", f"http://{ETCD_HOST}:2380"
        self.process = subprocess.Popen(
            ["etcd", "--name=e", f"--data-dir={folder}/etcd", f"--listen-client-urls={url}", f"--advertise-client-urls={url}",
             f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=e={peer}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        wait_for(lambda: self.keys("/") is not None, "etcd")

    def keys(self, prefix):
        return etcd_get(f"{ETCD_HOST}:2379", prefix)

    def close(self):
        self.process.kill()
        self.process.wait()


class NewHost:
    """A member-to-be: its folder, its file, and its agent when it runs."""

    def __init__(self, folder, number, scope, parameters=None, bootstrap=None, postgresql=None):
        self.name, self.scope = f"n{number}", scope
        self.host = f"{NETWORK}.{70 + number}"
        self.folder = folder / self.name
        self.data = self.folder / "data"
        self.config, self.log = self.folder / "patroni.yml", self.folder / "agent.log"
        self.dsn = f"host={self.host} port=5432 user=postgres password=secret dbname=postgres"
        self.process = None
        self.folder.mkdir(parents=True)
        settings = {
            "scope": scope, "name": self.name, "state_dir": str(self.folder / "state"),
            "restapi": {"listen": f"{self.host}:8008", "connect_address": f"{self.host}:8008"},
            "etcd3": {"hosts": [f"{ETCD_HOST}:2379"]},
            "bootstrap": {"dcs": {"howdah": {"lease": "default"}, "postgresql": {"use_pg_rewind": True}},
                          "initdb": ["data-checksums"],
                          "pg_hba": ["host replication replicator 127.0.0.0/8 md5", "host all all 127.0.0.0/8 md5"],
                          **(bootstrap or {})},
            "postgresql": {
                "listen": f"{self.host}:5432", "data_dir": str(self.data), "pgpass": str(self.folder / "pgpass"),
                "authentication": {"superuser": {"username": "postgres", "password": "secret"},
                                   "replication": {"username": "replicator", "password": "secret"}},
                "parameters": {"unix_socket_directories": str(self.folder), "fsync": "off", "archive_mode": "on",
                               **(parameters or {})},
                **(postgresql or {})}}
        self.config.write_text(yaml.safe_dump(settings))
        own(self.folder)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([HOWDAH, "agent", str(self.config)], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, start_new_session=True, cwd="/", **as_postgres())
        return self

    def kill_agent(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """As a power cut: everything of this host."""
        if self.process and self.process.poll() is None:
            self.kill_agent()
        for pid in processes_of(self.folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def said(self, words):
        return words in self.log.read_text(errors="replace")

    def explained(self):
        return json.loads(rest(self.host, "/explain")[1])

    def is_primary(self):
        with contextlib.suppress(OSError):
            return rest(self.host, "/primary")[0] == 200
        return False

    def wait_primary(self, seconds=60):
        wait_for(self.is_primary, f"{self.name} is primary; its log ends: {self.tail()}", seconds)
        return self

    def wait_streams(self, seconds=60):
        wait_for(lambda: query(self.dsn, "select status from pg_stat_wal_receiver") == [("streaming",)],
                 f"{self.name} streams", seconds, every=0.2)
        return self

    def tail(self):
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""


def own(*folders):
    """PostgreSQL's user has them, and whoever made them can be passed through."""
    user = pwd.getpwnam("postgres")
    for folder in folders:
        for path in [folder, *folder.rglob("*")]:
            if not path.is_symlink():
                os.chown(path, user.pw_uid, user.pw_gid)


def files_below(folder):
    """Names, sizes and times: what shows that nobody wrote there."""
    return {str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
            for path in sorted(pathlib.Path(folder).rglob("*")) if path.is_file()}
