"""`howdah up` and `howdah down` as a user meets them, here with a single etcd."""
import json
import os
import socket
import stat
import subprocess

from cluster import HOWDAH, NETWORK, processes_of, query

UP_OPTIONS = ["--etcd", "1", "--no-load"]


def test_up_takes_writes_at_one_address(cluster):
    assert cluster.is_healthy()
    query(cluster.endpoint, "create table t (n int); insert into t values (1)")
    assert query(cluster.endpoint, "select n from t") == [(1,)]


def test_nothing_of_up_runs_as_root(cluster):
    owners = {os.stat(f"/proc/{pid}").st_uid for pid in processes_of(cluster.dir)}
    assert owners and 0 not in owners


def test_cluster_json_is_complete_and_its_owners_alone(cluster):
    file = cluster.dir / "cluster.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    facts = json.loads(file.read_text())
    assert list(facts["members"]) == ["pgvm1", "pgvm2", "pgvm3"]
    for member in facts["members"].values():
        assert set(member) == {"host", "dsn", "data_dir", "config", "pid_file", "log"}
        assert query(member["dsn"], "select current_user") == [("postgres",)]


def test_second_up_on_the_same_addresses_is_refused_and_leaves_the_first_alone(cluster, tmp_path):
    done = subprocess.run([HOWDAH, "up", "--detach", "--dir", str(tmp_path / "d"), "--network", NETWORK], text=True,
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"{NETWORK}.8" in done.stderr and "in use" in done.stderr and "hint:" in done.stderr
    assert not (tmp_path / "d").exists()
    assert cluster.is_healthy()


def test_down_leaves_nothing_running_and_frees_the_ports(cluster):
    done = cluster.howdah("down", "--dir", str(cluster.dir))
    assert done.returncode == 0
    assert processes_of(cluster.dir) == {}
    for host, port in ((81, 5432), (82, 8008), (84, 2379), (85, 5000)):
        with socket.socket() as probe:
            probe.settimeout(2)
            assert probe.connect_ex((f"{NETWORK}.{host}", port)) != 0, f"{NETWORK}.{host}:{port} still listens"


def test_down_of_nothing_says_so(tmp_path):
    done = subprocess.run([HOWDAH, "down", "--dir", str(tmp_path / "none")], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1)
    assert str(tmp_path / "none") in done.stdout + done.stderr
