"""A real three-node cluster for tests and benchmarks: `howdah up --detach` and what one does to it.

HOWDAH_BINARY names the program; HOWDAH_TEST_NETWORK the first three parts of the addresses, so that a cluster of
`./dev up` may run beside.
"""
import base64
import contextlib
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

import psycopg2

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOWDAH = os.environ.get("HOWDAH_BINARY", str(ROOT / "build/release/howdah"))
# Each of several workers of pytest-xdist ("gw1") has a network of its own.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
NETWORK = os.environ.get("HOWDAH_TEST_NETWORK", f"127.0.{53 + WORKER}")


def wait_for(condition, what, seconds=30.0, every=0.05):
    """The first true value of condition(); errors of the database count as false."""
    end = time.monotonic() + seconds
    last = None
    while time.monotonic() < end:
        try:
            value = condition()
            if value:
                return value
        except (psycopg2.Error, OSError, KeyError, ValueError, subprocess.SubprocessError) as error:
            last = error
        time.sleep(every)
    raise AssertionError(f"after {seconds} s still waiting: {what}" + (f" (last error: {last})" if last else ""))


def query(dsn, sql, *args, timeout=3):
    connection = psycopg2.connect(dsn, connect_timeout=timeout)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql, args or None)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def as_postgres():
    """Arguments for subprocess: PostgreSQL's user, when the tests run as root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def rest(host, path="/", method="GET"):
    """(status code, body) of a member's REST API."""
    request = urllib.request.Request(f"http://{host}:8008{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def base64_of(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def etcd_call(endpoint, path, body):
    request = urllib.request.Request(f"http://{endpoint}/v3/kv/{path}", data=json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=3) as answer:
        return json.loads(answer.read())


def etcd_get(endpoint, prefix):
    """Keys that begin with a prefix, and their values."""
    answer = etcd_call(endpoint, "range", {"key": base64_of(prefix), "range_end": base64_of(prefix.encode() + b"\xff")})
    return {base64.b64decode(row["key"]).decode(): base64.b64decode(row.get("value", "")).decode()
            for row in answer.get("kvs", [])}


PROGRAMS = {"postgres", "etcd", "initdb", "pg_basebackup", "pg_rewind", "pg_controldata", "pg_waldump", "pg_ctl"}
DAEMONS = {"agent", "proxy", "fencer"}


def processes_of(directory):
    """What the cluster in this directory has running, by pid: its own programs with a path in it, and no shell, editor or
    test that merely names it, for callers kill what stands here."""
    def inside(path):
        return path == str(directory) or path.startswith(f"{directory}/")

    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            program = (entry / "comm").read_text().strip()
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            ours = program in PROGRAMS or (program == "howdah" and len(words) > 1 and words[1] in DAEMONS)
            dead = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
            paths = [os.readlink(entry / "cwd")] + [w[w.index("/"):] for w in words if "/" in w]
            if ours and not dead and any(inside(path) for path in paths):
                found[int(entry.name)] = " ".join(words)
    return found


@contextlib.contextmanager
def frozen(pids):
    """These processes stand still, as on a host that does, and go on afterwards."""
    pids = list(pids)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


class Member:
    def __init__(self, name, facts):
        self.name, self.facts = name, facts
        self.host, self.dsn, self.data_dir = facts["host"], facts["dsn"], facts["data_dir"]
        self.config, self.pid_file, self.log = facts["config"], facts["pid_file"], facts["log"]

    def agent_pid(self):
        return int(pathlib.Path(self.pid_file).read_text())

    def postmaster_pid(self):
        return int((pathlib.Path(self.data_dir) / "postmaster.pid").read_text().splitlines()[0])

    def kill_postmaster(self):
        os.kill(self.postmaster_pid(), signal.SIGKILL)

    def kill_agent_and_postmaster(self):
        agent, postmaster = self.agent_pid(), self.postmaster_pid()
        os.kill(agent, signal.SIGKILL)
        os.kill(postmaster, signal.SIGKILL)

    def kill_everything(self):
        """Agent, fencer, PostgreSQL and etcd of this host, as a power cut would."""
        for pid in processes_of(pathlib.Path(self.data_dir).parent):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def start_agent(self):
        with open(self.log, "ab") as log:
            subprocess.Popen([HOWDAH, "agent", self.config], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                             start_new_session=True, cwd="/", **as_postgres())

    def in_recovery(self):
        return query(self.dsn, "select pg_is_in_recovery()")[0][0]


class Cluster:
    def __init__(self, *options, directory=None):
        self.dir = pathlib.Path(directory or tempfile.mkdtemp(prefix="howdah-cluster-"))
        self.dir.mkdir(exist_ok=True)
        self.dir.chmod(0o755)
        begun = time.monotonic()
        done = subprocess.run([HOWDAH, "up", "--detach", "--dir", str(self.dir), "--network", NETWORK, *options],
                              text=True, capture_output=True, timeout=180, check=False)
        self.seconds_to_start = time.monotonic() - begun
        if done.returncode != 0:
            logs = self.logs()
            self.close()
            raise AssertionError(f"howdah up failed:\n{done.stdout}{done.stderr}\n{logs}")
        self.facts = json.loads((self.dir / "cluster.json").read_text())
        self.endpoint, self.read_only = self.facts["endpoint"], self.facts["read_only"]
        self.members = {name: Member(name, facts) for name, facts in self.facts["members"].items()}

    def close(self):
        subprocess.run([HOWDAH, "down", "--dir", str(self.dir)], capture_output=True, timeout=90, check=False)
        self.left_running = processes_of(self.dir)
        for pid in self.left_running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.dir, ignore_errors=True)

    def config(self):
        """Any member's will do, also a dead one's: it names the stores of all."""
        return next(iter(self.members.values())).config

    def howdah(self, *arguments, check=True):
        return subprocess.run([HOWDAH, *arguments], text=True, capture_output=True, timeout=90, check=check)

    def list(self):
        return json.loads(self.howdah("list", "-c", self.config(), "--format", "json").stdout)

    def leader(self):
        names = [row["Member"] for row in self.list() if row["Role"] == "Leader" and row["State"] == "running"]
        return self.members[names[0]] if len(names) == 1 else None

    def history(self):
        """Rows of Patroni's /history: [timeline that ended, LSN, reason, time, new leader]."""
        return json.loads(rest(self.leader().host, "/history")[1])

    def record(self):
        """The record of leadership, from whichever member's etcd answers."""
        for member in self.members.values():
            with contextlib.suppress(OSError):
                keys = etcd_get(f"{member.host}:2379", "/service/howdah/howdah")
                return json.loads(keys["/service/howdah/howdah"])
        raise OSError("no etcd answers")

    def writable(self):
        """Members that are out of recovery; one that does not answer is not."""
        names = []
        for member in self.members.values():
            with contextlib.suppress(psycopg2.Error):
                names += [] if member.in_recovery() else [member.name]
        return names

    def is_healthy(self):
        rows = self.list()
        states = sorted(row["State"] for row in rows)
        leader = self.leader()
        timelines = {row.get("TL") for row in rows}
        told = len(rows) == 3 and states == ["running", "streaming", "streaming"] and len(timelines) == 1 and leader
        if not told or not leader:
            return None
        # The members' keys outlive what they tell of by a lease.
        recovering = [member.name for member in self.members.values() if member.in_recovery()]
        return leader if len(recovering) == 2 and leader.name not in recovering else None

    def wait_healthy(self, seconds=60):
        return wait_for(self.is_healthy, "one leader and two streaming standbys on one timeline", seconds, every=0.2)

    def wait_new_leader(self, old, seconds=30):
        def changed():
            leader = self.leader()
            return leader if leader and leader.name != old.name and not leader.in_recovery() else None
        return wait_for(changed, f"another leader than {old.name}", seconds)

    def logs(self, lines=60):
        parts = []
        for log in sorted(self.dir.rglob("*.log")):
            with contextlib.suppress(OSError):
                tail = log.read_text(errors="replace").splitlines()[-lines:]
                parts.append(f"--- {log}\n" + "\n".join(tail))
        return "\n".join(parts)


def promote_by_hand(member):
    """Promoted, and a row that the cluster knows nothing of. The agent may end the session amid it."""
    connection = psycopg2.connect(member.dsn, connect_timeout=3)
    connection.autocommit = True
    with contextlib.suppress(psycopg2.Error), connection.cursor() as cursor:
        cursor.execute("select pg_promote()")
        cursor.execute("set synchronous_commit = local")
        cursor.execute("create table if not exists t (n int, text text)")
        cursor.execute("insert into t values (101, 'ghost')")
    connection.close()


def set_parameters(cluster, **values):
    """In the dynamic configuration; returns when every member has taken them, or waits for a restart to."""
    words = [word for name, value in values.items() for word in ("-s", f"postgresql.parameters.{name}={value}")]
    cluster.howdah("edit-config", *words, "--force", "-c", cluster.config())
    for member in cluster.members.values():
        for name, value in values.items():
            if name == "archive_command" and member is not cluster.leader():
                continue  # a standby's refuses
            pending = "select pending_restart from pg_settings where name = %s"
            # PostgreSQL shows the archiver's command as "(disabled)" while archive_mode is off.
            wait_for(lambda m=member, n=name, v=value: query(m.dsn, f"show {n}")[0][0] in (v, "(disabled)")
                     or query(m.dsn, pending, n) == [(True,)], f"{name} at {member.name}")


# Seconds without a write that are far too many on any machine; docs/safety.md says what is usual.
KILLED_AT_MOST, AGENT_KILLED_AT_MOST, HOST_LOST_AT_MOST, SWITCHOVER_AT_MOST = 15, 15, 25, 10


class Writer:
    """Inserts numbered rows through the endpoint, one after the other; remembers what was acknowledged."""

    def __init__(self, dsn, every=0.02, table="probe"):
        self.dsn, self.every, self.table = dsn, every, table
        self.acknowledged, self.errors, self.times = [], [], []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        query(self.dsn, f"create table if not exists {self.table} (n bigint primary key)")
        first = query(self.dsn, f"select coalesce(max(n), 0) from {self.table}")[0][0]
        self.next = first + 1
        self.thread.start()
        wait_for(lambda: len(self.acknowledged) >= 10, "the first ten rows")
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(timeout=60)

    def run(self):
        connection = None
        while not self.stop.is_set():
            begun = time.monotonic()
            number, self.next = self.next, self.next + 1
            try:
                if connection is None:
                    connection = psycopg2.connect(self.dsn, connect_timeout=40)
                    connection.autocommit = True
                with connection.cursor() as cursor:
                    cursor.execute(f"insert into {self.table} values (%s)", (number,))
                self.acknowledged.append(number)
                self.times.append(time.monotonic())
            except psycopg2.Error as error:
                self.errors.append(str(error).strip())
                with contextlib.suppress(Exception):
                    connection.close()
                connection = None
            self.stop.wait(max(0.0, self.every - (time.monotonic() - begun)))

    def missing(self):
        """Acknowledged rows that are not there."""
        acknowledged = set(self.acknowledged)  # before the query: a running writer adds to it
        there = {row[0] for row in query(self.dsn, f"select n from {self.table}")}
        return sorted(acknowledged - there)

    def lost(self):
        """Acknowledged rows that are not there, if they are the last ones before the longest outage; else it fails."""
        missing = self.missing()
        if missing:
            first = self.acknowledged.index(missing[0])
            after = first + len(missing)
            assert self.acknowledged[first:after] == missing and after < len(self.times), f"holes among acknowledged rows: {missing}"
            gap = self.times[after] - self.times[after - 1]
            assert gap == self.longest_gap(0), f"rows lost away from the outage: {missing}"
        return missing

    def longest_gap(self, since):
        """Seconds between two successive acknowledged rows, the last of which came after `since`."""
        times = self.times
        gaps = [b - a for a, b in zip(times, times[1:]) if b > since]
        return max(gaps, default=0.0)

    def outage(self, since, limit):
        """Prints the longest gap and fails when it reaches `limit`, which is generous: it is there for what hangs."""
        gap = self.longest_gap(since)
        print(f"outage {gap:.2f} s, at most {limit}; errors {len(self.errors)}")
        assert gap < limit


class TwinWatch:
    """Asks all members again and again which are writable; `seen` holds every pair that was so at one time."""

    def __init__(self, cluster):
        self.cluster, self.seen, self.rounds = cluster, [], 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(timeout=30)

    def run(self):
        while not self.stop.is_set():
            names = self.cluster.writable()
            # Asked one after the other: only the first, still writable after the second was, makes a pair.
            if len(names) > 1:
                with contextlib.suppress(psycopg2.Error):
                    if not self.cluster.members[names[0]].in_recovery():
                        self.seen.append(names)
            self.rounds += 1
            self.stop.wait(0.02)
