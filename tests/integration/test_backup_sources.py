"""Where a backup comes from and goes to: tablespaces, links, a standby, the archive, one of several repositories."""
import json
import os
import subprocess

from backup_site import site  # noqa: F401
from cluster import as_postgres, wait_for


def test_wal_is_copied_into_the_backup_and_needs_no_archive(site):
    here = site(compress="lz4", cipher=True)
    here.start()
    here.ours("stanza-create")
    here.fill("row")
    sums = here.sums()
    here.ours("backup", "--type=full", "--start-fast", "--archive-copy")
    here.check_verify()
    label = here.backups()[0]["label"]
    assert list((here.folder / "repo1/backup/demo" / label / "pg_data/pg_wal").glob("0*.lz4"))
    data = here.folder / "restored"
    here.ours("restore", f"--pg1-path={data}", "--type=none")
    here.stop()
    here.start(data)
    assert here.sums() == sums
    here.stop(data)


def test_tablespaces_links_unlogged_and_temporary_relations(site):
    here = site(compress="zst")
    space, outside = here.folder / "space", here.folder / "outside"
    here.run("mkdir", space, outside)
    here.run("touch", outside / "kept")
    here.run("ln", "-s", outside, here.data / "linked")
    odd = ["a=b", "c={}", "[d]", "#e", "f g", 'h"i\\j', "k\u00e4"]
    for name in odd:
        here.run("touch", here.data / "linked" / name)
    here.start()
    here.ours("stanza-create")
    here.sql(f"create tablespace other location '{space}'")
    here.sql("create table t tablespace other as select n, 'text' as text from generate_series(1, 1000) n")
    here.sql("create unlogged table volatile as select generate_series(1, 1000) n")
    path = here.sql("select pg_relation_filepath('volatile')")
    here.sql("checkpoint")
    here.ours("backup", "--type=full", "--start-fast", "--exclude=postmaster.opts")
    here.check_verify()
    label = here.backups()[0]["label"]
    stored = here.folder / "repo1/backup/demo" / label
    assert (stored / f"pg_data/{path}_init.zst").exists() and not (stored / f"pg_data/{path}.zst").exists()
    sums = here.sums()
    for program in (here.real, here.ours):
        data = here.folder / "restored"
        here.run("rm", "-rf", data, here.folder / "elsewhere", here.folder / "behind")
        here.run("mkdir", "-m", "700", data)
        program("restore", f"--pg1-path={data}", "--type=immediate", "--target-action=promote",
                f"--tablespace-map=other={here.folder}/elsewhere", f"--link-map=linked={here.folder}/behind")
        here.stop()
        here.start(data)
        here.wait_for("select not pg_is_in_recovery()", "t")
        assert here.sums() == sums and here.sql("select count(*) from volatile") == "0"
        assert sorted(os.listdir(data / "linked")) == sorted([*odd, "kept"])
        here.stop(data)
        here.start()


def start_standby(here, port):
    standby = here.folder / "standby"
    here.run("/usr/lib/postgresql/15/bin/pg_basebackup", "-D", standby, "-h", here.folder, "-U", "postgres", "-R",
             "-X", "stream", "-c", "fast")
    here.run("/usr/lib/postgresql/15/bin/pg_ctl", "start", "-w", "-s", "-D", standby, "-l", here.folder / "standby.log",
             "-o", f"-k {here.folder} -h '' -p {port} -c archive_mode=on -c fsync=off")
    return [f"--pg2-path={standby}", f"--pg2-port={port}", f"--pg2-socket-path={here.folder}"]


def test_files_come_from_the_standby_when_there_is_one(site):
    here = site(compress="lz4")
    here.start()
    here.ours("stanza-create")
    here.fill("row")
    missing = here.ours("backup", "--type=full", "--start-fast", "--backup-standby=y", check=False)
    assert missing.returncode == 56 and "standby" in missing.stdout
    preferred = here.ours("backup", "--type=full", "--start-fast", "--backup-standby=prefer")
    assert "using primary instead" in preferred.stdout
    standby = start_standby(here, 5433)
    here.fill("more")
    done = here.ours("backup", "--type=full", "--start-fast", "--backup-standby=y", "--process-max=2",
                     "--log-level-console=detail", *standby)
    assert f"backup file {here.folder}/standby/base/" in done.stdout
    assert f"backup file {here.data}/postgresql.conf" in done.stdout
    here.check_verify()
    here.check_restore(here.real, here.backups()[-1]["label"], here.sums())


def test_a_standby_that_is_promoted_meanwhile_spoils_the_backup(site):
    here = site(compress="none")
    here.start()
    here.ours("stanza-create")
    here.fill("row")
    standby = start_standby(here, 5433)
    words = ["backup", "--type=full", "--start-fast", "--backup-standby=y", *standby]
    running = subprocess.Popen([here.pgbackrest, f"--config={here.config}", "--stanza=demo", "--rate-limit=5MiB", *words],
                               stdout=subprocess.PIPE, text=True, cwd="/", **as_postgres())
    wait_for(lambda: list(here.folder.glob("repo1/backup/demo/2*F/pg_data/base")), "files of the standby")
    here.run("/usr/lib/postgresql/15/bin/pg_ctl", "promote", "-w", "-D", here.folder / "standby")
    told = running.communicate(timeout=100)[0]
    assert running.returncode == 58 and "was promoted" in told, told
    assert here.backups() == []
    again = here.ours("backup", "--type=full", "--start-fast").stdout  # nor does the next one go on with its files
    assert "cannot be resumed" in again and len(here.backups()) == 1


def test_one_of_several_repositories_is_chosen_and_faults_are_told(site):
    here = site(repositories=2, cipher=True)
    here.start()
    here.ours("stanza-create")
    told = here.ours("backup", "--start-fast", "--log-level-console=info").stdout
    assert "repo option not specified, defaulting to repo1" in told
    here.ours("backup", "--start-fast", "--repo=2")
    found = json.loads(here.real("info", "--output=json").stdout)[0]["backup"]
    assert [backup["database"]["repo-key"] for backup in found] == [1, 2]
    config = here.config.read_text()
    here.config.write_text(config.replace("secret 2", "wrong"))
    wrong = here.ours("backup", "--start-fast", "--repo=2", check=False)
    assert wrong.returncode == 95 and "repo2-cipher-pass" in wrong.stdout
    here.config.write_text(config)
    here.run("chmod", "-R", "a-w", here.folder / "repo2/backup")
    closed = here.ours("backup", "--start-fast", "--repo=2", check=False)
    here.run("chmod", "-R", "u+w", here.folder / "repo2/backup")
    assert closed.returncode != 0 and f"{here.folder}/repo2/backup" in closed.stdout and "HINT" in closed.stdout
    here.ours("backup", "--start-fast", "--repo=2")
