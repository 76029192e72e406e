"""A file system that stands still under the primary: what runs on it can't even be killed."""
import contextlib
import os
import pwd
import shutil
import subprocess
import time

import pytest
from cluster import Writer, processes_of, wait_for

UP_OPTIONS = ["--no-load", "--sync", "strict"]
T = 5.0  # the `default` lease profile
WAIT = 1.03 * T  # W

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting and freezing a file system needs root")


def run(*words):
    subprocess.run(words, check=True, capture_output=True, text=True, timeout=30)


@contextlib.contextmanager
def own_disk(member, image):
    """This member's data lie on an ext4 of their own, in a file, from now on."""
    user = pwd.getpwnam("postgres")
    gone = lambda: not processes_of(os.path.dirname(member.data_dir))  # noqa: E731
    member.kill_everything()
    wait_for(gone, "the processes are gone", 10)
    shutil.rmtree(member.data_dir)
    os.mkdir(member.data_dir)
    with open(image, "wb") as file:
        file.truncate(1 << 30)
    run("mkfs.ext4", "-q", str(image))
    run("mount", "-o", "loop", str(image), member.data_dir)
    os.chown(member.data_dir, user.pw_uid, user.pw_gid)
    os.chmod(member.data_dir, 0o700)
    member.start_agent()
    try:
        yield
    finally:
        member.kill_everything()
        wait_for(gone, "the processes are gone", 10)
        run("umount", member.data_dir)


@contextlib.contextmanager
def frozen_disk(member):
    run("fsfreeze", "-f", member.data_dir)
    try:
        yield
    finally:
        run("fsfreeze", "-u", member.data_dir)


def test_nobody_waits_long_for_a_primary_whose_storage_hangs(cluster, tmp_path):
    cluster.wait_healthy()
    sick = next(m for m in cluster.members.values() if m is not cluster.leader())
    with own_disk(sick, tmp_path / "disk"):
        cluster.wait_healthy()
        wait_for(lambda: len(cluster.record()["claimers"]) == 3, "all members may claim")
        wait_for(lambda: len(cluster.record()["sync"]["voters"]) > 0, "a published sync set", 30)
        cluster.howdah("switchover", "-c", cluster.config(), "--candidate", sick.name, "--force", check=False)
        wait_for(lambda: cluster.leader() is sick, "it leads", 30)
        cluster.wait_healthy()
        wait_for(lambda: len(cluster.record()["claimers"]) == 3, "all members may claim")
        with Writer(cluster.endpoint) as writer:
            begun = time.monotonic()
            with frozen_disk(sick):
                wait_for(lambda: writer.times[-1] > begun + 3, "writes go on elsewhere", 60)
                writer.outage(begun, WAIT + 10)
            cluster.wait_healthy()
        assert writer.missing() == []
