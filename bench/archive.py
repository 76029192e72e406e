#!/usr/bin/python3
"""WAL segments a second, one program start for each as archive_command and restore_command do it: Howdah beside pgbackrest.

usage: archive.py [--howdah BINARY] [--runs N] [--segments N] [--json]
Both archive the same segments, of real WAL, into a repository of their own, in turns. What comes out is for
docs/performance.md and decides no test.
"""
import argparse
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
parser.add_argument("--json", action="store_true")
options = parser.parse_args()
if options.howdah:
    os.environ["HOWDAH_BINARY"] = str(pathlib.Path(options.howdah).resolve())

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))
from backup_site import PG, Site  # noqa: E402


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


def seconds(run, all_words):
    begun = time.monotonic()
    for words in all_words:
        run(*words)
    return time.monotonic() - begun


def measure(site, compress, wal):
    """Seconds of each program for pushing and getting all segments, runs in turn."""
    config = site.config.read_text()
    times = {"push": {"howdah": [], "pgbackrest": []}, "get": {"howdah": [], "pgbackrest": []}}
    for _ in range(options.runs):
        for name, run in (("howdah", site.ours), ("pgbackrest", site.real)):
            shutil.rmtree(site.folder / "repo1", ignore_errors=True)
            site.config.write_text(config.replace("compress-type=gz", f"compress-type={compress}"))
            run("--no-online", "stanza-create")
            times["push"][name].append(seconds(run, [("archive-push", path) for path in wal]))
            fetched = site.data / "fetched"
            times["get"][name].append(seconds(run, [("archive-get", path.name, fetched) for path in wal]))
    site.config.write_text(config)
    return times


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="howdah-bench-"))
    folder.chmod(0o755)
    rows = []
    try:
        site = Site(folder)
        wal = fill_wal(site, options.segments)
        for compress in options.compress or ["none", "gz", "lz4", "zst"]:
            for what, times in measure(site, compress, wal).items():
                middle = {name: statistics.median(values) for name, values in times.items()}
                rows.append({"compress": compress, "verb": f"archive-{what}",
                             "howdah_per_s": len(wal) / middle["howdah"],
                             "pgbackrest_per_s": len(wal) / middle["pgbackrest"],
                             "ratio": middle["pgbackrest"] / middle["howdah"]})
                if not options.json:
                    row = rows[-1]
                    print(f"{compress:5} {row['verb']:13} howdah {row['howdah_per_s']:6.1f}/s  pgbackrest "
                          f"{row['pgbackrest_per_s']:6.1f}/s  ratio {row['ratio']:.2f}", flush=True)
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            subprocess.run([PG / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop"], user="postgres", check=False)
        shutil.rmtree(folder)
    if options.json:
        print(json.dumps(rows, indent=2))


main()
