"""repo-copy: a backup with its WAL in another repository, where both programs read it."""
import json
import shutil
import signal
import subprocess
import time

import pytest
from backup_site import site  # noqa: F401
from cluster import as_postgres


def chain_of(here, kinds, *more):
    """Backups in repo1 alone; the sums of the table at each."""
    sums = []
    for kind in kinds:
        here.fill(kind)
        sums.append(here.sums())
        here.ours("backup", "--repo=1", f"--type={kind}", "--start-fast", "--process-max=2", *more)
    return sums


def backups_in(here, number):
    stanza = json.loads(here.ours("info", "--output=json", f"--repo={number}").stdout)[0]
    return stanza["backup"]


def without_wal_of_pushes(here):
    """As if repo2 had been made later: only what repo-copy brings is there."""
    for folder in (here.folder / "repo2/archive/demo").glob("15-1/*"):
        shutil.rmtree(folder) if folder.is_dir() else folder.unlink()


@pytest.mark.parametrize("compress, cipher, full, copy", [
    ("gz", True, [], ["--compress-type=zst"]),
    ("none", False, ["--repo1-bundle"], ["--compress-type=lz4", "--repo2-bundle"]),
    ("zst", True, ["--repo1-bundle", "--repo1-block"], ["--compress-type=gz"])], ids=["plain", "bundle", "block"])
def test_a_chain_with_its_wal_arrives_whole(site, compress, cipher, full, copy):
    here = site(compress=compress, cipher=cipher, repositories=2)
    here.start()
    here.ours("stanza-create")
    sums = chain_of(here, ["full", "incr", "incr"], *full)
    here.stop()
    without_wal_of_pushes(here)
    dry = here.ours("repo-copy", "--to-repo=2", "--dry-run", "--log-level-console=info").stdout
    assert dry.count("would copy backup") == 3 and backups_in(here, 2) == []
    here.ours("repo-copy", "--to-repo=2", "--process-max=2", *copy)
    found, wanted = backups_in(here, 2), backups_in(here, 1)
    assert [backup["label"] for backup in found] == [backup["label"] for backup in wanted]
    assert [backup["info"]["size"] for backup in found] == [backup["info"]["size"] for backup in wanted]
    verified = here.run(here.howdah, f"--config={here.config}", "--stanza=demo", "verify", "--repo=2", check=False)
    assert verified.returncode == 0, verified.stdout
    again = here.ours("repo-copy", "--to-repo=2", "--log-level-console=info", *copy).stdout
    assert again.count("repo2 has backup") == 3 and "copy backup" not in again
    # repo1 is lost, and nobody asks it any more: as long as it is configured, recovery does not end without its answer.
    shutil.move(here.folder / "repo1", here.folder / "gone")
    kept = [line for line in here.config.read_text().splitlines() if not line.startswith("repo1-")]
    here.config.write_text("\n".join(kept) + "\n")
    here.start()
    for program, at in ((here.ours, 2), (here.real, 1)):
        here.check_restore(lambda *words: program("--repo=2", *words), found[at]["label"], sums[at])


def test_the_other_end_goes_on_with_the_chain(site):
    here = site(compress="lz4", repositories=2)
    here.start()
    here.ours("stanza-create")
    chain_of(here, ["full"])
    here.ours("repo-copy", "--to-repo=2")
    here.fill("more")
    here.real("backup", "--repo=2", "--type=incr", "--start-fast")
    found = backups_in(here, 2)
    assert found[1]["prior"] == found[0]["label"]
    here.check_restore(lambda *words: here.ours("--repo=2", *words), found[1]["label"], here.sums())


def test_damage_is_not_copied(site):
    here = site(compress="gz", repositories=2)
    here.start()
    here.ours("stanza-create")
    chain_of(here, ["full"])
    damaged = next((here.folder / "repo1/backup/demo").glob("2*F/pg_data/base/5/1259.gz"))
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 0xff
    damaged.write_bytes(content)
    refused = here.ours("repo-copy", "--to-repo=2", check=False)
    assert refused.returncode != 0 and "pg_data/base/5/1259" in refused.stdout, refused
    assert backups_in(here, 2) == []


def test_a_backup_whose_wal_is_damaged_does_not_count_at_the_other_end(site):
    here = site(compress="gz", repositories=2)
    here.start()
    here.ours("stanza-create")
    chain_of(here, ["full"])
    here.stop()
    without_wal_of_pushes(here)
    needed = backups_in(here, 1)[0]["archive"]["start"]
    damaged = next((here.folder / "repo1/archive/demo/15-1").glob(f"*/{needed}-*"))
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 0xff
    damaged.write_bytes(content)
    refused = here.ours("repo-copy", "--to-repo=2", check=False)
    assert refused.returncode != 0 and needed in refused.stdout, refused
    assert backups_in(here, 2) == []


@pytest.mark.parametrize("words, said", [
    ([], "'to-repo'"), (["--to-repo=1"], "another"), (["--to-repo=7"], "configured"),
    (["--to-repo=2", "--set=20200101-000000F"], "20200101-000000F")])
def test_a_wrong_order_changes_nothing(site, words, said):
    here = site(repositories=2)
    here.ours("stanza-create")
    before = sorted(here.folder.glob("repo2/**/*"))
    refused = here.ours("repo-copy", *words, check=False)
    assert refused.returncode != 0 and said in refused.stdout + refused.stderr, refused
    assert sorted(here.folder.glob("repo2/**/*")) == before


def test_killed_at_any_moment_it_is_gone_on_with(site):
    here = site(compress="none", repositories=2)
    here.start()
    here.ours("stanza-create")
    sums = chain_of(here, ["full", "incr"])
    here.stop()
    for after in (0.02, 0.05, 0.1, 0.2, 0.4):
        started = subprocess.Popen([here.pgbackrest, f"--config={here.config}", "--stanza=demo", "repo-copy", "--to-repo=2"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **as_postgres())
        time.sleep(after)
        started.send_signal(signal.SIGKILL)
        started.wait()
        verified = here.run(here.howdah, f"--config={here.config}", "--stanza=demo", "verify", "--repo=2", check=False)
        assert verified.returncode == 0, (after, verified.stdout)
    here.ours("repo-copy", "--to-repo=2")
    here.start()
    found = backups_in(here, 2)
    here.check_restore(lambda *words: here.ours("--repo=2", *words), found[1]["label"], sums[1])


def test_a_rate_is_kept(site):
    here = site(compress="none", repositories=2)
    here.start()
    here.ours("stanza-create")
    chain_of(here, ["full"])
    size = backups_in(here, 1)[0]["info"]["size"]
    begin = time.monotonic()
    here.ours("repo-copy", "--to-repo=2", "--process-max=2", f"--rate-limit={size // 2}B")
    assert time.monotonic() - begin > 1.7  # a quarter of a second's worth may go at once
