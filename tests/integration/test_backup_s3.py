"""A repository in a bucket: both programs take turns in it, and whoever cannot look says so."""
import json
import signal
import subprocess
import time

import pytest
from backup_site import site  # noqa: F401
from bucket import Bucket
from cluster import as_postgres


@pytest.fixture
def bucket(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bucket")
    for parent in [folder, *folder.parents[:3]]:
        parent.chmod(parent.stat().st_mode | 0o055)
    made = Bucket(folder)
    yield made
    made.stop()


@pytest.mark.parametrize("cipher, more", [(False, []), (True, ["--repo1-bundle"])], ids=["plain", "aes-bundle"])
def test_both_programs_build_one_chain(site, bucket, cipher, more):
    here = site(compress="zst", cipher=cipher, bucket=bucket)
    here.start()
    here.ours("stanza-create")
    sums = []
    turns = [(here.ours, "full"), (here.real, "incr"), (here.ours, "diff"), (here.ours, "incr")]
    for program, kind in turns:
        here.fill(kind)
        sums.append(here.sums())
        program("backup", f"--type={kind}", "--start-fast", "--process-max=2", *more)
    here.check_verify()
    found = here.backups()
    assert [backup["type"] for backup in found] == [kind for _, kind in turns]
    assert json.loads(here.ours("info", "--output=json").stdout)[0]["backup"] == found
    here.check_restore(here.real, found[0]["label"], sums[0])
    here.check_restore(here.ours, found[3]["label"], sums[3])


def test_expire_and_stanza_delete_leave_nothing_behind(site, bucket):
    here = site(compress="lz4", bucket=bucket)
    here.config.write_text(here.config.read_text().replace("uri-style=path", "uri-style=host"))
    here.start()
    here.ours("stanza-create")
    for _ in range(3):  # two are kept
        here.ours("backup", "--type=full", "--start-fast", "--repo1-bundle")
    labels = {key.split("/")[3] for key in bucket.keys() if key.endswith("F/backup.manifest")}
    assert labels == {backup["label"] for backup in here.backups()} and len(labels) == 2
    here.check_verify()
    here.stop()
    here.ours("stop")
    here.ours("stanza-delete")
    assert [key for key in bucket.keys() if key.startswith("demo-repo/")] == []


def test_wal_comes_back_and_silence_is_not_absence(site, bucket):
    here = site(compress="gz", bucket=bucket)
    here.ours("stanza-create")
    wal = here.wal()
    here.ours("archive-push", wal)
    for program in (here.real, here.ours):
        program("archive-get", wal.name, here.folder / "fetched")
        assert (here.folder / "fetched").read_bytes() == wal.read_bytes()
    assert here.ours("archive-get", "0000000100000000000000FF", here.folder / "none", check=False).returncode == 1
    bucket.stop()
    here.config.write_text(here.config.read_text().replace("[global]\n", "[global]\nio-timeout=1\nprotocol-timeout=60\n"))
    for name in (wal.name, "0000000100000000000000FF"):
        silent = here.ours("--archive-timeout=1", "archive-get", name, here.folder / "none", check=False)
        assert silent.returncode == 200 and "repo1" in silent.stdout + silent.stderr, silent
    assert here.ours("archive-push", here.copy_of_wal("0000000100000000000000AA"), check=False).returncode > 1


@pytest.mark.parametrize("option, word", [
    ("--repo1-s3-key=other", "S3 answered 403"), ("--repo1-s3-bucket=none", "bucket"),
    ("--repo1-storage-ca-file=/etc/hostname", "ca"), ("--repo1-storage-host=127.0.0.1", "127.0.0.1")])
def test_a_wrong_option_is_one_line_that_names_it(site, bucket, option, word):
    here = site(bucket=bucket, cluster=False)
    name, value = option[2:].split("=")
    text = here.config.read_text()
    kept = "".join(line + "\n" for line in text.splitlines() if not line.startswith(name + "="))
    here.config.write_text(kept.replace("[global]\n", f"[global]\n{name}={value}\n"))
    found = here.ours("info", check=False)
    said = found.stdout + found.stderr
    assert word in said and "missing stanza" not in said, said


def test_a_missing_option_is_named(site, bucket):
    here = site(bucket=bucket, cluster=False)
    here.config.write_text(here.config.read_text().replace("repo1-s3-region=us-east-1\n", ""))
    missing = here.ours("info", check=False)
    assert missing.returncode == 37 and "repo1-s3-region" in missing.stderr + missing.stdout, missing


def test_a_backup_that_is_killed_is_followed_by_a_whole_one(site, bucket):
    here = site(compress="none", bucket=bucket)
    here.start()
    for _ in range(3):
        here.fill("some rows")
    here.ours("stanza-create")
    killed = subprocess.Popen([here.pgbackrest, f"--config={here.config}", "--stanza=demo", "backup", "--type=full",
                               "--start-fast"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
                              **as_postgres())
    deadline = time.monotonic() + 60
    while not any("/pg_data/base/" in key for key in bucket.keys()):
        assert killed.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    here.ours("backup", "--type=full", "--start-fast", "--process-max=2")
    assert len(here.backups()) == 1
    here.check_verify()
    here.check_restore(here.ours, here.backups()[0]["label"], here.sums())
