"""What the commands make of their options, beside pgBackRest: the same codes, the same listings, nothing silent."""
import json
import os
import signal
import stat
import subprocess
import time

import pytest
from backup_site import site  # noqa: F401
from cluster import as_postgres

# Words, and the code of both programs. None of them begins any work.
REFUSED = [
    ("restore --dry-run", 31), ("info --delta", 31), ("info --force", 31), ("info --db-include=x", 31), ("info --pg1-path=/x", 31),
    ("info --no-such-option", 31), ("info --set=20200101-000000F --no-config", 31), ("backup --target=1", 31),
    ("check --type=full", 31), ("info --repo=1 --repo=2", 31), ("info --compress-level=x", 31), ("backup --repo=9", 32),
    ("info --log-level-console=loud", 32), ("backup --type=tim", 32), ("restore --type=tim", 32),
    ("backup --archive-timeout=0", 32), ("expire --repo1-retention-full=0", 32), ("backup --pg1-path=x", 32),
    ("repo-ls --output=xml", 32), ("repo-ls --sort=x", 32), ("info --output=xml", 32),
    ("restore --type=time", 37), ("restore --target=1", 31), ("restore --target-exclusive", 31),
    ("restore --type=time --target=noon", 29), ("restore --set=20200101-000000F", 75), ("restore --set=bogus", 75),
    ("restore --db-include=nobody", 80), ("restore --db-include=postgres", 81), ("restore --tablespace-map=none=/x", 76),
    ("restore --link-map=none=/x", 78), ("restore --repo1-path=/none", 75),
    ("backup x", 96), ("restore x", 96), ("info x", 96), ("stop x", 96), ("start x", 96), ("repo-ls a b", 96),
    ("archive-push", 43), ("archive-push a b", 43), ("repo-get", 43), ("repo-put", 43),
    ("repo-ls /etc", 96), ("repo-ls --filter=[", 29), ("repo-get nothing", 55), ("repo-get nothing --ignore-missing", 1),
    ("repo-rm backup", 31), ("annotate --set=20200101-000000F", 37), ("annotate --annotation=a=b", 37),
    ("nosuch", 48), ("", 30), ("info --config-include-path=/none", 73), ("backup --db-timeout=x", 32),
]


def bare(here, program, *words, environment=None, folder="/"):
    """The program without --config and --stanza."""
    return subprocess.run([str(word) for word in (program, *words)], capture_output=True, text=True, cwd=folder, timeout=60,
                          stdin=subprocess.DEVNULL, env={"PATH": "/usr/bin:/bin", **(environment or {})}, **as_postgres())


@pytest.fixture
def backed_up(site):
    """A stopped cluster with a tablespace, links, a wrong page, a full and an incremental backup by pgBackRest."""
    here = site(compress="none")
    outside = here.folder / "outside"
    here.run("mkdir", "-p", outside / "folder", here.folder / "space")
    here.run("touch", outside / "file.conf")
    here.run("ln", "-s", outside / "file.conf", outside / "folder", here.data)
    here.start()
    here.sql(f"create tablespace other location '{here.folder}/space'")
    here.sql("create database appdb")
    here.fill("row")
    path = here.sql("select pg_relation_filepath('t')")
    here.stop()
    with open(here.data / path, "r+b") as file:
        file.seek(8192 + 100)
        file.write(b"damage")
    here.start()
    here.real("stanza-create")
    here.real("backup", "--type=full", "--start-fast", "--annotation=why=test", "--annotation=who=me")
    here.real("backup", "--type=incr", "--start-fast")
    here.stop()
    return here


def test_what_is_refused_is_refused_with_the_same_code(backed_up):
    here = backed_up
    before = sorted((str(path), path.lstat().st_mtime_ns) for path in here.folder.glob("[rd]*/**/*"))
    differ = []
    for text, code in REFUSED:
        words = text.split()
        codes = [program(*words, check=False).returncode for program in (here.real, here.ours)]
        if codes != [code, code]:
            differ.append((text, code, codes))
    assert differ == []
    assert sorted((str(path), path.lstat().st_mtime_ns) for path in here.folder.glob("[rd]*/**/*")) == before


def test_info_of_one_backup_and_of_one_kind_is_pgbackrests(backed_up):
    here = backed_up
    labels = [backup["label"] for backup in here.backups()]
    for words in ([f"--set={labels[0]}"], [f"--set={labels[1]}"], ["--set=20200101-000000F"], ["--type=incr"], ["--type=diff"], []):
        ours, theirs = (json.loads(program("info", "--output=json", *words).stdout) for program in (here.ours, here.real))
        ours[0]["status"]["lock"].pop("restore")
        assert ours == theirs, words
    ours, theirs = (program("info", f"--set={labels[0]}").stdout.splitlines() for program in (here.ours, here.real))
    assert [line for line in ours if "timestamp" not in line] == [line for line in theirs if "timestamp" not in line]
    assert "error(s) detected during backup\n" in here.ours("info").stdout


def test_a_repository_that_cannot_be_looked_into_is_not_told_as_empty(backed_up):
    here = backed_up
    (here.folder / "repo1/backup").chmod(0)
    try:
        for program in (here.pgbackrest, "/usr/bin/pgbackrest"):
            assert "No stanzas" not in bare(here, program, "info", f"--config={here.config}").stdout
        assert json.loads(here.ours("info", "--output=json").stdout)[0]["status"]["code"] == 99
    finally:
        (here.folder / "repo1/backup").chmod(0o750)


def test_files_are_listed_as_pgbackrest_lists_them(backed_up):
    here = backed_up
    label = here.backups()[0]["label"]
    for words in ([], ["backup"], ["--recurse"], ["--recurse", "--output=json"], ["--output=json", "backup/demo"],
                  ["--sort=desc", "--recurse"], ["--filter=info$", "--recurse"], ["nothing"], ["nothing", "--output=json"],
                  ["backup/demo/backup.info"], ["backup/demo/backup.info", "--output=json"], [f"backup/demo/{label}"],
                  [here.folder / "repo1/backup"], ["backup/"], ["--output=json", "--filter=^b"]):
        ours, theirs = (bare(here, program, "repo-ls", f"--repo1-path={here.folder}/repo1", *words)
                        for program in (here.pgbackrest, "/usr/bin/pgbackrest"))
        assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout), words


def test_files_are_put_and_removed_by_hand(site):
    here = site(cluster=False, cipher=True)
    where = ["--no-config", f"--repo1-path={here.folder}/repo1"]
    for program in (here.pgbackrest, "/usr/bin/pgbackrest"):
        put = subprocess.run([program, "repo-put", *where, "some/file"], input="content", text=True, check=True, cwd="/", **as_postgres())
        assert put.returncode == 0
        assert bare(here, program, "repo-get", *where, "some/file").stdout == "content"
        assert bare(here, program, "repo-rm", *where, "some").returncode == 31
        assert (here.folder / "repo1/some/file").exists()
        assert bare(here, program, "repo-rm", *where, "some/file").returncode == 0
        assert bare(here, program, "repo-rm", *where, "some").returncode == 0
        assert not (here.folder / "repo1/some").exists()


def test_configuration_is_read_from_the_folder_that_was_named(site):
    here = site(cluster=False)
    folder = here.folder / "etc"
    here.run("mkdir", "-p", folder / "conf.d", here.folder / "parts")
    (folder / "pgbackrest.conf").write_text(f"[global]\nrepo1-path={here.folder}/first\n")
    (folder / "conf.d/a.conf").write_text("[global]\nlog-level-console=bad\n")
    (here.folder / "parts/b.conf").write_text(f"[global]\nrepo2-path={here.folder}/second\n")
    for program in (here.pgbackrest, "/usr/bin/pgbackrest"):
        def repositories(*words, environment=None, program=program):
            done = bare(here, program, "info", "--stanza=demo", "--output=json", *words, environment=environment)
            return [repo["key"] for repo in json.loads(done.stdout)[0]["repo"]] if done.returncode == 0 else done.returncode

        assert repositories(f"--config-path={folder}") == 32
        assert repositories(environment={"PGBACKREST_CONFIG_PATH": str(folder)}) == 32
        assert repositories(f"--config-path={folder}", "--no-config") == 32
        assert repositories(f"--config={folder}/pgbackrest.conf") == [1]
        assert repositories(f"--config-path={folder}", f"--config-include-path={here.folder}/parts") == [1, 2]
        assert repositories(f"--config={folder}/none.conf") == 55


def test_help_and_version_are_commands(site):
    here = site(cluster=False)
    version = bare(here, here.pgbackrest, "version").stdout
    assert version.startswith("pgBackRest 2.45 ") and "Howdah" in version
    assert bare(here, here.howdah, "version", "--help").returncode == 0
    for words in ([], ["help"]):
        told = bare(here, here.pgbackrest, *words)
        assert told.returncode == 0 and "archive-push" in told.stdout and "repo-rm" not in told.stdout
    assert "--start-fast" in bare(here, here.pgbackrest, "help", "backup").stdout
    for words in (["help", "restore"],):
        assert "tablespace-map" in bare(here, here.pgbackrest, *words).stdout
    assert "tablespace-map" in bare(here, here.howdah, "restore", "--help").stdout


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_modes_do_not_depend_on_the_umask_unless_asked(site):
    here = site()
    words = ["sh", "-c", 'umask 077; exec "$@"', "sh", here.pgbackrest, f"--config={here.config}", "--stanza=demo"]
    here.run(*words, "stanza-create", "--no-online")
    here.run(*words, "archive-push", here.wal())
    for path in (here.folder / "repo1").rglob("*"):
        assert mode(path) == (0o750 if path.is_dir() else 0o640), path
    here.run("rm", "-rf", here.folder / "repo1")
    here.run(*words, "stanza-create", "--no-online", "--no-neutral-umask")
    assert all(mode(path) & 0o077 == 0 for path in (here.folder / "repo1").rglob("*"))


def test_log_files_and_standard_error_get_what_they_ask_for(site):
    here = site()
    told = here.ours("stanza-create", "--no-online", "--log-level-stderr=info", "--log-level-file=detail")
    assert told.stdout == "" and "INFO: stanza-create for stanza 'demo' on repo1" in told.stderr
    log = (here.folder / "demo-stanza-create.log").read_text()
    assert log.startswith("-------------------PROCESS START-------------------\n")
    assert "P00   INFO: stanza-create command begin" in log and "completed successfully" in log
    here.ours("stanza-create", "--no-online", "--log-level-file=off")
    assert (here.folder / "demo-stanza-create.log").read_text() == log
    warned = here.ours("stanza-create", "--no-online", "--log-path=/nowhere")
    assert "unable to open log file '/nowhere/demo-stanza-create.log'" in warned.stdout


def test_could_not_look_is_not_told_as_is_not_there(site):
    here = site(repositories=2)
    here.ours("--no-online", "stanza-create")
    get = ["archive-get", "--archive-timeout=1", f"--config={here.config}", "--stanza=demo"]
    own = [here.howdah, *get]
    missing, destination = "0000000100000000000000FF", here.data / "fetched"
    assert bare(here, *own, missing, destination).returncode == 1
    wal = here.wal()
    here.ours("archive-push", wal)
    hidden = here.folder / "repo1/archive/demo/archive.info"
    (here.folder / "repo1/archive").chmod(0)
    try:
        assert bare(here, *own, wal.name, destination).returncode == 0  # repo2 has it
        refused = bare(here, *own, missing, destination)
        assert refused.returncode == 200 and "repo1" in refused.stdout and "trying again" in refused.stdout
        # pgBackRest's own 103 would let PostgreSQL take this for the end of the WAL.
        for program in (here.pgbackrest, here.howdah):
            for words in ([missing, destination], ["--no-such", missing, destination], [missing]):
                assert bare(here, program, *get, *words).returncode == 200, (program, words)
        # A standby streams: more than 125 would end it (PostgreSQL's manual, 26.3.4), a wait delay it.
        (here.data / "standby.signal").touch()
        for words in ([missing, destination], ["--no-such", missing, destination]):
            told = bare(here, *own, *words, folder=here.data)
            assert 1 < told.returncode < 126 and "trying again" not in told.stdout, told
        (here.data / "standby.signal").unlink()
    finally:
        (here.folder / "repo1/archive").chmod(0o750)
    assert hidden.exists() and bare(here, *own, missing, destination).returncode == 1
    for stored in here.folder.glob("repo*/archive/demo/15-1/*/*"):
        os.truncate(stored, 1000)
    damaged = bare(here, *own, wal.name, destination)
    assert damaged.returncode == 200 and "trying again" not in damaged.stdout


def test_how_far_a_backup_is_stands_in_its_lock_and_stop_ends_it(site):
    here = site(compress="none")
    here.start()
    here.ours("stanza-create")
    here.fill("row")
    slow = subprocess.Popen([here.pgbackrest, f"--config={here.config}", "--stanza=demo", "backup", "--type=full",
                             "--log-level-console=info"], cwd="/", stdout=subprocess.PIPE, text=True, **as_postgres())
    here.wait_for("select count(*) from pg_stat_activity where query like '%pg_backup_start%' and pid <> pg_backend_pid()", "1")
    assert "backup/expire running" in here.real("info").stdout
    here.ours("stop", "--force")
    told, _ = slow.communicate(timeout=20)
    assert slow.returncode == 63 and "terminated on signal [SIGTERM]" in told
    assert here.ours("backup", check=False).returncode == 62
    here.ours("start")
    noted = {}
    running = subprocess.Popen([here.pgbackrest, f"--config={here.config}", "--stanza=demo", "backup", "--type=full",
                                "--start-fast", "--compress-type=bz2"], cwd="/", stdout=subprocess.DEVNULL, **as_postgres())
    deadline = time.monotonic() + 60
    while running.poll() is None and not noted.get("pctCplt") and time.monotonic() < deadline:
        try:
            noted = json.loads((here.folder / "lock/demo-backup.lock").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            continue
    assert noted.get("pctCplt") and noted["pid"] == running.pid
    running.send_signal(signal.SIGSTOP)
    try:
        for program in (here.real, here.ours):
            assert "% complete)" in program("info").stdout
        assert json.loads(here.ours("info", "--output=json").stdout)[0]["status"]["lock"]["backup"]["pct-cplt"] > 0
    finally:
        running.send_signal(signal.SIGCONT)
    assert running.wait(timeout=120) == 0


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_signal_ends_a_restore_with_its_code(site, name):
    here = site(compress="bz2")
    here.start()
    here.ours("stanza-create")
    here.fill("row")
    here.ours("backup", "--type=full", "--start-fast")
    here.stop()
    data = here.folder / "ours"
    running = subprocess.Popen([here.pgbackrest, f"--config={here.config}", "--stanza=demo", "restore", f"--pg1-path={data}",
                                "--log-level-console=info"], cwd="/", stdout=subprocess.PIPE, text=True, **as_postgres())
    deadline = time.monotonic() + 30
    while not (data / "backup.manifest").exists() and time.monotonic() < deadline:
        pass
    running.send_signal(getattr(signal, name))
    told, _ = running.communicate(timeout=30)
    assert running.returncode == 63 and told.rstrip().endswith(f"restore command end: terminated on signal [{name}]")
    assert not (data / "global/pg_control").exists()


def test_a_dry_run_tells_of_the_backups_that_are_really_there(site):
    here = site(compress="none")
    here.start()
    here.ours("stanza-create")
    for _ in range(3):
        here.ours("backup", "--type=full", "--start-fast", "--no-expire-auto")
    here.stop()
    labels = [backup["label"] for backup in here.backups()]
    (here.folder / "repo1/backup/demo" / labels[2] / "backup.manifest").unlink()
    listing = (here.folder / "repo1/backup/demo/backup.info").read_bytes()
    words = ["--repo1-retention-full=2", "--log-level-console=info"]
    dry = here.ours("expire", "--dry-run", *words).stdout
    assert (here.folder / "repo1/backup/demo/backup.info").read_bytes() == listing
    assert "expire full backup" not in dry, "two are whole, and two stay"
    here.ours("expire", *words)
    assert [backup["label"] for backup in here.backups()] == labels[:2]
