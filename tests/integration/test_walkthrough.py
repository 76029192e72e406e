"""docs/walkthrough.md, run: each command on its host, each output compared."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import pytest
from cluster import NETWORK, ROOT
from document import difference, steps
from hosts import Host, possible

EXAMPLE = ROOT / "examples/walkthrough"
HOSTS = {f"pgvm{number}": 80 + number for number in range(1, 9)}
# What only shows a state is asked again until it is as the document says, and a switchover until it is done: followers
# need a moment.
ASKS = re.compile(r"(howdah|patronictl) (.* )?(list|topology|explain|history|switchover)\b| health$| info$|psql.*(\\conninfo|-At)|curl")
PATIENCE_S = 90

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or bool(possible()), reason=f"needs namespaces: {possible()}")


def here(text):
    """The document's addresses as they are in this run."""
    return text.replace("127.0.52.", NETWORK + ".")


class World:
    def __init__(self, folder):
        self.hosts = {}
        for name, number in HOSTS.items():
            host = Host(name, number, folder / name)
            self.hosts[name] = host
            for file in (EXAMPLE / name).rglob("*"):
                if file.is_file():
                    target = host.path("/" + str(file.relative_to(EXAMPLE / name)))
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_text(here(file.read_text()))
                    shutil.chown(target, "postgres", "postgres")

    def close(self):
        for host in self.hosts.values():
            host.close()

    def do(self, step):
        """What is wrong with a step's outcome; empty: nothing."""
        host = self.hosts[step.host]
        if step.command == "reboot":
            host.reboot()
            return ""
        end = time.monotonic() + (PATIENCE_S if ASKS.search(step.command) else 0)
        while True:
            try:
                done = host.run(here(step.command), step.user, check=False, timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                return f"it did not end within {PATIENCE_S} s; on the host ran\n{host.run('ps -ef', 'root').stdout}"
            printed = (done.stdout + done.stderr).replace(NETWORK + ".", "127.0.52.")
            wrong = difference(step.output, printed.splitlines()) if step.output else ""
            if done.returncode != 0 and not wrong and not step.output:
                wrong = f"exit code {done.returncode}\n{printed}"
            if not wrong or time.monotonic() > end:
                return wrong
            time.sleep(0.2)


@pytest.fixture
def world():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="howdah-walkthrough-"))
    folder.chmod(0o755)
    made = World(folder)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder, ignore_errors=True)


def test_the_document_is_true(world):
    chapter, begun = "", time.monotonic()
    for step in steps((ROOT / "docs/walkthrough.md").read_text()):
        if step.chapter != chapter:
            chapter = step.chapter
            print(f"[{time.monotonic() - begun:6.1f} s] {chapter}", file=sys.stderr, flush=True)
        wrong = world.do(step)
        assert not wrong, f"docs/walkthrough.md:{step.line}: {step.host}: {step.command}\n{wrong}\n{logs(world)}"


def logs(world):
    """The end of each host's logs, for a failure's report."""
    text = ""
    for host in world.hosts.values():
        for log in sorted([*host.path("/home/postgres").glob("*.log"), *host.path("/var/log").glob("**/*.log")]):
            tail = subprocess.run(["tail", "-n", "15", str(log)], capture_output=True, text=True, check=False).stdout
            text += f"--- {host.name} {log.name}\n{tail}"
    return text
