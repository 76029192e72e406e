#!/usr/bin/python3
"""Throughput of full backups and whole restores, and time of an incremental backup: Howdah beside pgbackrest, of one pgbench
database.

usage: backup.py [--howdah BINARY] [--runs N] [--scale N] [--compress CODEC]... [--process-max N]... [--json]
Each writes into a repository of its own and restores into a new folder each time, in turns. The incremental backup comes after
ten seconds of pgbench: Howdah with blocks, pgbackrest 2.45 without, since it has none. Scale 100 is about 1.5 GB. What comes
out is for docs/performance.md and decides no test.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--howdah")
parser.add_argument("--runs", type=int, default=3)
parser.add_argument("--scale", type=int, default=100)
parser.add_argument("--compress", action="append", choices=["none", "gz", "lz4", "zst"])
parser.add_argument("--process-max", action="append", type=int)
parser.add_argument("--json", action="store_true")
options = parser.parse_args()
if options.howdah:
    os.environ["HOWDAH_BINARY"] = str(pathlib.Path(options.howdah).resolve())

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))
from backup_site import PG, Site  # noqa: E402


def timed(act):
    begun = time.monotonic()
    act()
    return time.monotonic() - begun


class Bench:
    def __init__(self, folder):
        self.site = Site(folder)
        self.programs = {"howdah": self.site.ours, "pgbackrest": self.site.real}
        self.config = self.site.config.read_text()

    def repository(self, name):
        return f"--repo1-path={self.site.folder}/of_{name}"

    def begin(self, name, compress):
        """An empty repository of its own."""
        shutil.rmtree(self.site.folder / f"of_{name}", ignore_errors=True)
        self.site.config.write_text(self.config.replace("compress-type=gz", f"compress-type={compress}"))
        self.programs[name](self.repository(name), "--no-online", "stanza-create")

    def backup(self, name, kind, *more):
        self.programs[name](self.repository(name), "--no-online", "backup", f"--type={kind}", *more)

    def restore(self, name, workers):
        target = self.site.folder / "restored"
        shutil.rmtree(target, ignore_errors=True)
        self.site.run("mkdir", "-m", "700", target)
        return timed(lambda: self.programs[name](self.repository(name), "restore", f"--pg1-path={target}", "--type=none",
                                                 f"--process-max={workers}"))

    def full(self, compress, workers):
        """Seconds of backup and restore, by program."""
        times = {what: {name: [] for name in self.programs} for what in ("backup", "restore")}
        for turn in range(options.runs):
            for name in sorted(self.programs, reverse=turn % 2 == 1):
                self.begin(name, compress)
                os.sync()
                times["backup"][name].append(
                    timed(lambda: self.backup(name, "full", f"--process-max={workers}")))
                os.sync()
                times["restore"][name].append(self.restore(name, workers))
        return times

    def incremental(self, workers):
        """Seconds of an incremental backup after ten seconds of pgbench."""
        times = {name: [] for name in self.programs}
        more = {"howdah": ["--repo1-bundle", "--repo1-block"], "pgbackrest": []}
        for name in self.programs:
            self.begin(name, "zst")
            self.backup(name, "full", "--process-max=2", *more[name])
        for turn in range(options.runs):
            self.site.start(archives=False)
            self.site.run(PG / "pgbench", "-h", self.site.folder, "-U", "postgres", "-T", "10", "-c", "4", "postgres")
            self.site.stop()
            for name in sorted(self.programs, reverse=turn % 2 == 1):
                os.sync()
                times[name].append(timed(lambda: self.backup(name, "incr", f"--process-max={workers}", *more[name])))
        return times


def ratio(times):
    return statistics.median(times["pgbackrest"]) / statistics.median(times["howdah"])


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="howdah-bench-"))
    folder.chmod(0o755)
    rows = []

    def tell(what, compress, workers, megabytes, times):
        rows.append({"what": what, "compress": compress, "process_max": workers, "megabytes": megabytes, "seconds": times,
                     "ratio": ratio(times)})
        if not options.json:
            middle = {name: statistics.median(values) for name, values in times.items()}
            print(f"{what:12} {compress:5} process-max {workers}  howdah {middle['howdah']:6.2f} s  pgbackrest "
                  f"{middle['pgbackrest']:6.2f} s  {megabytes / middle['howdah']:6.0f} MB/s  ratio {ratio(times):.2f}", flush=True)

    try:
        bench = Bench(folder)
        site = bench.site
        site.start(archives=False)
        site.run(PG / "pgbench", "-h", folder, "-U", "postgres", "-i", "-q", "-s", str(options.scale), "postgres")
        site.stop()
        megabytes = sum(path.stat().st_size for path in site.data.rglob("base/*/*")) / 1e6
        for compress in options.compress or ["none", "gz", "lz4", "zst"]:
            for workers in options.process_max or [1, 2]:
                times = bench.full(compress, workers)
                for what in ("backup", "restore"):
                    tell(what, compress, workers, megabytes, times[what])
        for workers in options.process_max or [1, 2]:
            tell("incremental", "zst", workers, megabytes, bench.incremental(workers))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        print(json.dumps(rows))


main()
