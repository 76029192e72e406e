"""The repository on another host: every verb from a database host, over TLS, with the files of the walkthrough."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess

import pytest
from backup_site import PG, site  # noqa: F401
from cluster import HOWDAH, NETWORK, wait_for
from repo_host import OTHER_ADDRESS, REPO_ADDRESS, RepoHost


@pytest.fixture
def host(tmp_path_factory):
    made = []

    def make(**options):
        folder = tmp_path_factory.mktemp("host")
        for parent in [folder, *folder.parents]:
            if parent.stat().st_uid == os.geteuid() and parent != pathlib.Path("/"):
                parent.chmod(parent.stat().st_mode | 0o055)
        made.append(RepoHost(folder, **options))
        made[-1].serve()
        return made[-1]

    yield make
    for each in made:
        for data in each.folder.glob("*/postmaster.pid"):
            each.stop(data.parent, "immediate")
        each.end()


def test_every_verb_runs_on_the_database_host(host):
    here = host(more="repo1-bundle=y\nrepo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass=secret\n")
    here.start()
    here.ours("stanza-create")
    checked = here.ours("check", "--log-level-console=info").stdout
    assert re.search(rf"INFO: WAL segment [0-9A-F]{{24}} successfully archived to '{here.folder}/repo1/archive/demo/15-1/", checked)
    here.fill("full")
    done = here.ours("backup", "--type=full", "--start-fast", "--process-max=2", "--log-level-console=info").stdout
    assert "new backup label" in done, done
    here.fill("incr")
    here.ours("backup", "--start-fast", "--process-max=2")
    found = json.loads(here.ours("info", "--output=json").stdout)[0]["backup"]
    assert [backup["type"] for backup in found] == ["full", "incr"] and found == json.loads(here.there("info", "--output=json").stdout)[0]["backup"]
    # What lies there is the host's layout: encrypted, bundled; the real pgbackrest reads it there.
    folder = here.folder / "repo1/backup/demo" / found[0]["label"]
    assert (folder / "bundle").is_dir() and (folder / "backup.manifest").read_bytes()[:8] == b"Salted__"
    real = here.run("/usr/bin/pgbackrest", f"--config={here.there_config}", "--stanza=demo", "--log-level-console=info", "verify")
    assert "invalid" not in real.stdout and "missing" not in real.stdout, real.stdout
    assert here.run(HOWDAH, f"--config={here.config}", "--stanza=demo", "verify").returncode == 0
    # Retention is the host's.
    for _ in range(2):
        here.ours("backup", "--type=full", "--start-fast", "--no-expire-auto")
    here.ours("expire")
    assert [backup["type"] for backup in here.backups_by(here.ours)] == ["full", "full"]
    here.check_restore(here.ours, here.backups_by(here.ours)[-1]["label"], here.sums())
    # A new host, of which the repository host's file says nothing, restores from it.
    new = here.folder / "new"
    here.run("mkdir", "-m", "700", new)
    here.set_config("pgvm7")
    here.ours("restore", f"--pg1-path={new}", "--process-max=2")
    assert (new / "global/pg_control").exists() and (new / "recovery.signal").exists()
    # WAL comes through a queue as well, and back.
    here.set_config("pgvm1", "archive-async=y\nprocess-max=2\n")
    for _ in range(3):
        here.fill("more")
        last = here.sql("select pg_walfile_name(pg_switch_wal())")
    here.wait_for(f"select last_archived_wal >= '{last}' from pg_stat_archiver", "t")
    fetched = here.folder / "fetched"
    here.ours("archive-get", last, fetched)
    assert fetched.read_bytes() == (here.data / "pg_wal" / last).read_bytes()
    assert here.ours("archive-get", "0000000900000000000000FF", fetched, check=False).returncode == 1


def test_a_standby_says_that_it_switches_no_wal(host):
    here = host()
    here.start(more="-c wal_keep_size=64MB")
    here.ours("stanza-create")
    standby = here.folder / "standby"
    here.run(PG / "pg_basebackup", "-D", standby, "-h", here.folder, "-U", "postgres", "-R", "-c", "fast")
    here.start(standby, more="-c port=5433")
    text = here.config.read_text()
    here.config.write_text(text.replace(str(here.data), str(standby)).replace("5432", "5433"))
    assert "switch wal not performed because this is a standby" in here.ours("check", "--log-level-console=info").stdout
    here.config.write_text(text)


def test_a_host_that_dies_under_archiving_loses_nothing(host):
    here = host()
    here.start()
    here.ours("stanza-create")
    last = []
    for turn in range(3):
        here.fill("row")
        last.append(here.sql("select pg_walfile_name(pg_switch_wal())"))
        here.end(signal.SIGKILL)
        here.fill("more")
        last.append(here.sql("select pg_walfile_name(pg_switch_wal())"))
        for name in (HOWDAH, here.pgbackrest):
            away = here.run(name, f"--config={here.config}", "--stanza=demo", "--archive-timeout=1", "archive-get", last[0],
                            here.folder / "fetched", check=False)
            assert away.returncode == 200, away  # above 125: recovery stops
        here.serve()
    here.wait_for(f"select last_archived_wal >= '{last[-1]}' from pg_stat_archiver", "t")
    assert here.run(HOWDAH, f"--config={here.config}", "--stanza=demo", "verify").returncode == 0
    # One that comes back while somebody waits is waited for.
    here.end(signal.SIGKILL)
    waiting = subprocess.Popen([HOWDAH, f"--config={here.config}", "--stanza=demo", "archive-get", last[0], here.folder / "fetched"],
                               stdout=subprocess.PIPE, text=True)
    assert "trying again" in waiting.stdout.readline()
    here.serve()
    assert waiting.wait(30) == 0 and (here.folder / "fetched").exists()


def test_strangers_who_say_nothing_hold_no_push_up(host):
    here = host()
    here.start()
    here.ours("stanza-create")
    strangers = [socket.create_connection((REPO_ADDRESS, 8432), timeout=10) for _ in range(600)]
    here.fill("row")
    last = here.sql("select pg_walfile_name(pg_switch_wal())")
    here.wait_for(f"select last_archived_wal >= '{last}' from pg_stat_archiver", "t")
    here.ours("check")
    assert here.process.poll() is None
    assert len([line for line in here.log.read_text().splitlines() if "refused" in line]) < 20
    for each in strangers:
        each.close()


def begin_slow_backup(here):
    """One that takes long, and holds its lock."""
    slow = here.begin("backup", "--type=full", "--rate-limit=1MiB", "--start-fast", "--log-level-console=info")
    wait_for(lambda: list((here.folder / "repo1/backup/demo").glob("*F/pg_data/base")), "files of a backup")
    return slow


def test_backups_meet_at_the_host(host):
    here = host()
    here.start()
    here.ours("stanza-create")
    slow = begin_slow_backup(here)
    # Another host, which sees no lock file of the one that it runs on, asks the repository's.
    running = lambda: json.loads(here.ours(f"--lock-path={here.folder}/lock-other", "info", "--output=json").stdout)[0]["status"]["lock"]["backup"]
    assert running()["held"]
    wait_for(lambda: running().get("pct-cplt", 0) > 0, "how far it is")
    assert re.search(r"status: .*\(backup/expire running - .*complete\)", here.ours(f"--lock-path={here.folder}/lock-other", "info").stdout)
    # From this host, with a lock path of its own; on the repository host; by the real pgbackrest there.
    for done in (here.ours(f"--lock-path={here.folder}/lock-other", "backup", "--type=full", check=False),
                 here.ours(f"--lock-path={here.folder}/lock-else", "expire", check=False), here.there("expire", check=False),
                 here.run("/usr/bin/pgbackrest", f"--config={here.there_config}", "--stanza=demo", "expire", check=False)):
        assert done.returncode == 50, done
    slow.send_signal(signal.SIGKILL)
    slow.wait(20)
    wait_for(lambda: here.there("expire", check=False).returncode == 0, "the lock's end with its holder")
    assert not running()["held"]
    assert here.ours("backup", "--start-fast", "--log-level-console=info").returncode == 0
    assert len(here.backups_by(here.ours)) == 1


def test_stop_on_the_host_ends_what_clients_do(host):
    here = host(more="repo2-path=FOLDER/repo2\nrepo2-retention-full=1\n")
    here.start()
    here.ours("stanza-create")
    slow = begin_slow_backup(here)
    here.there("stop", "--force")
    said = slow.communicate(timeout=60)[0]
    assert slow.returncode != 0 and "was lost" in said, said
    for verb in ("backup", "expire"):
        assert here.ours(verb, check=False).returncode == 62
    assert here.process.poll() is None
    here.there("start")
    # Both of the host's repositories by one process, which is no stranger to itself.
    text = here.config.read_text()
    here.config.write_text(text + "".join(line.replace("repo1", "repo2") + "\n" for line in text.splitlines() if line.startswith("repo1")))
    here.ours("stanza-create")
    here.ours("backup", "--all-repos", "--start-fast")
    assert {backup["database"]["repo-key"] for backup in here.backups_by(here.ours)} == {1, 2}


def test_a_host_that_dies_under_a_backup_ends_it_and_the_next_goes_on(host):
    here = host()
    here.start()
    here.ours("stanza-create")
    here.fill("row")
    slow = begin_slow_backup(here)
    here.end(signal.SIGKILL)
    here.serve()
    said = slow.communicate(timeout=60)[0]
    assert slow.returncode not in (0, None) and REPO_ADDRESS in said, said
    assert here.backups_by(here.ours) == []
    done = here.ours("backup", "--type=full", "--start-fast", "--log-level-console=info").stdout
    assert "resum" in done, done
    here.check_restore(here.ours, "latest", here.sums())


def test_clients_reach_what_is_theirs(host):
    here = host()
    here.ours("stanza-create")
    here.set_config("pgvm7")  # no pg-host of the stanza: it reads, as to restore from it
    assert len(json.loads(here.ours("info", "--output=json").stdout)) == 1
    refused = here.ours("expire", check=False)
    assert refused.returncode != 0 and "client 'pgvm7' may read stanza 'demo' but not change it" in refused.stdout
    text = here.there_config.read_text()
    here.there_config.write_text(text + "tls-server-auth=pgvm1=demo\n")
    assert "client 'pgvm7' may not reach stanza 'demo'" in here.ours("info", check=False).stdout
    refused = here.ours("expire", check=False)
    assert "tls-server-auth=pgvm7=demo" in refused.stdout
    here.set_config("pgvm1")
    here.ours("expire")


def test_whom_the_host_does_not_trust_is_told_why(host):
    here = host(cluster=False)
    said = here.ours("info", "--repo1-host=" + f"{NETWORK}.85", check=False).stdout
    assert "refused" in said
    here.run(HOWDAH, "cert", here.folder / "other", "--ca", f"--host=pgvm1,{OTHER_ADDRESS}")
    for file in ("pgvm1.crt", "pgvm1.key"):
        (here.tls / f"stranger{file[5:]}").write_bytes((here.folder / "other" / file).read_bytes())
    here.set_config("stranger")
    assert "CA is not the one that signed" in here.ours("info", check=False).stdout
    here.set_config("pgvm1")
    wrong = here.ours("info", f"--repo1-host-ca-file={here.folder}/other/ca.crt", check=False).stdout
    assert "CA did not sign its certificate" in wrong, wrong
    absent = here.ours("expire", "--repo1-host-cert-file=/none.crt", check=False).stdout
    assert "/none.crt" in absent and "howdah cert" in absent
    ssh = here.ours("info", "--repo1-host-type=ssh", check=False)
    assert ssh.returncode == 32 and "howdah repo" in ssh.stdout
    with socket.create_connection((REPO_ADDRESS, 8432)) as plain:
        plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"this port speaks TLS" in plain.recv(100)
    # The host reads its certificates anew: now its name is another one's.
    (here.tls / "pgvm6.crt").write_bytes((here.tls / "pgvm7.crt").read_bytes())
    (here.tls / "pgvm6.key").write_bytes((here.tls / "pgvm7.key").read_bytes())
    here.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "were read again" in here.log.read_text(), "the new certificates")
    assert f"its certificate is not for {REPO_ADDRESS}" in here.ours("info", check=False).stdout


def test_certificates_are_made_once(host):
    here = host(cluster=False)
    key = here.tls / "pgvm6.key"
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_bytes()
    again = here.run(HOWDAH, "cert", here.tls, "--host=pgvm6", check=False)
    assert again.returncode == 1 and "there already" in again.stderr and key.read_bytes() == before
    shown = here.run("/usr/bin/openssl", "x509", "-in", here.tls / "pgvm6.crt", "-noout", "-text").stdout
    assert "prime256v1" in shown and f"IP Address:{REPO_ADDRESS}" in shown
    here.run("/usr/bin/openssl", "verify", "-CAfile", here.tls / "ca.crt", here.tls / "pgvm6.crt")
