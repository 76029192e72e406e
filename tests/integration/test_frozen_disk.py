"""A file system that stands still under etcd's leader: writes hang, while the process answers what needs none."""
import contextlib
import json
import os
import shutil
import subprocess
import time

import pytest
from cluster import HOST_LOST_AT_MOST, TwinWatch, Writer, processes_of, wait_for

T = 5.0  # the `default` lease profile

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting and freezing a file system needs root")


@pytest.fixture(autouse=True)
def healthy(cluster):
    cluster.wait_healthy()


def run(*words, **more):
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=30, **more).stdout


class OwnDisk:
    """A member's etcd data on an ext4 of their own, in a file."""

    def __init__(self, member, image):
        self.member, self.image = member, str(image)
        self.folder = f"{os.path.dirname(member.data_dir)}/etcd"

    def __enter__(self):
        self.member.kill_everything()
        wait_for(lambda: not processes_of(os.path.dirname(self.member.data_dir)), "the processes are gone", 10)
        aside = self.folder + ".aside"
        owner = os.stat(self.folder)
        os.rename(self.folder, aside)
        os.mkdir(self.folder)
        self.aside = aside
        with open(self.image, "wb") as file:
            file.truncate(512 << 20)
        run("mkfs.ext4", "-q", self.image)
        run("mount", "-o", "loop", self.image, self.folder)
        os.chown(self.folder, owner.st_uid, owner.st_gid)
        os.chmod(self.folder, 0o700)
        run("cp", "-a", f"{aside}/member", self.folder)
        shutil.rmtree(f"{aside}/member")
        self.member.start_agent()
        return self

    def __exit__(self, *_):
        self.member.kill_everything()
        wait_for(lambda: not processes_of(os.path.dirname(self.member.data_dir)), "the processes are gone", 10)
        run("cp", "-a", f"{self.folder}/member", self.aside)
        run("umount", self.folder)
        os.rmdir(self.folder)
        os.rename(self.aside, self.folder)

    @contextlib.contextmanager
    def frozen(self):
        run("fsfreeze", "-f", self.folder)
        try:
            yield
        finally:
            run("fsfreeze", "-u", self.folder)


def lead_etcd(cluster, member):
    """Makes a member's etcd the leader of etcd."""
    members = [m for m in cluster.members.values()]
    status = json.loads(run("etcdctl", "--endpoints", ",".join(f"{m.host}:2379" for m in members), "endpoint", "status",
                            "-w", "json", env={**os.environ, "ETCDCTL_API": "3"}))
    by_host = {row["Endpoint"].split(":")[0]: row["Status"] for row in status}
    ids = {host: row["header"]["member_id"] for host, row in by_host.items()}
    leader = next(row["leader"] for row in by_host.values())
    if ids[member.host] == leader:
        return True
    host = next(host for host, number in ids.items() if number == leader)
    run("etcdctl", "--endpoints", f"{host}:2379", "move-leader", f"{ids[member.host]:x}",
        env={**os.environ, "ETCDCTL_API": "3"})
    return False


@pytest.mark.parametrize("under", ["primary", "standby"])
def test_a_frozen_disk_under_the_leader_of_etcd_never_gives_two_primaries(cluster, tmp_path, under):
    primary = cluster.leader()
    chosen = primary if under == "primary" else next(m for m in cluster.members.values() if m is not primary)
    with OwnDisk(chosen, tmp_path / "disk") as disk:
        cluster.wait_healthy()
        if under == "primary" and cluster.leader() is not chosen:
            cluster.howdah("switchover", "-c", cluster.config(), "--candidate", chosen.name, "--force")
            cluster.wait_healthy()
        with Writer(cluster.endpoint) as writer, TwinWatch(cluster) as twins:
            wait_for(lambda: lead_etcd(cluster, chosen), "etcd is led where the disk will freeze", 30, every=0.5)
            begun = time.monotonic()
            with disk.frozen():
                wait_for(lambda: time.monotonic() > begun + 3 * T, "three lease times", 20)
                wait_for(lambda: writer.times[-1] > begun + 3 * T, "writes go on", 30)
            cluster.wait_healthy()
            print(f"rounds of watching {twins.rounds}")
            writer.outage(begun, HOST_LOST_AT_MOST)
        assert twins.seen == []
        assert writer.lost() == []
    wait_for(lambda: not os.path.ismount(disk.folder), "unmounted", 5)
    chosen.start_agent()
    cluster.wait_healthy()
