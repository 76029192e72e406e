"""What retention lets go: Howdah and pgBackRest leave the same backups, the same WAL and the same listing."""
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest
from backup_site import KILLS, Site
from cluster import as_postgres


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Three full backups with what depends on them, and WAL between."""
    folder = tmp_path_factory.mktemp("site")
    for parent in [folder, *folder.parents]:
        if parent.stat().st_uid == os.geteuid() and parent != pathlib.Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    here = Site(folder, compress="none")
    here.start()
    here.sql("create table t (n int)")
    here.ours("stanza-create")
    for kind in ("full", "diff", "incr", "full", "diff", "incr", "full", "diff", "diff"):
        here.sql("insert into t values (1); select pg_switch_wal()")
        here.ours("backup", f"--type={kind}", "--start-fast", "--no-expire-auto")
    yield here
    here.stop()


def copy_of(here, name):
    """Hard links: whoever changes a file of a repository writes it anew."""
    here.run("rm", "-rf", here.folder / name)
    here.run("cp", "-al", here.folder / "repo1", here.folder / name)
    return here.folder / name


def files_of(repository):
    return sorted(str(path.relative_to(repository)) for path in repository.rglob("*")
                  if not path.is_dir() or path.is_symlink())


def listing(here, program, repository):
    return json.loads(program("info", "--output=json", f"--repo1-path={repository}").stdout)[0]


def labels(here):
    return [backup["label"] for backup in listing(here, here.real, here.folder / "repo1")["backup"]]


@pytest.mark.parametrize("options", [
    ["--repo1-retention-full=2"], ["--repo1-retention-full=1"], ["--repo1-retention-full=1", "--repo1-retention-diff=1"],
    ["--repo1-retention-full=3", "--repo1-retention-diff=2"],
    ["--repo1-retention-full=2", "--repo1-retention-archive=1"],
    ["--repo1-retention-full=3", "--repo1-retention-archive=1", "--repo1-retention-archive-type=diff"],
    ["--repo1-retention-full=3", "--repo1-retention-archive=2", "--repo1-retention-archive-type=incr"],
    ["--repo1-retention-full=1", "--repo1-retention-full-type=time"]], ids=" ".join)
def test_both_programs_leave_the_same(site, options):
    theirs, ours = copy_of(site, "theirs"), copy_of(site, "ours")
    site.real("expire", f"--repo1-path={theirs}", *options)
    dry = site.ours("expire", f"--repo1-path={ours}", "--dry-run", "--log-level-console=detail", *options)
    assert files_of(ours) == files_of(site.folder / "repo1"), "a dry run changes nothing"
    assert "stays: " in dry.stdout, dry.stdout
    site.ours("expire", f"--repo1-path={ours}", *options)
    assert files_of(ours) == files_of(theirs)
    assert listing(site, site.real, ours) == listing(site, site.real, theirs)
    assert os.readlink(ours / "backup/demo/latest") == os.readlink(theirs / "backup/demo/latest")
    site.run(site.howdah, f"--config={site.config}", "--stanza=demo", "verify", f"--repo1-path={ours}")


def test_a_set_goes_with_what_needs_it(site):
    theirs, ours = copy_of(site, "theirs"), copy_of(site, "ours")
    first = labels(site)[0]
    site.real("expire", f"--repo1-path={theirs}", f"--set={first}")
    site.ours("expire", f"--repo1-path={ours}", f"--set={first}")
    assert files_of(ours) == files_of(theirs)
    assert all(not backup["label"].startswith(first) for backup in listing(site, site.real, ours)["backup"])
    for label, code in (("20200101-000000F", 75), ("nonsense", None)):
        refused = site.ours("expire", f"--repo1-path={ours}", f"--set={label}", check=False)
        assert refused.returncode != 0 and (code is None or refused.returncode == code), refused.stderr
    assert files_of(ours) == files_of(theirs)


def test_broken_off_at_any_moment_it_leaves_what_verifies(site):
    ours = copy_of(site, "ours")
    words = [str(site.pgbackrest), f"--config={site.config}", "--stanza=demo", "expire", f"--repo1-path={ours}",
             "--repo1-retention-full=1"]
    for turn in range(KILLS):
        ours = copy_of(site, "ours")
        running = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **as_postgres())
        time.sleep(0.002 + 0.0016 * (turn % 20))
        running.send_signal(signal.SIGKILL)
        running.wait()
        site.run(site.howdah, f"--config={site.config}", "--stanza=demo", "verify", f"--repo1-path={ours}")
        site.ours(*words[3:])
        assert len(listing(site, site.real, ours)["backup"]) == 3
    site.run(site.howdah, f"--config={site.config}", "--stanza=demo", "verify", f"--repo1-path={ours}")


def test_notes_are_kept_by_both(site):
    ours = copy_of(site, "ours")
    label = labels(site)[1]
    site.ours("annotate", f"--repo1-path={ours}", f"--set={label}", "--annotation=why=before the upgrade", "--annotation=who=me")
    site.real("annotate", f"--repo1-path={ours}", f"--set={label}", "--annotation=who=", "--annotation=when=today")
    found = next(backup for backup in listing(site, site.real, ours)["backup"] if backup["label"] == label)
    assert found["annotation"] == {"why": "before the upgrade", "when": "today"}
    assert listing(site, site.ours, ours)["backup"] == listing(site, site.real, ours)["backup"]


def test_check_proves_that_wal_arrives(site):
    done = site.ours("check", "--log-level-console=info")
    assert "check repo1 archive for WAL (primary)" in done.stdout and "successfully archived to" in done.stdout, done.stdout
    site.stop()
    site.run("/usr/lib/postgresql/15/bin/pg_ctl", "start", "-w", "-s", "-D", site.data, "-l", site.folder / "postgresql.log",
             "-o", f"-k {site.folder} -h '' -c archive_mode=on -c archive_command=/bin/false")
    try:
        refused = site.ours("check", check=False)
        assert refused.returncode == 68, refused.stderr
    finally:
        site.stop()
        site.start()


def test_a_stopped_stanza_is_deleted_and_nothing_else(site):
    ours = copy_of(site, "ours")
    running = site.ours("stanza-delete", f"--repo1-path={ours}", check=False)
    assert running.returncode == 55, running.stderr
    site.ours("stop")
    refused = site.ours("stanza-delete", f"--repo1-path={ours}", check=False)
    assert refused.returncode == 38, refused.stderr
    site.ours("stanza-delete", f"--repo1-path={ours}", "--force")
    assert files_of(ours) == []
    assert files_of(site.folder / "repo1") != []
    site.ours("start", check=False)


def test_an_upgrade_goes_on_with_another_cluster(site):
    ours, other = copy_of(site, "ours"), site.folder / "other"
    site.run("rm", "-rf", other)
    site.run("/usr/lib/postgresql/15/bin/initdb", "-D", other, "-A", "trust", "-U", "postgres")
    words = [f"--repo1-path={ours}", f"--pg1-path={other}"]
    assert site.ours("stanza-create", *words, "--no-online", check=False).returncode == 28
    site.ours("stanza-upgrade", *words, "--no-online")
    again = site.ours("stanza-upgrade", *words, "--no-online", "--log-level-console=info")
    assert "already up to date" in again.stdout
    site.real("stanza-upgrade", *words, "--no-online")
    assert [database["id"] for database in listing(site, site.real, ours)["db"]] == [1, 2]
