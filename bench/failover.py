#!/usr/bin/python3
"""Outages that a client sees: a probe inserts through the endpoint every 20 ms while something dies.

usage: failover.py [--howdah BINARY] [--runs N] [--dir D] [--json] [--scenario NAME]
An outage is the time from the last acknowledged insert before it to the first one after it. Between two runs the cluster
is whole again: three members, two of them streaming. What comes out is for docs/performance.md and decides no test.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--howdah")
parser.add_argument("--runs", type=int, default=5)
parser.add_argument("--dir", help="where the cluster lives meanwhile; default: a new directory in /tmp")
parser.add_argument("--json", action="store_true")
parser.add_argument("--scenario", action="append", choices=["postmaster", "host", "switchover"])
options = parser.parse_args()
if options.howdah:
    os.environ["HOWDAH_BINARY"] = str(pathlib.Path(options.howdah).resolve())

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))
from cluster import HOWDAH, ROOT, Cluster, Writer, wait_for  # noqa: E402


def kill_postmaster(cluster):
    cluster.leader().kill_postmaster()


def kill_agent_and_postmaster(cluster):
    leader = cluster.leader()
    leader.kill_agent_and_postmaster()
    return leader


def switch_over(cluster):
    leader = cluster.leader()
    target = next(m for m in cluster.members.values() if m is not leader)
    cluster.howdah("switchover", "-c", cluster.config(), "--candidate", target.name, "--force")


# name: what is done, target, Patroni 3.0 with HAProxy: defaults, tuned tightly (ttl 5, loop 1)
SCENARIOS = {
    "postmaster": ("postmaster killed", kill_postmaster, 1.5, 9.1, 3.0),
    "host": ("agent and postmaster killed", kill_agent_and_postmaster, 6.5, 32.4, 5.5),
    "switchover": ("switchover", switch_over, 1.0, 6.1, 2.0),
}


def measure(cluster, act):
    cluster.wait_healthy(90)
    with Writer(cluster.endpoint) as writer:
        begun = time.monotonic()
        killed = act(cluster)
        wait_for(lambda: writer.times[-1] > begun + 0.2 and writer.longest_gap(begun) > 0.04, "the outage is over", 60)
        time.sleep(0.5)  # a second cut right after the first belongs to the same outage
        gap, missing = writer.longest_gap(begun), len(writer.lost())
    if killed:
        killed.start_agent()
    return gap, missing


def resident_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def seconds_of_list(cluster):
    times = []
    for _ in range(20):
        begun = time.monotonic()
        subprocess.run([HOWDAH, "list", "-c", cluster.config()], stdout=subprocess.DEVNULL, check=True)
        times.append(time.monotonic() - begun)
    return statistics.median(times)


def version():
    """The commit that is checked out, with what was not committed."""
    done = subprocess.run(["git", "-c", "safe.directory=*", "-C", str(ROOT), "describe", "--always", "--dirty"], text=True,
                          capture_output=True, check=False)
    return done.stdout.strip() or "unknown"


def main():
    cluster = Cluster("--no-load", directory=options.dir)
    figures = {"date": time.strftime("%Y-%m-%d"), "commit": version(), "cores": os.cpu_count(), "first writable connection": cluster.seconds_to_start, "outages": {}}
    try:
        cluster.wait_healthy()
        figures["agent resident MB"] = max(resident_mb(m.agent_pid()) for m in cluster.members.values())
        figures["list ms"] = 1000 * seconds_of_list(cluster)
        for name in options.scenario or SCENARIOS:
            title, act, *_ = SCENARIOS[name]
            runs = []
            for number in range(options.runs):
                gap, missing = measure(cluster, act)
                runs.append({"outage": gap, "missing": missing})
                print(f"{title}: run {number + 1}/{options.runs}: {gap:.2f} s, acknowledged rows missing: {missing}",
                      file=sys.stderr)
            figures["outages"][name] = runs
    except AssertionError:
        print(cluster.logs(), file=sys.stderr)
        raise
    finally:
        cluster.close()
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    print(f"{figures['date']}, commit {figures['commit']}, {figures['cores']} cores")
    print(f"{'outage, seconds':<30}{'min':>7}{'median':>8}{'max':>7}{'target':>8}   Patroni 3.0 + HAProxy: default, tight")
    for name, runs in figures["outages"].items():
        title, _, target, default, tight = SCENARIOS[name]
        gaps = [run["outage"] for run in runs]
        print(f"{title:<30}{min(gaps):>7.2f}{statistics.median(gaps):>8.2f}{max(gaps):>7.2f}{target:>8.1f}   {default}, {tight}")
    print(f"resident memory of an agent: {figures['agent resident MB']:.1f} MB (target 20; Patroni 45)")
    print(f"howdah list: {figures['list ms']:.0f} ms (target 30; patronictl 290)")
    print(f"howdah up to the first writable connection: {figures['first writable connection']:.1f} s (target 20)")


main()
