"""Bad input: one line that names what, where and why, a hint, exit code not 0, and nothing touched."""
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import threading

import pytest
from cluster import HOWDAH, as_postgres, wait_for

CONFIG = """
scope: bad
name: n1
restapi: {{listen: 127.0.66.1:8008}}
etcd3: {{hosts: ['127.0.66.9:2379']}}
bootstrap: {{dcs: {{}}}}
postgresql:
  listen: 127.0.66.1:5432
  data_dir: {data_dir}
  authentication:
    superuser: {{username: postgres, password: a}}
    replication: {{username: replicator, password: b}}
"""


@pytest.fixture
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("bad")
    for parent in [made, *list(made.parents)[:2]]:
        parent.chmod(parent.stat().st_mode | 0o055)
    (made / "work").mkdir()
    (made / "work").chmod(0o777)
    return made


def write(folder, text=CONFIG, **words):
    file = folder / "patroni.yml"
    file.write_text(text.format(data_dir=folder / "work/data", **words))
    return file


def agent(file, seconds=20):
    return subprocess.run([HOWDAH, "agent", str(file)], capture_output=True, text=True, timeout=seconds, check=False,
                          cwd="/", **as_postgres())


def errors_of(done):
    lines = [line for line in done.stderr.splitlines() if line.startswith("howdah")]
    hints = [line for line in done.stderr.splitlines() if line.startswith("hint: ")]
    assert done.returncode not in (0, -signal.SIGABRT, -signal.SIGSEGV)
    assert len(lines) == 1, done.stderr
    assert len(hints) == 1, done.stderr
    return lines[0]


def test_wrong_yaml_type_names_file_line_and_key(folder):
    file = write(folder, CONFIG + "tags: 7\n")
    error = errors_of(agent(file))
    assert f"{file}:13: tags: must be a mapping" in error
    assert not (folder / "work/data").exists()


def test_missing_file_is_named(folder):
    assert str(folder / "nothing.yml") in errors_of(agent(folder / "nothing.yml"))


def test_missing_postgresql_is_named(folder):
    file = write(folder, CONFIG + "  bin_dir: /nowhere/bin\n")
    assert "/nowhere/bin" in errors_of(agent(file))
    assert not (folder / "work/data").exists()


class Deaf:
    """Stands where etcd should: takes connections, says nothing, counts them."""

    def __init__(self, address):
        self.socket = socket.create_server(address)
        self.calls = 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                self.socket.accept()[0].close()
                self.calls += 1


def test_unreachable_etcd_is_logged_once_and_nothing_is_touched(folder):
    file = write(folder)
    etcd = Deaf(("127.0.66.9", 2379))
    with subprocess.Popen([HOWDAH, "agent", str(file)], stderr=subprocess.PIPE, text=True, cwd="/",
                          **as_postgres()) as process:
        try:
            before = etcd.calls
            wait_for(lambda: etcd.calls > before + 8, "the agent has tried again and again", 60)
        finally:
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=15)
            etcd.socket.close()
    assert log.count("the store does not answer") == 1, log
    assert process.returncode == 0
    assert not (folder / "work/data").exists()


def test_list_with_unreachable_etcd_fails_with_the_address(folder):
    done = subprocess.run([HOWDAH, "list", "-c", str(write(folder))], capture_output=True, text=True, timeout=30, check=False)
    assert "127.0.66.9:2379" in errors_of(done)


def test_rest_port_in_use_is_named(folder):
    file = write(folder)
    with socket.socket() as taken:
        taken.bind(("127.0.66.1", 8008))
        taken.listen()
        error = errors_of(agent(file))
    assert "127.0.66.1" in error and "8008" in error
    assert not (folder / "work/data").exists()


def test_second_agent_on_a_data_directory_is_refused(cluster):
    member = next(iter(cluster.members.values()))
    error = errors_of(agent(member.config))
    assert str(member.agent_pid()) in error


def test_data_directory_of_another_cluster_is_refused_and_left_alone(cluster, folder):
    cluster.wait_healthy()
    member = next(m for m in cluster.members.values() if m.in_recovery())
    other = folder / "work/data"
    subprocess.run(["/usr/lib/postgresql/15/bin/initdb", "-N", "-D", str(other)], check=True, capture_output=True,
                   cwd="/", **as_postgres())
    before = sorted(p.name for p in other.iterdir())
    text = pathlib.Path(member.config).read_text()
    text = (text.replace(member.data_dir, str(other)).replace("name: " + member.name + "\n", "name: other\n", 1)
            .replace(member.host + ":8008", "127.0.66.2:8008").replace(member.host + ":5432", "127.0.66.2:5432"))
    text = text.replace(str(pathlib.Path(member.pid_file).parent), str(folder / "work/state"))
    # Its etcd belongs to the running member.
    lines, skip = [], False
    for line in text.splitlines():
        if line.strip().startswith("supervised:"):
            skip, depth = True, len(line) - len(line.lstrip())
            continue
        if skip and line.strip() and len(line) - len(line.lstrip()) <= depth:
            skip = False
        if not skip:
            lines.append(line)
    file = folder / "other.yml"
    file.write_text("\n".join(lines) + "\n")
    file.chmod(0o644)
    error = errors_of(agent(file, 60))
    assert "another cluster" in error and "system identifier" in error
    assert sorted(p.name for p in other.iterdir()) == before


def test_postgresql_port_in_use_is_explained(cluster):
    cluster.wait_healthy()
    member = next(m for m in cluster.members.values() if m.in_recovery())
    os.kill(member.agent_pid(), signal.SIGTERM)
    wait_for(lambda: not pathlib.Path(member.pid_file).exists(), "the agent ends", 15)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((member.host, 5432))
        taken.listen()
        member.start_agent()
        wait_for(lambda: "5432" in pathlib.Path(member.log).read_text().rsplit("PostgreSQL does not start", 1)[-1]
                 and "PostgreSQL does not start" in pathlib.Path(member.log).read_text(), "the port is named", 30)
    cluster.wait_healthy(60)
