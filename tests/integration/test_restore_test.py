"""restore-test: what it calls good starts, and what is wrong with a backup it finds."""
import json
import signal
import subprocess

import pytest
from backup_site import site  # noqa: F401
from cluster import as_postgres, wait_for


def backed_up(site, **more):
    """A backup, and rows behind it in the archive."""
    here = site(compress="none", **more)
    here.start()
    here.ours("stanza-create")
    here.fill("before")
    here.ours("backup", "--type=full", "--start-fast")
    for text in ("after", "and after"):
        here.fill(text)
        closed = here.sql("select pg_walfile_name(pg_switch_wal())")
    here.wait_for(f"select last_archived_wal >= '{closed}' from pg_stat_archiver", "t")
    return here


def run(here, *words):
    scratch = here.folder / "scratch"
    done = here.run(here.howdah, f"--config={here.config}", "--stanza=demo", "restore-test", f"--scratch-path={scratch}",
                    *words, check=False)
    assert list(scratch.iterdir()) == [], "it leaves nothing behind"
    return done


def archived(here):
    return sorted(here.folder.glob("repo1/archive/demo/15-1/*/0*"))


@pytest.mark.parametrize("cipher, more", [(False, []), (True, ["--process-max=2"])], ids=["plain", "aes"])
def test_a_good_backup_is_called_good(site, cipher, more):
    here = backed_up(site, cipher=cipher)
    before = here.sums(), archived(here)
    done = run(here, "--output=json", *more)
    found = json.loads(done.stdout)
    assert done.returncode == 0 and found["good"] and found["faults"] == [], done
    assert found["backup"] == here.backups()[0]["label"] and found["page_checksums"] and found["databases"] >= 2
    assert found["last_commit"] and found["recovered_to"]
    assert (here.sums(), archived(here)) == before, "neither cluster nor archive is touched"
    text = run(here).stdout
    assert "restore test of stanza demo: good" in text and "recovered to: " in text


def test_wal_that_is_missing_in_between_is_told(site):
    here = backed_up(site)
    here.stop()
    missing = archived(here)[-2]
    missing.unlink()
    here.config.write_text(here.config.read_text().replace("[global]\n", "[global]\narchive-timeout=1\n"))
    done = run(here)
    # archive-get, which restore-test lets PostgreSQL call, ends a recovery rather than to leave WAL out.
    assert done.returncode == 1 and "NOT GOOD" in done.stdout and missing.name[:24] in done.stdout, done


def test_a_damaged_backup_is_told_with_its_file(site):
    here = backed_up(site)
    damaged = next(here.folder.glob("repo1/backup/demo/2*F/pg_data/base/5/1259"))
    damaged.write_bytes(b"x" * damaged.stat().st_size)
    done = run(here)
    assert done.returncode == 1 and "pg_data/base/5/1259" in done.stdout, done


def test_a_page_that_was_bad_before_the_backup_is_told(site):
    here = site(compress="none")
    here.start()
    here.ours("stanza-create")
    here.fill("row")
    path = here.data / here.sql("select pg_relation_filepath('t')")
    here.stop()
    with open(path, "r+b") as file:
        file.seek(3 * 8192 + 4000)
        file.write(b"\xff" * 16)
    here.start()
    here.ours("backup", "--type=full", "--start-fast")
    done = run(here)
    assert done.returncode == 1 and "pg_checksums: " in done.stdout, done


@pytest.mark.parametrize("words", [["--set=20200101-000000F"], ["--repo=2"]])
def test_what_cannot_be_tested_is_no_verdict(site, words):
    here = site(compress="none")
    here.ours("--no-online", "stanza-create")
    done = here.run(here.howdah, f"--config={here.config}", "--stanza=demo", "restore-test",
                    f"--scratch-path={here.folder}/scratch", *words, check=False)
    assert done.returncode > 1, done


@pytest.mark.parametrize("at", ["data/global", ".s.PGSQL.5432"], ids=["restores", "recovers"])
def test_ended_by_a_signal_it_leaves_neither_server_nor_folder(site, at):
    here = backed_up(site)
    scratch = here.folder / "scratch"
    running = subprocess.Popen([str(here.howdah), f"--config={here.config}", "--stanza=demo", "restore-test",
                                f"--scratch-path={scratch}"], stdout=subprocess.DEVNULL, cwd="/", **as_postgres())
    wait_for(lambda: list(scratch.glob(f"howdah-restore-test-*/{at}")), at, every=0.002)
    running.send_signal(signal.SIGTERM)
    assert running.wait(60) == 63
    assert list(scratch.iterdir()) == []
    assert str(scratch) not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
