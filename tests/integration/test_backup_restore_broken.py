"""A restore that is broken off leaves nothing that starts, and nothing outside its target is touched."""
import os
import random
import signal
import subprocess
import time

import pytest
from backup_site import PG, site  # noqa: F401
from cluster import as_postgres


def two_backups(here, links=()):
    """The labels of two full backups; the second has tables that the first has not. `links`: below the data directory."""
    for name in links:
        here.run("mv", here.data / name, here.folder / f"{name}-outside")
        here.run("ln", "-s", here.folder / f"{name}-outside", here.data / name)
    here.run("mkdir", here.folder / "space")
    here.start()
    here.sql(f"create tablespace other location '{here.folder}/space'")
    here.fill("row")
    here.ours("stanza-create")
    here.ours("backup", "--type=full", "--start-fast")
    here.sql("create table spaced tablespace other as select generate_series(1, 5000) n")
    for number in range(30):
        here.sql(f"create table more_{number} as select generate_series(1, 5000) n")
    here.ours("backup", "--type=full", "--start-fast")
    here.stop()
    return [backup["label"] for backup in here.backups()]


def starts(here, data):
    """Whether a server starts from there; it is stopped again."""
    done = here.run(PG / "pg_ctl", "start", "-w", "-t", "30", "-s", "-D", data, "-l", here.folder / "postgresql.log", "-o",
                    f"-k {here.folder} -h '' -c fsync=off", check=False)
    if done.returncode == 0:
        here.stop(data)
    return done.returncode == 0


def restore_words(here, data, label, *more):
    return [here.pgbackrest, f"--config={here.config}", "--stanza=demo", "restore", f"--pg1-path={data}", f"--set={label}",
            f"--tablespace-map=other={here.folder}/space-{data.name}", *more]


@pytest.mark.parametrize("layout", ["plain", "linked"])
def test_killed_at_any_point_it_leaves_what_is_whole_or_what_does_not_start(site, layout):
    here = site(compress="lz4")
    labels = two_backups(here)
    data = here.folder / "ours"
    more = [] if layout == "plain" else [f"--link-map=pg_wal={here.folder}/wal-of-ours"]
    here.run(*restore_words(here, data, labels[1], "--type=immediate", *more))
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    broken_off = 0
    for turn in range(int(os.environ.get("HOWDAH_KILLS", "10"))):
        before = (data / "global/pg_control").stat().st_ino
        how = chance.choice([["--delta"], ["--force"], ["--delta", "--type=preserve"], ["--delta", "--process-max=4"]])
        words = restore_words(here, data, labels[turn % 2], *how, *more)
        running = subprocess.Popen([str(word) for word in words], stdout=subprocess.DEVNULL, cwd="/", **as_postgres())
        time.sleep(chance.uniform(0, 0.25))
        running.send_signal(signal.SIGKILL)
        running.wait()
        control = data / "global/pg_control"
        if control.exists() and not (data / "backup.manifest").exists():
            continue  # nothing was begun, or all was done
        if control.exists():
            assert control.stat().st_ino != before, "changed under a pg_control that was there before"
        else:
            broken_off += 1
            assert not starts(here, data), f"a restore that was broken off starts: turn {turn}, {how}"
        here.run(*restore_words(here, data, labels[1], "--delta", "--type=immediate", *more))
        assert not (data / "backup.manifest").exists()
    assert broken_off > 0, "no kill met a restore at work"
    here.run(*restore_words(here, data, labels[1], "--delta", "--type=immediate", *more))
    here.start(data)
    here.wait_for("select pg_is_in_recovery()", "t")
    assert here.sql("select count(*) from pg_class where relname like 'more_%'") == "30"
    here.stop(data)


def test_one_that_fails_by_itself_does_not_start_either(site):
    here = site(compress="none")
    labels = two_backups(here)
    data = here.folder / "ours"
    here.run(*restore_words(here, data, labels[1], "--type=immediate"))
    damaged = here.folder / "repo1/backup/demo" / labels[0] / "pg_data/PG_VERSION"
    damaged.write_text("94\n")
    (data / "PG_VERSION").write_text("9\n")
    failed = here.run(*restore_words(here, data, labels[0], "--delta"), check=False)
    assert failed.returncode == 26 and not (data / "global/pg_control").exists()
    assert not starts(here, data)
    here.run(*restore_words(here, data, labels[1], "--delta", "--type=immediate"))
    assert starts(here, data)


def test_no_file_or_folder_outside_is_overwritten(site):
    here = site(compress="none")
    outside = here.folder / "outside"
    here.run("mkdir", outside)
    (here.folder / "outside/extra.conf").write_text("k=1\n")
    here.run("ln", "-s", outside / "extra.conf", here.data / "extra.conf")
    label = two_backups(here)[0]
    data = here.folder / "ours"
    extra, precious = outside / "extra.conf", here.folder / "precious.conf"
    extra.write_text("k=PRECIOUS\n")
    precious.write_text("k=PRECIOUS\n")
    for words in (["--link-all"], [f"--link-map=extra.conf={precious}"], [f"--link-map=postgresql.conf={precious}"],
                  ["--link-all", "--delta"]):
        refused = here.run(*restore_words(here, data, label, *words), check=False)
        assert refused.returncode == 93 and "exists already" in refused.stdout, (words, refused)
        assert not data.exists()
    here.run(*restore_words(here, data, label, "--type=immediate"))
    folder = here.folder / "of-others"
    here.run("mkdir", folder)
    here.run("touch", folder / "precious")
    for words, code in (([f"--link-map=extra.conf={precious}"], 93), ([f"--link-map=pg_wal={folder}"], 40),
                        ([f"--tablespace-map=other={folder}"], 40)):
        here.run("mkdir", "-p", folder / "PG_15_202209061/5")
        usual = restore_words(here, data, label, "--delta")
        usual = [word for word in usual if "tablespace" not in words[0] or "tablespace" not in str(word)]
        refused = here.run(*usual, *words, check=False)
        assert refused.returncode == code, (words, refused)
        assert (folder / "precious").exists() and starts(here, data)
    assert extra.read_text() == precious.read_text() == "k=PRECIOUS\n"
    # A second name of a file of the data directory, as snapshots by hard links have, keeps its content.
    snapshot = here.folder / "snapshot"
    os.link(data / "postgresql.conf", snapshot)
    with open(snapshot, "a") as file:
        file.write("# changed since\n")
    changed = snapshot.read_text()
    here.run(*restore_words(here, data, label, "--delta", "--type=immediate"))
    assert snapshot.read_text() == changed and "changed since" not in (data / "postgresql.conf").read_text()


def test_with_delta_a_folder_becomes_a_link_and_goes_on_as_one(site):
    here = site()
    label = two_backups(here)[1]
    data, wal, xact = here.folder / "ours", here.folder / "wal", here.folder / "xact"
    here.run(*restore_words(here, data, label, "--type=immediate"))
    maps = [f"--link-map=pg_wal={wal}", f"--link-map=pg_xact={xact}"]
    for _ in range(2):
        here.run(*restore_words(here, data, label, "--delta", "--type=immediate", *maps))
        assert os.readlink(data / "pg_wal") == str(wal) and os.readlink(data / "pg_xact") == str(xact)
        assert (wal / "archive_status").is_dir() and (xact / "0000").exists()
        assert starts(here, data)
    unknown = here.run(*restore_words(here, data, label, "--delta", "--link-map=nothing=/x"), check=False)
    assert unknown.returncode == 78


def test_two_restores_into_one_directory_do_not_meet(site):
    here = site(compress="none")
    label = two_backups(here)[0]
    data = here.folder / "ours"
    here.run("mkdir", "-m", "700", data)
    held = subprocess.Popen(["/usr/bin/flock", data, "sleep", "60"])
    try:
        deadline = time.monotonic() + 20
        while (refused := here.run(*restore_words(here, data, label), check=False)).returncode != 50:
            assert time.monotonic() < deadline, refused
            here.run("sh", "-c", f"rm -rf {data}/*")
        assert list(data.iterdir()) == []
    finally:
        held.kill()
        held.wait()
