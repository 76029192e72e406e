"""What somebody wrote into the store by hand, or took out of it: nobody is stuck, and `explain` names the way out."""
import subprocess

import pytest
from cluster import HOWDAH, Cluster, query, wait_for


@pytest.fixture
def cluster():
    made = Cluster("--no-load")
    try:
        made.wait_healthy()
        yield made
    finally:
        made.close()
    assert made.left_running == {}


def etcdctl(cluster, *words):
    endpoint = f"http://{next(iter(cluster.members.values())).host}:2379"
    done = subprocess.run(["etcdctl", "--endpoints", endpoint, *words], env={"ETCDCTL_API": "3", "PATH": "/usr/bin:/bin"},
                          text=True, capture_output=True, timeout=20, check=True)
    return done.stdout


def explained(cluster):
    return cluster.howdah("explain", "-c", cluster.config(), check=False).stdout


def serves(cluster):
    return wait_for(lambda: query(cluster.endpoint, "select 1") == [(1,)], "the endpoint serves", 60)


@pytest.mark.parametrize("key, value", [("leader", "ghost"), ("howdah", "garbage")])
def test_keys_written_by_hand_are_explained_and_recovered_from(cluster, key, value):
    etcdctl(cluster, "put", f"/service/howdah/{key}", value)
    wait_for(lambda: "dcs recover" in explained(cluster), "explain names the way out", 30)
    done = subprocess.run([HOWDAH, "dcs", "recover", "-c", cluster.config()], text=True, capture_output=True,
                          timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    serves(cluster)
    cluster.wait_healthy()


def test_one_key_that_is_deleted_comes_back(cluster):
    leader, epoch = cluster.leader().name, cluster.record()["epoch"]
    standby = next(name for name in cluster.members if name != leader)
    for key in ("config", "initialize", f"members/{standby}", "howdah"):
        etcdctl(cluster, "del", f"/service/howdah/{key}")
        wait_for(lambda k=key: etcdctl(cluster, "get", f"/service/howdah/{k}"), f"{key} is there again", 20)
    etcdctl(cluster, "put", "/service/howdah/initialize", "1234")
    wait_for(lambda: "1234" not in etcdctl(cluster, "get", "/service/howdah/initialize"), "it is right again", 20)
    cluster.wait_healthy()
    assert (cluster.leader().name, cluster.record()["epoch"]) == (leader, epoch), "nobody had to lead anew"


def test_a_lost_leader_is_named_missing_when_the_store_is_lost_too(cluster):
    leader = cluster.leader()
    leader.kill_everything()
    etcdctl_of = next(m for m in cluster.members.values() if m.name != leader.name)
    endpoint = f"http://{etcdctl_of.host}:2379"
    # Its member of etcd may have led: the others need a moment to elect one.
    wait_for(lambda: subprocess.run(["etcdctl", "--endpoints", endpoint, "del", "--prefix", "/service/howdah/"],
                                    env={"ETCDCTL_API": "3", "PATH": "/usr/bin:/bin"}, timeout=20, check=True),
             "etcd takes the deletion")
    wait_for(lambda: "dcs recover" in subprocess.run([HOWDAH, "explain", "-c", etcdctl_of.config], text=True, capture_output=True,
                                                     timeout=20, check=False).stdout, "explain names the way out", 30)
    wrong = subprocess.run([HOWDAH, "dcs", "recover", "-c", etcdctl_of.config, "--missing", "nobody", "--force"], text=True,
                           capture_output=True, timeout=120, check=False)
    assert wrong.returncode != 0 and "knows no member nobody" in wrong.stdout, wrong.stdout + wrong.stderr
    done = subprocess.run([HOWDAH, "dcs", "recover", "-c", etcdctl_of.config, "--missing", leader.name, "--force"], text=True,
                          capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    serves(cluster)
