"""Backups that Howdah takes: pgBackRest reads, checks and restores them, and so does Howdah."""
import json
import os
import re

import pytest
from backup_site import site  # noqa: F401


def test_a_full_backup_is_whole_for_both_programs(site):
    here = site()
    here.start()
    here.fill("full")
    here.ours("stanza-create")
    done = here.ours("backup", "--type=full", "--start-fast", "--process-max=2", "--log-level-console=info")
    for line in ("execute non-exclusive backup start: backup begins after the requested immediate checkpoint completes",
                 "backup start archive = 00000001", "check archive for ", "execute non-exclusive backup stop",
                 "backup stop archive = ", "check archive for segment(s) ", "new backup label = ", "full backup size = "):
        assert f"INFO: {line}" in done.stdout, (line, done.stdout)
    label = here.backups()[0]["label"]
    assert os.readlink(here.folder / "repo1/backup/demo/latest") == label
    here.check_verify()
    for program in (here.real, here.ours):
        here.check_restore(program, label, here.sums())


@pytest.mark.parametrize("compress, cipher, more", [
    ("none", False, []), ("gz", True, []), ("bz2", False, ["--repo1-bundle"]), ("lz4", False, ["--repo1-hardlink"]),
    ("zst", True, ["--repo1-bundle"])], ids=["none", "gz-aes", "bz2-bundle", "lz4-hardlink", "zst-aes-bundle"])
def test_both_programs_build_one_chain(site, compress, cipher, more):
    here = site(compress=compress, cipher=cipher)
    here.start()
    here.real("stanza-create")
    sums = []
    turns = [(here.ours, "full"), (here.real, "diff"), (here.ours, "incr"), (here.real, "incr"), (here.ours, "diff")]
    for program, kind in turns:
        here.fill(kind)
        sums.append(here.sums())
        program("backup", f"--type={kind}", "--start-fast", "--process-max=2", *more)
    here.check_verify()
    found = here.backups()
    assert [backup["type"] for backup in found] == [kind for _, kind in turns]
    assert json.loads(here.ours("info", "--output=json").stdout)[0]["backup"] == found
    assert found[2]["prior"] == found[1]["label"] and found[2]["info"]["delta"] < found[2]["info"]["size"] / 2
    for at in (2, 3):
        here.check_restore(turns[at - 1][0], found[at]["label"], sums[at])


def test_blocks_are_restored_as_they_were_and_cost_little(site):
    here = site(compress="zst", cipher=True)
    here.start()
    here.ours("stanza-create")
    more = ["--start-fast", "--repo1-bundle", "--repo1-block", "--process-max=2"]
    for _ in range(5):
        here.fill("many rows")
    sums = []
    for kind in ("full", "incr", "diff", "incr"):
        here.sql("update t set text = 'one row' where n = (select count(*) / 2 from t)")
        sums.append(here.sums())
        here.ours("backup", f"--type={kind}", *more)
    assert here.run(here.howdah, f"--config={here.config}", "--stanza=demo", "verify").returncode == 0
    found = here.backups()
    for backup, expected in list(zip(found, sums))[1:]:
        assert backup["info"]["repository"]["delta"] * 4 < found[0]["info"]["repository"]["delta"]
        here.check_restore(here.ours, backup["label"], expected)


def lines_of(path):
    """A manifest without what two backups of one stopped cluster cannot share."""
    own = ("backrest-version=", "backrest-checksum=", "backup-label=", "backup-reference=", "backup-timestamp-",
           "option-compress-level-network=")
    text = re.sub('"(rck|repo-size)":[^,]*,', "", path.read_text())  # two compressors, or two versions of one
    return [line for line in text.splitlines() if not line.startswith(own)]


@pytest.mark.parametrize("compress, more", [("lz4", []), ("none", ["--no-checksum-page"]), ("gz", ["--checksum-page"])])
def test_of_a_stopped_cluster_both_write_one_manifest(site, compress, more):
    here = site(compress=compress)
    here.start()
    here.ours("stanza-create")
    here.fill("row")
    here.sql("create unlogged table u as select 1 n")
    here.stop()
    for program in (here.real, here.ours):
        program("backup", "--type=full", "--no-online", *more)
    theirs, ours = sorted((here.folder / "repo1/backup/demo").glob("2*/backup.manifest"))
    assert lines_of(ours) == lines_of(theirs)


def test_one_backup_goes_into_every_repository(site):
    here = site(compress="zst", repositories=2)
    here.start()
    here.ours("stanza-create")
    here.fill("full")
    here.ours("backup", "--repo=2", "--type=full", "--start-fast")  # the chains differ from now on
    for kind in ("more", "and more"):
        here.fill(kind)
        here.ours("backup", "--all-repos", "--type=incr", "--start-fast", "--process-max=2", "--repo2-bundle")
    found = json.loads(here.real("info", "--output=json").stdout)[0]["backup"]
    kinds = {key: [backup["type"] for backup in found if backup["database"]["repo-key"] == key] for key in (1, 2)}
    assert kinds == {1: ["full", "incr"], 2: ["full", "incr", "incr"]}
    here.check_verify()
    here.ours("verify", "--repo=2")
    for key in (1, 2):
        label = [backup["label"] for backup in found if backup["database"]["repo-key"] == key][-1]
        here.check_restore(lambda *words: here.ours(f"--repo={key}", *words), label, here.sums())


def test_a_repository_that_fails_stops_no_other(site):
    here = site(compress="lz4", repositories=2)
    here.start()
    here.ours("stanza-create")
    here.fill("some rows")
    (here.folder / "repo2/backup").rename(here.folder / "away")
    (here.folder / "repo2/backup").touch()
    failed = here.ours("backup", "--all-repos", "--type=full", "--start-fast", check=False)
    assert failed.returncode != 0 and "repo2" in failed.stdout and "repo1 got the backup" in failed.stdout, failed
    optional = here.ours("backup", "--all-repos", "--repo-optional=2", "--type=full", "--start-fast", check=False)
    assert optional.returncode == 0 and "the backup goes on without it" in optional.stdout, optional
    assert len(json.loads(here.ours("info", "--repo=1", "--output=json").stdout)[0]["backup"]) == 2
    here.check_restore(lambda *words: here.ours("--repo=1", *words), "latest", here.sums())
