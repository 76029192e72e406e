"""Backups in trouble: refused, killed, half made, and of files that change under them."""
import os
import random
import re
import signal
import subprocess

import pytest
from backup_site import KILLS, site  # noqa: F401
from cluster import as_postgres, wait_for


def test_what_is_not_fit_for_a_backup_is_refused_in_one_line(site):
    here = site()
    here.start()
    assert here.ours("backup", check=False).returncode == 55  # no stanza
    here.ours("stanza-create")
    for words, code, text in ((["--type=ful"], 32, "full, diff, incr"), (["--repo1-block"], 31, "repo1-bundle"),
                              (["--set=latest"], 31, "'set'"), (["--pg1-port=1"], 56, "port 1"),
                              (["--no-online"], 38, "postmaster.pid"), (["--pg1-path=/tmp"], 58, "data_directory")):
        refused = here.ours("backup", *words, check=False)
        assert refused.returncode == code and text in refused.stdout, (words, refused)
    moved = (here.data / "postmaster.pid").rename(here.folder / "postmaster.pid")
    refused = here.ours("backup", "--no-online", check=False)
    moved.rename(here.data / "postmaster.pid")
    assert refused.returncode == 38 and "postmaster.pid is gone" in refused.stdout
    refused = here.ours("backup", "--stop-auto", check=False)
    assert refused.returncode == 31 and "does not act on option 'stop-auto'" in refused.stdout
    config = here.config.read_text()
    here.config.write_text(config.replace("[global]", "[global]\nstop-auto=y\nbuffer-size=2MiB"))
    warned = here.ours("backup", "--start-fast", "--annotation=why=test")
    here.config.write_text(config)
    assert "no effect on backup yet: buffer-size, stop-auto" in warned.stdout
    assert "no prior backup exists, incr backup has been changed to full" in warned.stdout
    assert here.backups()[0]["annotation"] == {"why": "test"}
    here.sql("alter system set archive_command = 'true'")
    here.stop()
    here.run("/usr/lib/postgresql/15/bin/pg_ctl", "start", "-w", "-s", "-D", here.data, "-l",
             here.folder / "postgresql.log", "-o", f"-k {here.folder} -h '' -c archive_mode=on -c fsync=off")
    assert here.ours("backup", "--start-fast", check=False).returncode == 68
    here.stop()
    here.run("/usr/lib/postgresql/15/bin/pg_ctl", "start", "-w", "-s", "-D", here.data, "-l",
             here.folder / "postgresql.log", "-o", f"-k {here.folder} -h '' -c fsync=off")
    off = here.ours("backup", "--start-fast", check=False)
    assert off.returncode == 87 and "archive_mode" in off.stdout
    here.ours("backup", "--start-fast", "--no-archive-check")


def test_wal_of_an_earlier_life_is_not_taken_for_the_backups_own(site):
    """An older copy of the data directory runs on: the archive has its segments' names, with other contents."""
    here = site()
    here.start()
    here.ours("stanza-create")
    here.stop()
    here.run("cp", "-a", here.data, here.folder / "older")
    here.start()
    for _ in range(4):
        here.fill("earlier")
        here.sql("select pg_switch_wal()")
    here.wait_for("select count(*) = 0 from pg_ls_dir('pg_wal/archive_status') status where status like '%.ready'", "t")
    here.stop()
    here.run("rm", "-rf", here.data)
    here.run("mv", here.folder / "older", here.data)
    here.start()
    here.fill("later")
    refused = here.ours("backup", "--type=full", "--start-fast", "--archive-timeout=20", check=False)
    assert refused.returncode == 45 and "another content" in refused.stdout, refused
    assert here.backups() == []
    assert here.ours("check", "--archive-timeout=20", check=False).returncode == 45


def test_killed_at_any_point_the_repository_verifies_and_the_next_backup_succeeds(site):
    here = site(compress="gz")
    here.start()
    here.ours("stanza-create")
    here.fill("row")
    here.ours("backup", "--type=full", "--start-fast")
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(KILLS):
        here.fill("more")
        words = ["backup", f"--type={chance.choice(['full', 'diff', 'incr'])}", "--start-fast",
                 "--manifest-save-threshold=1MiB", *chance.choice([[], ["--repo1-bundle"]])]
        killed = subprocess.Popen([here.pgbackrest, f"--config={here.config}", "--stanza=demo", *words],
                                  stdout=subprocess.DEVNULL, cwd="/", **as_postgres())
        try:
            killed.wait(timeout=chance.uniform(0.05, 2))
        except subprocess.TimeoutExpired:
            killed.kill()
            killed.wait()
        here.run(here.howdah, f"--config={here.config}", "--stanza=demo", "verify")
        here.ours("backup", f"--type={chance.choice(['full', 'incr', 'incr'])}", "--start-fast")
    here.check_verify()
    here.check_restore(here.real, here.backups()[-1]["label"], here.sums())


def test_each_removes_what_the_other_left_half_made(site):
    here = site(compress="none")
    here.start()
    here.ours("stanza-create")
    here.fill("row")
    for first, second in ((here.real, here.ours), (here.ours, here.real)):
        first("backup", "--type=full", "--start-fast")
        label = here.backups()[-1]["label"]
        (here.folder / "repo1/backup/demo" / label / "backup.manifest").unlink()
        done = second("backup", "--type=full", "--start-fast")
        told = done.stdout + done.stderr
        assert "cannot be resumed" in told and label not in [backup["label"] for backup in here.backups()]
        here.check_verify()


def test_our_own_half_made_backup_goes_on(site):
    here = site(compress="none")
    here.start()
    here.ours("stanza-create")
    here.fill("row")
    here.ours("backup", "--type=full", "--start-fast")
    label = here.backups()[-1]["label"]
    (here.folder / "repo1/backup/demo" / label / "backup.manifest").unlink()
    stale = here.folder / "repo1/backup/demo" / label / "pg_data/base/1/1247.0123456789abcdef.pgbackrest.tmp"
    here.run("touch", stale)
    told = here.ours("backup", "--type=full", "--start-fast", "--log-level-console=detail").stdout
    assert not stale.exists()
    assert "will resume" in told and [backup["label"] for backup in here.backups()] == [label]
    assert int(re.search(r"(\d+) files stay from", told)[1]) > 500
    here.check_verify()
    here.check_restore(here.real, label, here.sums())


def test_files_that_come_go_and_grow_while_they_are_copied(site):
    here = site(compress="lz4")
    here.start()
    here.ours("stanza-create")
    here.fill("row")
    restless = here.folder / "restless.sql"
    restless.write_text("""\\set n random(1, 100000)
create table t:n as select generate_series(1, 2000) n; drop table t:n;
insert into t select max(n) + 1, repeat('grows', 200) from t on conflict do nothing;
update t set text = repeat('torn', 100) where n % 97 = :n % 97;
""")
    load = subprocess.Popen(["/usr/lib/postgresql/15/bin/pgbench", "-n", "-f", restless, "-T", "60", "-c", "2", "-h",
                             here.folder, "-U", "postgres", "postgres"], cwd="/", stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, **as_postgres())
    try:
        for kind, more in (("full", []), ("incr", ["--repo1-bundle"]), ("diff", ["--repo1-bundle", "--repo1-block"]),
                           ("full", [])):
            told = here.ours("backup", f"--type={kind}", "--start-fast", *more).stdout
            assert "checksum" not in told.replace("checksum delta", ""), told
    finally:
        load.terminate()
        load.wait()
    assert here.run(here.howdah, f"--config={here.config}", "--stanza=demo", "verify").returncode == 0
    for backup in here.backups():
        data = here.folder / "restored"
        here.run("rm", "-rf", data)
        here.ours("restore", f"--pg1-path={data}", f"--set={backup['label']}", "--type=immediate",
                  "--target-action=promote")
        here.stop()
        here.start(data)
        here.wait_for("select not pg_is_in_recovery()", "t")
        here.sql("create extension if not exists amcheck; select bt_index_check('t_pkey', true)")
        assert not backup["error"]
        here.stop(data)
        here.start()


def test_a_signal_ends_it_at_once_and_postgresql_forgets_the_backup(site):
    here = site()
    here.start()
    here.ours("stanza-create")
    # It waits for the next regular checkpoint, minutes away.
    backup = subprocess.Popen([here.pgbackrest, f"--config={here.config}", "--stanza=demo", "backup",
                               "--log-level-console=info"], cwd="/", stdout=subprocess.PIPE, text=True, **as_postgres())
    here.wait_for("select count(*) from pg_stat_activity where query like '%pg_backup_start%' and pid <> pg_backend_pid()",
                  "1")
    backup.terminate()
    told, _ = backup.communicate(timeout=10)
    assert backup.returncode == 63 and "terminated on signal [SIGTERM]" in told
    here.ours("backup", "--start-fast")
    here.check_verify()


@pytest.mark.parametrize("how", ["deleted", "elsewhere"])
def test_two_backups_meet_also_where_their_lock_files_do_not(site, how):
    here = site(compress="none")
    here.start()
    here.ours("stanza-create")
    here.fill("row")
    first = subprocess.Popen([here.pgbackrest, f"--config={here.config}", "--stanza=demo", "backup", "--type=full",
                              "--start-fast", "--rate-limit=8MiB"], stdout=subprocess.DEVNULL, cwd="/", **as_postgres())
    wait_for(lambda: list(here.folder.glob("repo1/backup/demo/2*F/backup.manifest.copy")), "it copies", every=0.002)
    first.send_signal(signal.SIGSTOP)
    more = [f"--lock-path={here.folder}/other"] if how == "elsewhere" else []
    for lock in (here.folder / "lock").glob("*.lock") if how == "deleted" else []:
        lock.unlink()
    refused = here.ours("backup", "--type=full", "--start-fast", *more, check=False)
    assert refused.returncode == 50 and "repo1/backup/demo" in refused.stdout, refused
    first.send_signal(signal.SIGCONT)
    assert first.wait(120) == 0
    here.ours("backup", "--type=incr", "--start-fast", *more)
    here.check_verify()
