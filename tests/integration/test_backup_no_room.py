"""Full and read-only disks, a wrong pass phrase, a stanza of another cluster: one line says so, nothing counts that is not whole."""
import json
import os
import shutil
import subprocess

import pytest
from backup_site import PG, site  # noqa: F401

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")


@pytest.fixture
def small():
    """Mounts small file systems; they are gone in the end."""
    mounted = []

    def mount(folder, megabytes):
        folder.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "howdah-test", folder], check=True)
        mounted.append(folder)
        shutil.chown(folder, "postgres")
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=True)


def one_error(done):
    """The only line that tells of an error, with what it says to do."""
    lines = (done.stdout + done.stderr).splitlines()
    errors = [at for at, line in enumerate(lines) if "ERROR: [" in line]
    assert len(errors) == 1, lines
    return " ".join(lines[errors[0]:])


@needs_root
def test_a_full_repository_keeps_what_is_whole_and_goes_on_when_there_is_room(site, small):
    here = site(compress="none")
    repository = small(here.folder / "repo1", 64)
    here.start()
    here.ours("stanza-create")
    here.fill("row")
    here.ours("backup", "--type=full", "--start-fast", "--no-archive-check")
    whole = here.backups()
    for kind in ("full", "full"):
        failed = here.ours("backup", f"--type={kind}", "--start-fast", "--no-archive-check", check=False)
        assert failed.returncode == 64, failed
        told = one_error(failed)
        assert str(repository) in told and "No space left on device" in told and "make room" in told
        assert here.backups() == whole
    fill = repository / "fill"
    subprocess.run(["dd", "if=/dev/zero", f"of={fill}", "bs=1M"], stderr=subprocess.DEVNULL, check=False)
    wal = here.copy_of_wal("0000000100000000000000F1")
    pushed = here.ours("archive-push", wal, check=False)
    assert pushed.returncode == 104 and "No space left on device" in one_error(pushed)
    listing = (repository / "backup/demo/backup.info").read_bytes()
    noted = here.ours("annotate", f"--set={whole[0]['label']}", "--annotation=a=b", check=False)
    assert noted.returncode == 104 and (repository / "backup/demo/backup.info").read_bytes() == listing
    left = [path for path in repository.rglob("*.tmp") if "backup" in path.parts or wal.name in path.name]
    assert not left  # that of the server's own archive_command is pgbackrest's
    fill.unlink()
    subprocess.run(["mount", "-o", "remount,size=256m", repository], check=True)
    here.ours("archive-push", wal)
    done = here.ours("backup", "--type=full", "--start-fast")
    assert "will resume" in done.stdout and len(here.backups()) == 2
    here.check_verify()


@needs_root
def test_a_full_disk_ends_a_restore_which_goes_on_when_there_is_room(site, small):
    here = site(compress="lz4")
    here.start()
    here.ours("stanza-create")
    here.fill("row")
    here.ours("backup", "--type=full", "--start-fast")
    here.stop()
    data = small(here.folder / "ours", 10)
    failed = here.ours("restore", f"--pg1-path={data}", check=False)
    told = one_error(failed)
    assert failed.returncode == 64 and str(data) in told and "No space left on device" in told and "--delta" in told
    assert not (data / "global/pg_control").exists()
    subprocess.run(["mount", "-o", "remount,size=400m", data], check=True)
    here.ours("restore", f"--pg1-path={data}", "--delta", "--type=immediate")
    here.start(data)
    here.wait_for("select count(*) from t", "3000")
    here.stop(data)


@needs_root
def test_a_repository_that_may_only_be_read_is_read(site, small):
    here = site(compress="none")
    repository = small(here.folder / "repo1", 200)
    here.ours("stanza-create", "--no-online")
    here.ours("backup", "--type=full", "--no-online")
    label = here.backups()[0]["label"]
    subprocess.run(["mount", "-o", "remount,ro", repository], check=True)
    for words, code in ((["backup", "--type=full", "--no-online"], 104), (["archive-push", here.wal()], 104),
                        (["annotate", f"--set={label}", "--annotation=a=b"], 104)):
        refused = here.ours(*words, check=False)
        told = one_error(refused)
        assert refused.returncode == code and "Read-only file system" in told and "for writing" in told, refused
    for words in (["stanza-create", "--no-online"], ["info"], ["verify"], ["restore", f"--pg1-path={here.folder}/ours"]):
        assert here.ours(*words, check=False).returncode == here.real(*words, "--delta" if words[0] == "restore" else
                                                                      "--log-level-file=off", check=False).returncode == 0


def test_a_wrong_pass_phrase_is_named_and_changes_nothing(site):
    here = site(cipher=True, compress="none")
    here.ours("stanza-create", "--no-online")
    here.ours("backup", "--type=full", "--no-online")
    label = here.backups()[0]["label"]
    config = here.config.read_text()
    before = sorted((str(path), path.stat().st_mtime_ns) for path in (here.folder / "repo1").rglob("*"))
    here.config.write_text(config.replace("secret 1", "wrong"))
    for words, code in ((["backup", "--no-online"], 95), (["archive-push", here.wal()], 103), (["stanza-create", "--no-online"], 95),
                        (["archive-get", "0000000100000000000000F1", here.folder / "got"], 200), (["expire"], 95),
                        (["verify"], 95), (["restore", f"--pg1-path={here.folder}/ours"], 95),
                        (["annotate", f"--set={label}", "--annotation=a=b"], 95)):
        refused = here.ours(*words, check=False)
        assert refused.returncode == code and "repo1-cipher-pass" in one_error(refused), refused
    assert json.loads(here.ours("info", "--output=json").stdout)[0]["status"]["code"] == 99
    assert sorted((str(path), path.stat().st_mtime_ns) for path in (here.folder / "repo1").rglob("*")) == before
    assert not (here.folder / "ours").exists()


def test_a_stanza_of_another_cluster_takes_nothing(site):
    here = site(compress="none")
    here.ours("stanza-create", "--no-online")
    here.run("mv", here.data, here.folder / "old")
    here.run(PG / "initdb", "-D", here.data, "-A", "trust", "-U", "postgres")
    wal = here.copy_of_wal("0000000100000000000000F1")
    before = sorted(str(path) for path in (here.folder / "repo1").rglob("*"))
    for words, code in ((["backup", "--no-online"], 51), (["archive-push", wal], 103), (["stanza-create", "--no-online"], 28)):
        assert [program(*words, check=False).returncode for program in (here.real, here.ours)] == [code, code], words
    refused = here.ours("archive-get", wal.name, here.folder / "got", check=False)
    assert refused.returncode == 200 and "[103]" in refused.stdout, refused
    assert sorted(str(path) for path in (here.folder / "repo1").rglob("*")) == before


@needs_root
def test_a_full_spool_is_told_and_stops_neither_archiving_nor_recovery(site, small):
    here = site()
    here.ours("--no-online", "stanza-create")
    spool = small(here.folder / "spool", 10)  # less than a segment
    options = ["--archive-async", f"--spool-path={spool}"]
    wal = [here.copy_of_wal(f"0000000100000000000000A{n}") for n in range(4)]
    for path in wal:
        mark = here.data / "pg_wal/archive_status" / f"{path.name}.ready"
        mark.touch()
        shutil.chown(mark, "postgres")
    (spool / "filler").write_bytes(b"x" * 10 * 2**20)
    for path in wal:
        here.ours(*options, "archive-push", path)
    (spool / "filler").unlink()
    told = ""
    fetched = here.data / "fetched"
    for path in wal:
        told += here.ours(*options, "--archive-get-queue-max=64MB", "archive-get", path.name, fetched).stdout
        assert fetched.read_bytes() == path.read_bytes()
        fetched.unlink()
    lines = [line for line in told.splitlines() if "No space left on device" in line]
    assert lines and all(f"{spool}/archive/demo/in" in line and "option 'spool-path'" in line for line in lines), told
