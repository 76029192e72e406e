#!/usr/bin/python3
"""Throughput of a whole restore: Howdah beside pgbackrest, of one backup that pgbackrest took of a pgbench database.

usage: backup.py [--howdah BINARY] [--runs N] [--scale N] [--compress CODEC]... [--process-max N]... [--json]
Both restore into a new folder each time, in turns. Scale 100 is about 1.5 GB. What comes out is for docs/performance.md and
decides no test.
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


def seconds_to_restore(site, run, workers):
    target = site.folder / "restored"
    shutil.rmtree(target, ignore_errors=True)
    site.run("mkdir", "-m", "700", target)
    begun = time.monotonic()
    run("restore", f"--pg1-path={target}", "--type=none", f"--process-max={workers}")
    return time.monotonic() - begun


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="howdah-bench-"))
    folder.chmod(0o755)
    rows = []
    try:
        site = Site(folder)
        site.start()
        site.run(PG / "pgbench", "-h", folder, "-U", "postgres", "-i", "-q", "-s", str(options.scale), "postgres")
        site.stop()
        config = site.config.read_text()
        megabytes = sum(path.stat().st_size for path in site.data.rglob("base/*/*")) / 1e6
        for compress in options.compress or ["none", "gz", "lz4", "zst"]:
            shutil.rmtree(folder / "repo1", ignore_errors=True)
            site.config.write_text(config.replace("compress-type=gz", f"compress-type={compress}"))
            site.real("--no-online", "stanza-create")
            site.real("--no-online", "backup", "--type=full", "--process-max=2")
            for workers in options.process_max or [1, 2]:
                times = {"howdah": [], "pgbackrest": []}
                for _ in range(options.runs):
                    for name, run in (("howdah", site.ours), ("pgbackrest", site.real)):
                        times[name].append(seconds_to_restore(site, run, workers))
                middle = {name: statistics.median(values) for name, values in times.items()}
                rows.append({"compress": compress, "process_max": workers, "megabytes": megabytes, "seconds": times,
                             "ratio": middle["pgbackrest"] / middle["howdah"]})
                if not options.json:
                    print(f"{compress:5} process-max {workers}  howdah {megabytes / middle['howdah']:6.0f} MB/s  pgbackrest "
                          f"{megabytes / middle['pgbackrest']:6.0f} MB/s  ratio {rows[-1]['ratio']:.2f}", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        print(json.dumps(rows))


main()
