#!/usr/bin/python3
"""WAL segments a second, one program start for each as archive_command and restore_command do it: Howdah beside pgbackrest.

usage: archive.py [--howdah BINARY] [--runs N] [--segments N] [--process-max N] [--json]
Both archive the same segments, of real WAL, into a repository of their own, in turns: each by itself, Howdah by the
agent's pusher as well (started here as the agent does), and both by a process in the background (archive-async), which
pushes, or fetches, ahead by N threads or processes. What comes out is for docs/performance.md and decides no test.
"""
import argparse
import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--howdah")
parser.add_argument("--runs", type=int, default=3)
parser.add_argument("--segments", type=int, default=50)
parser.add_argument("--compress", action="append", choices=["none", "gz", "lz4", "zst"])
parser.add_argument("--process-max", type=int, default=2)
parser.add_argument("--json", action="store_true")
options = parser.parse_args()
if options.howdah:
    os.environ["HOWDAH_BINARY"] = str(pathlib.Path(options.howdah).resolve())

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))
from backup_site import PG, Site  # noqa: E402
from cluster import as_postgres  # noqa: E402


def fill_wal(site, count):
    """Segments full of what pgbench leaves behind."""
    socket = f"-k {site.folder} -c listen_addresses= -c wal_keep_size={count * 16 + 64}MB -c max_wal_size=4GB -p 54329"
    site.run(PG / "pg_ctl", "-D", site.data, "-w", "-l", site.folder / "server.log", "-o", socket, "start")
    connect = ["-h", site.folder, "-p", "54329", "-U", "postgres"]
    site.run(PG / "pgbench", *connect, "-i", "-q", "-s", "20", "postgres")
    while len(segments(site)) <= count:
        site.run(PG / "pgbench", *connect, "-n", "-c", "4", "-t", "4000", "postgres")
    site.run(PG / "pg_ctl", "-D", site.data, "-w", "-m", "fast", "stop")
    return segments(site)[:count]


def segments(site):
    return [path for path in sorted((site.data / "pg_wal").iterdir()) if len(path.name) == 24]


AGENT = """
import os, socket, subprocess, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[2]); os.chmod(sys.argv[2], 0o600); listener.listen(16)
print(flush=True)
subprocess.run([sys.argv[1], "archive-pusher", str(os.getpid())], stdin=listener)
"""


@contextlib.contextmanager
def pusher(site):
    """The agent's part: a socket, and the pusher behind it."""
    path = pathlib.Path(f"{site.data}.howdah/archive.sock")
    site.run("mkdir", "-p", path.parent)
    agent = subprocess.Popen(["/usr/bin/python3", "-c", AGENT, site.howdah, path], stdout=subprocess.PIPE, **as_postgres())
    agent.stdout.readline()
    try:
        yield
    finally:
        agent.kill()
        agent.wait()
        path.unlink()


def push_all(site, run, wal, *options):
    """As PostgreSQL does: all are ready, one is asked for after the other. Seconds."""
    status = site.data / "pg_wal/archive_status"
    for path in wal:
        (status / f"{path.name}.ready").touch()
    begun = time.monotonic()
    for path in wal:
        run(*options, "archive-push", path)
        (status / f"{path.name}.ready").unlink()
    return time.monotonic() - begun


def get_all(site, run, wal, *options):
    fetched = site.data / "fetched"
    taken = 0.0
    for path in wal:
        fetched.unlink(missing_ok=True)  # PostgreSQL takes it away, too
        begun = time.monotonic()
        run(*options, "archive-get", path.name, fetched)
        taken += time.monotonic() - begun
    return taken


WAYS = [("archive-push", "ours", "alone"), ("archive-push", "real", "alone"), ("archive-push", "ours", "agent"),
        ("archive-push", "ours", "async"), ("archive-push", "real", "async"),
        ("archive-get", "ours", "alone"), ("archive-get", "real", "alone"),
        ("archive-get", "ours", "async"), ("archive-get", "real", "async")]


def measure(site, compress, wal):
    """Seconds of each way for all segments, runs in turn: {(verb, program, way): [seconds]}."""
    config = site.config.read_text()
    changed = config.replace("compress-type=gz", f"compress-type={compress}\nprocess-max={options.process_max}")
    site.config.write_text(changed + "[demo:archive-get]\narchive-get-queue-max=256MB\n")
    times = {way: [] for way in WAYS}
    pushes, gets = ([way for way in WAYS if way[0] == verb] for verb in ("archive-push", "archive-get"))
    for turn in range(options.runs):
        step = -1 if turn % 2 else 1  # so that none is always the first
        for verb, program, way in pushes[::step] + gets[::step]:
            run = site.ours if program == "ours" else site.real
            words = ["--archive-async"] if way == "async" else []
            shutil.rmtree(site.folder / "archive", ignore_errors=True)  # the spool
            if verb == "archive-push":
                shutil.rmtree(site.folder / "repo1", ignore_errors=True)
                run("--no-online", "stanza-create")
            os.sync()  # what others have written is not of this one's time
            with pusher(site) if way == "agent" else contextlib.nullcontext():
                taken = (push_all if verb == "archive-push" else get_all)(site, run, wal, *words)
            times[verb, program, way].append(taken)
            wait_for_background(site)
    site.config.write_text(config)
    return times


def wait_for_background(site):
    """Until no process of an earlier request works on."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        running = subprocess.run(["/usr/bin/pgrep", "-f", f"config={site.config} .*async|async.* --config={site.config}"],
                                 capture_output=True, check=False)
        if running.returncode != 0:
            return
        time.sleep(0.01)


def rows_of(compress, times, count):
    """Each way of Howdah's beside pgbackrest: the agent beside what pgbackrest does alone."""
    for verb, program, way in WAYS:
        if program == "ours":
            other = (verb, "real", "alone" if way == "agent" else way)
            ours, theirs = statistics.median(times[verb, program, way]), statistics.median(times[other])
            yield {"compress": compress, "verb": verb, "way": way, "howdah_per_s": count / ours,
                   "pgbackrest_per_s": count / theirs, "ratio": theirs / ours}


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="howdah-bench-"))
    folder.chmod(0o755)
    rows = []
    try:
        site = Site(folder)
        wal = fill_wal(site, options.segments)
        for mark in (site.data / "pg_wal/archive_status").iterdir():
            mark.unlink()
        for compress in options.compress or ["none", "gz", "lz4", "zst"]:
            for row in rows_of(compress, measure(site, compress, wal), len(wal)):
                rows.append(row)
                if not options.json:
                    print(f"{compress:5} {row['verb']:13} {row['way']:6} howdah {row['howdah_per_s']:6.1f}/s  pgbackrest "
                          f"{row['pgbackrest_per_s']:6.1f}/s  ratio {row['ratio']:.2f}", flush=True)
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            subprocess.run([PG / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop"], user="postgres", check=False)
        shutil.rmtree(folder)
    if options.json:
        print(json.dumps(rows, indent=2))


main()
