"""A new cluster from a backup: what a restore left is recovered to its target and begins a scope, and the cluster that the
backup came from is not disturbed."""
import json
import os
import pathlib
import re
import signal
import subprocess

import pytest
from backup_site import PG, PGBACKREST, Site
from cluster import HOWDAH, as_postgres, query, rest, wait_for
from new_cluster import NewHost, Store, files_below, own


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("b")
    for parent in [made, *made.parents]:
        if parent.stat().st_uid == os.geteuid() and parent != pathlib.Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    return made


@pytest.fixture(scope="module")
def store(folder):
    made = Store(folder)
    yield made
    made.close()


class Old(Site):
    """A cluster that lives, archives, and has a backup and two moments after it."""

    def __init__(self, folder):
        super().__init__(folder, cluster=False)
        self.run(PG / "initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "--data-checksums", "--no-sync")
        self.start()
        self.sql("alter user postgres password 'secret'")
        self.ours("stanza-create")
        self.fill("before the backup")
        self.ours("--type=full", "--start-fast", "backup", "--pg1-user=postgres")
        # A restore to a time takes a backup that ended in an earlier second.
        ended = self.backups()[0]["timestamp"]["stop"]
        self.wait_for(f"select extract(epoch from clock_timestamp()) >= {ended + 1}", "t")
        self.sql("create table moments (n int)")
        self.sql("insert into moments values (1)")
        self.between = self.sql("select clock_timestamp()")
        self.sql("insert into moments values (2)")
        last = self.sql("select pg_walfile_name(pg_switch_wal())")
        self.wait_for("select last_archived_wal from pg_stat_archiver", last)
        self.rows = self.sums()
        self.archive = folder / "repo1/archive/demo"
        self.archived = files_below(self.archive)

    def restore(self, host, *options):
        return host.backup(self, "demo", "restore", *options)

    def is_undisturbed(self):
        assert files_below(self.archive) == self.archived
        assert self.sums() == self.rows and self.sql("select pg_is_in_recovery()") == "f"


class Host(NewHost):
    """With a pgbackrest.conf of its own for the same repository."""

    def __init__(self, old, *given, **options):
        super().__init__(*given, **options)
        self.conf = self.folder / "pgbackrest.conf"
        common = old.config.read_text().split("[demo]")[0]
        self.conf.write_text(f"{common}[demo]\npg1-path={self.data}\n[demo2]\npg1-path={self.data}\n")
        own(self.folder)

    def backup(self, old, stanza, *words):
        return old.run(HOWDAH, f"--config={self.conf}", f"--stanza={stanza}", *words)


@pytest.fixture(scope="module")
def old(folder):
    (folder / "old").mkdir()
    made = Old(folder / "old")
    yield made
    made.stop(mode="immediate")


@pytest.fixture
def host(folder, store, old, request):
    """Makes members of a scope of the test's own; they are stopped in the end."""
    made = []
    scope = request.node.name.replace("test_", "")[:40].replace("[", "-").replace("]", "")

    def make(stanza="demo2", scope=scope, **options):
        place = folder / scope
        parameters = {"archive_command": f"{HOWDAH} --config={place}/n{len(made) + 1}/pgbackrest.conf --stanza={stanza} archive-push %p"}
        made.append(Host(old, place, len(made) + 1, scope, parameters, **options))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def initialized(store, scope):
    return store.keys(f"/service/{scope}/initialize").get(f"/service/{scope}/initialize", "")


def archives_by(host):
    """The command that the agent lets PostgreSQL archive by; PostgreSQL itself shows only that it asks for it."""
    assert "archive-held" in query(host.dsn, "show archive_command")[0][0]
    return (host.folder / "state/archive_command").read_text()


def sums(host):
    return "|".join(str(v) for v in query(host.dsn, "select count(*), sum(hashtext(t::text)) from t")[0])


def test_restored_cluster_begins_the_scope_and_archives_into_its_own_stanza(old, host, store):
    first, second = host(), host()
    old.restore(first)
    first.start()
    second.start()  # nothing is in its directory: it waits
    first.wait_primary()
    assert sums(first) == old.rows and query(first.dsn, "select n from moments order by 1") == [(1,), (2,)]
    assert initialized(store, first.scope) == query(first.dsn, "select system_identifier::text from pg_control_system()")[0][0]
    second.wait_streams()
    assert sums(second) == old.rows
    # Nothing is archived before its stanza is there, and everything says so.
    assert archives_by(first) == ""
    query(first.dsn, "select pg_switch_wal()")
    wait_for(lambda: "stanza demo2 is not there" in first.explained()["archiving_off"], "the reason")
    listed = old.run(HOWDAH, "list", "-c", first.config).stdout
    assert "Archiving: off: stanza demo2 is not there" in listed, listed
    first.backup(old, "demo2", "--no-online", "stanza-create")
    wait_for(lambda: "demo2" in archives_by(first), "archiving")
    wait_for(lambda: query(first.dsn, "select archived_count > 0 and last_archived_wal is not null from pg_stat_archiver")[0][0],
             "the first segment")
    wait_for(lambda: first.explained()["archiving_off"] == "", "nothing is off")
    wait_for(lambda: len(list((old.folder / "repo1/archive/demo2").rglob("00000002*"))) > 1, "history and segments")
    # The standby knows where the cluster came from, and archives where it may once it leads.
    assert (second.data / "howdah.origin").read_text() == "demo\n"
    assert archives_by(second) == ""
    assert not (first.data / "howdah.bootstrap").exists() and "restore_command" not in (first.data / "postgresql.auto.conf").read_text()
    first.stop()
    second.wait_primary()
    # By another --config: what was claimed there tells that it is the same archive.
    wait_for(lambda: "demo2" in archives_by(second), "archiving")
    wait_for(lambda: list((old.folder / "repo1/archive/demo2").rglob("00000003*")), "the new primary archives", 70)
    old.is_undisturbed()

    # The same stanza elsewhere, which another cluster uses.
    other = second.folder / "elsewhere.conf"
    other.write_text(second.conf.read_text().replace("[global]", f"[global]\nrepo1-path={second.folder}/elsewhere", 1))
    other.write_text("\n".join(line for line in other.read_text().splitlines() if line != f"repo1-path={old.folder}/repo1") + "\n")
    own(second.folder)
    old.run(HOWDAH, f"--config={other}", "--stanza=demo2", "--no-online", "stanza-create")
    segment = next(path for path in (second.data / "pg_wal").iterdir() if len(path.name) == 24)
    old.run(HOWDAH, f"--config={other}", "--stanza=demo2", f"--pg1-path={second.data}", "archive-push", segment)
    before = files_below(second.folder / "elsewhere")

    def archive_by(config):
        text = second.config.read_text()
        second.config.write_text(re.sub(r"--config=\S+", f"--config={config}", text))
        second.process.send_signal(signal.SIGHUP)

    archive_by(other)
    wait_for(lambda: "holds WAL" in second.explained()["archiving_off"], "the refusal")
    assert archives_by(second) == ""
    query(second.dsn, "select pg_switch_wal()")
    archive_by(second.conf)
    wait_for(lambda: "demo2" in archives_by(second) and second.explained()["archiving_off"] == "", "archiving where it was")
    assert files_below(second.folder / "elsewhere") == before
    # The file that alone lets WAL out is made again.
    (second.folder / "state/archive_command").unlink()
    wait_for(lambda: "demo2" in archives_by(second), "the file")


def moments(host):
    return [n for n, in query(host.dsn, "select n from moments order by 1")]


def test_recovery_ends_between_two_inserts_and_an_agent_killed_meanwhile_goes_on(old, host):
    first = host()
    old.restore(first, "--type=time", f"--target={old.between}", "--target-action=promote")
    # An archive that is slow for the first attempt: the agent dies while PostgreSQL recovers.
    auto = first.data / "postgresql.auto.conf"
    gate = first.folder / "go"
    auto.write_text(auto.read_text().replace("restore_command = '", f"restore_command = 'test -e {gate} || exec sleep 600; "))
    first.start()
    wait_for(lambda: first.explained()["rule"] == "recover_restored", "the recovery")
    first.kill_agent()
    gate.touch()
    first.start().wait_primary()
    assert first.said("an earlier run of this agent began to bootstrap this scope")
    assert moments(first) == [1]
    old.is_undisturbed()


def test_target_that_cannot_be_reached_never_initializes(old, host, store):
    first = host()
    old.restore(first, "--type=time", "--target=2037-01-01 00:00:00+00", "--target-action=promote")
    first.start()
    wait_for(lambda: "was not recovered to time 2037" in first.explained()["why"], "the reason")
    why = first.explained()["why"]
    assert "recovery target" in why and "hint: the archive ends before the target" in why and "not initialized" in why
    assert not first.is_primary() and initialized(store, first.scope) == ""
    # Another target, by hand in what the restore wrote, and it goes on by itself.
    auto = first.data / "postgresql.auto.conf"
    auto.write_text(auto.read_text().replace("2037-01-01 00:00:00+00", old.between))
    first.wait_primary()
    assert initialized(store, first.scope) != ""
    old.is_undisturbed()


def test_of_two_restored_directories_exactly_one_begins_the_scope(old, host, store):
    both = host(stanza="demo"), host(stanza="demo")
    for each in both:
        old.restore(each)
    for each in both:
        each.start()
    leader = wait_for(lambda: next((each for each in both if each.is_primary()), None), "a primary")
    other = next(each for each in both if each is not leader)
    other.wait_streams()
    assert [each.said("bootstrapped the cluster") for each in (leader, other)] == [True, False]
    # Its archive_command leads to the old cluster's archive, whose files nobody may touch.
    query(leader.dsn, "select pg_switch_wal()")
    assert archives_by(leader) == ""
    assert "from which this cluster was restored" in wait_for(lambda: leader.explained()["archiving_off"], "the reason")
    # The word for commands without a stanza opens nothing here.
    told = old.run(HOWDAH, "edit-config", "-s", "howdah.archive_into=any", "--force", "-c", leader.config)
    assert "unknown" not in told.stdout + told.stderr, told
    leader.stop()
    wait_for(lambda: query(other.dsn, "select pg_switch_wal()"), "the other one leads", 40)
    assert archives_by(other) == ""
    old.is_undisturbed()


def test_no_setting_on_the_running_server_reaches_the_old_archive(old, host):
    first = host(stanza="demo")
    old.restore(first)
    first.start().wait_primary()
    wait_for(lambda: first.explained()["rule"] == "lead", "a calm primary")
    into_old = f"{HOWDAH} --config={first.conf} --stanza=demo archive-push %p"

    def nothing_is_archived():
        before = query(first.dsn, "select failed_count from pg_stat_archiver")[0][0]
        query(first.dsn, "select pg_switch_wal()")
        query(first.dsn, "create table if not exists filler (n int)")
        # The archiver tries, and is refused; else it would have pushed.
        wait_for(lambda: query(first.dsn, "select failed_count > %s or archived_count > 0 from pg_stat_archiver", before)[0][0],
                 "an attempt", 80)
        old.is_undisturbed()

    query(first.dsn, f"alter system set archive_command = '{into_old}'")
    query(first.dsn, "select pg_reload_conf()")
    nothing_is_archived()
    with (first.data / "postgresql.base.conf").open("a") as base:
        base.write(f"archive_command = '{into_old}'\narchive_mode = always\n")
    query(first.dsn, "select pg_reload_conf()")
    nothing_is_archived()
    old.run(HOWDAH, "restart", first.scope, "--force", "-c", first.config)
    first.wait_primary()
    query(first.dsn, f"alter system set archive_command = '{into_old}'")
    query(first.dsn, "select pg_reload_conf()")
    nothing_is_archived()


def test_directory_that_is_merely_old_is_refused(old, host, store):
    first = host()
    old.restore(first, "--type=none")
    first.start()
    wait_for(lambda: first.explained()["rule"] == "refuse_adoption", "the refusal")
    assert "recovery.signal" in first.explained()["why"] and initialized(store, first.scope) == ""


def test_custom_method_restores_and_its_recovery_conf_counts(old, host):
    command = f"{HOWDAH} --config=CONF --stanza=demo restore"
    first = host(bootstrap={"method": "restored", "restored": {
        "command": command, "no_params": True,
        "recovery_conf": {"recovery_target_time": old.between, "recovery_target_action": "promote",
                          "restore_command": f"{HOWDAH} --config=CONF --stanza=demo archive-get %f %p"}}})
    first.config.write_text(first.config.read_text().replace("CONF", str(first.conf)))
    first.start().wait_primary()
    assert moments(first) == [1] and (first.data / "howdah.origin").read_text() == "demo\n"
    old.is_undisturbed()


def test_custom_method_keeps_what_pgbackrest_wrote(old, host):
    command = f"{PGBACKREST} --config=CONF --stanza=demo --type=time '--target={old.between}' --target-action=promote restore"
    first = host(bootstrap={"method": "real", "real": {"command": command, "no_params": True, "keep_existing_recovery_conf": True}})
    first.config.write_text(first.config.read_text().replace("CONF", str(first.conf)))
    first.start().wait_primary()
    assert moments(first) == [1] and (first.data / "howdah.origin").read_text() == "demo\n"
    assert first.said("recovering the restored cluster to time")
    old.is_undisturbed()


def test_custom_method_that_fails_leaves_the_scope_alone(old, host, store):
    first = host(bootstrap={"method": "broken", "broken": {"command": "sh -c 'echo no such backup; exit 7'", "a": 1}})
    first.start()
    first.process.wait(timeout=30)
    assert first.said("bootstrap.broken.command ended with 7: no such backup"), first.tail()
    assert initialized(store, first.scope) == ""


def test_standby_is_made_by_the_methods_in_their_order(old, host):
    methods = {"create_replica_methods": ["none_such", "pgbackrest", "basebackup"],
               "none_such": {"command": "false"},
               "pgbackrest": {"command": "sh -c 'HOWDAH --config=CONF --stanza=demo2 --delta restore'", "no_params": True}}
    methods["recovery_conf"] = {"restore_command": f"{HOWDAH} --config=CONF --stanza=demo2 archive-get %f %p"}
    no_wal_kept = {"dcs": {"postgresql": {"use_slots": False, "parameters": {"wal_keep_size": "16MB"}}}}
    first, second = host(bootstrap=no_wal_kept), host(postgresql=methods)
    second.config.write_text(second.config.read_text().replace("CONF", str(second.conf)).replace("HOWDAH ", f"{HOWDAH} "))
    old.run("rm", "-rf", old.folder / "repo1/archive/demo2", old.folder / "repo1/backup/demo2")
    old.restore(first)
    first.start().wait_primary()
    first.backup(old, "demo2", "--no-online", "stanza-create")
    wait_for(lambda: "demo2" in archives_by(first), "archiving")
    first.backup(old, "demo2", "--type=full", "--start-fast", "backup", f"--pg1-socket-path={first.folder}", "--pg1-user=postgres")
    query(first.dsn, "create table later as select 1")
    second.start().wait_streams()
    assert second.said("no standby by none_such") and second.said("made a standby by pgbackrest"), second.tail()
    wait_for(lambda: query(second.dsn, "select * from later") == [(1,)], "the newest row")
    assert sums(second) == old.rows
    # What it missed is nowhere but in the archive.
    needed = query(first.dsn, "select pg_walfile_name(pg_current_wal_lsn())")[0][0]
    second.stop()
    query(first.dsn, "insert into later values (2)")
    for n in range(3, 7):
        query(first.dsn, "create table if not exists filler (n int)")
        query(first.dsn, "insert into filler values (%s)", n)
        query(first.dsn, "select pg_switch_wal()")
        query(first.dsn, "checkpoint", timeout=10)
    wait_for(lambda: query(first.dsn, "checkpoint", timeout=10) is not None and
             not query(first.dsn, "select 1 from pg_ls_waldir() where name = %s", needed), "the segment is gone from the primary")
    second.start().wait_streams()
    wait_for(lambda: query(second.dsn, "select * from later order by 1") == [(1,), (2,)], "what it missed")


def test_standby_comes_from_the_repository_where_that_is_cheaper(old, host):
    from_archive = {"recovery_conf": {"restore_command": f"{HOWDAH} --config=CONF --stanza=demo2 archive-get %f \"%p\""}}
    first, second = host(), host(postgresql=from_archive)
    second.config.write_text(second.config.read_text().replace("CONF", str(second.conf)))
    old.run("rm", "-rf", old.folder / "repo1/archive/demo2", old.folder / "repo1/backup/demo2")
    old.restore(first)
    first.start().wait_primary()
    first.backup(old, "demo2", "--no-online", "stanza-create")
    wait_for(lambda: "demo2" in archives_by(first), "archiving")
    query(first.dsn, "create table big as select n, repeat('x', 500) from generate_series(1, 240000) n", timeout=60)  # 130 MB
    query(first.dsn, "vacuum freeze big", timeout=60)  # else its first readers write all of it into WAL
    first.backup(old, "demo2", "--type=full", "--start-fast", "backup", f"--pg1-socket-path={first.folder}", "--pg1-user=postgres")
    query(first.dsn, "create table later as select 1 as n")

    def is_whole():
        second.wait_streams()
        wait_for(lambda: query(second.dsn, "select (select count(*) from big), (select count(*) from later)") ==
                 query(first.dsn, "select (select count(*) from big), (select count(*) from later)"), "the newest row")
        assert sums(second) == old.rows

    def copied_again():
        """What the log says of a new copy."""
        before = len(second.log.read_text(errors="replace"))
        old.run(HOWDAH, "reinit", second.scope, second.name, "--force", "-c", second.config)
        wait_for(lambda: "made a standby by" in second.log.read_text(errors="replace")[before:], "the copy", 60)
        is_whole()
        return second.log.read_text(errors="replace")[before:]

    second.start()
    is_whole()
    assert second.said("made a standby by the repository"), second.tail()
    # What cannot be restored is copied.
    label = next(path for path in (old.folder / "repo1/backup/demo2").iterdir() if path.name.endswith("F") and not path.is_symlink())
    old.run("mv", label / "pg_data", label / "away")
    said = copied_again()
    assert "no standby by the repository" in said and "made a standby by basebackup" in said, said
    old.run("mv", label / "away", label / "pg_data")
    said = copied_again()
    assert "made a standby by the repository" in said, said
    # More WAL than a copy would save.
    query(first.dsn, "update big set n = n + 1", timeout=60)
    query(first.dsn, "insert into later values (2)")
    said = copied_again()
    assert "bytes of WAL were written" in said and "made a standby by basebackup" in said, said


def test_recovery_that_pauses_waits_for_an_operator(old, host, store):
    first = host()
    old.restore(first, "--type=time", f"--target={old.between}")
    first.start()
    wait_for(lambda: "pg_wal_replay_resume" in first.explained()["why"], "the pause is told")
    assert moments(first) == [1] and initialized(store, first.scope) == "" and not first.is_primary()
    query(first.dsn, "select pg_wal_replay_resume()")
    first.wait_primary()
    old.is_undisturbed()


def test_one_command_restores_and_the_agent_does_the_rest(old, host, store):
    first = host()

    def bootstrap(*more):
        return old.run(HOWDAH, "bootstrap", "--from-stanza", "demo", "--pgbackrest-config", first.conf, "-c", first.config,
                       "--target-time", old.between, *more, check=False)

    planned = bootstrap("--dry-run")
    assert planned.returncode == 0 and "--type=time" in planned.stdout, planned
    assert not first.data.exists() and initialized(store, first.scope) == ""
    nothing = old.run(HOWDAH, "bootstrap", "--from-stanza", "none", "--pgbackrest-config", first.conf, "-c", first.config, check=False)
    assert nothing.returncode == 1 and "stanza none has no backup" in nothing.stderr, nothing
    done = bootstrap("--json")
    assert done.returncode == 0, done
    assert json.loads(done.stdout)["next"] == f"howdah agent {first.config}"
    again = bootstrap()
    assert again.returncode == 3 and "holds files" in again.stderr, again
    first.start().wait_primary()
    assert moments(first) == [1]
    other = host()
    late = old.run(HOWDAH, "bootstrap", "--from-stanza", "demo", "--pgbackrest-config", other.conf, "-c", other.config, check=False)
    assert late.returncode == 3 and "has a cluster already" in late.stderr and not other.data.exists(), late
    old.is_undisturbed()


@pytest.mark.parametrize("with_archive", [False, True])
def test_restored_standby_joins(old, host, with_archive):
    no_wal_kept = {"dcs": {"postgresql": {"use_slots": False, "parameters": {"wal_keep_size": "16MB"}}}}
    new_archive = {"recovery_conf": {"restore_command": f"{HOWDAH} --config=CONF --stanza=demo2 archive-get %f %p"}}
    first, second = host(bootstrap=no_wal_kept), host(postgresql=new_archive if with_archive else None)
    second.config.write_text(second.config.read_text().replace("CONF", str(second.conf)))
    old.restore(first)
    old.restore(second, "--type=standby")
    first.start().wait_primary()
    query(first.dsn, "create table later as select 1 as n")
    old.run("rm", "-rf", old.folder / "repo1/archive/demo2", old.folder / "repo1/backup/demo2")
    first.backup(old, "demo2", "--no-online", "stanza-create")
    # What it needs first is in the archive of the cluster that it was restored from, and nowhere else.
    wait_for(lambda: "demo2" in archives_by(first), "archiving")

    def is_gone():
        query(first.dsn, "insert into later values (1)")
        query(first.dsn, "select pg_switch_wal()")
        query(first.dsn, "checkpoint", timeout=10)
        return query(first.dsn, "select count(*) = 0 from pg_ls_waldir() where name like '00000001%'")[0][0]

    wait_for(is_gone, "no WAL of the old timeline", 90, every=0.5)
    second.start().wait_streams(40)  # it is told at once, and not after pg_ctl_timeout
    wait_for(lambda: query(second.dsn, "select count(*) from later") == query(first.dsn, "select count(*) from later"), "the newest row")
    assert sums(second) == old.rows
    assert (second.data / "howdah.origin").read_text() == "demo\n"
    old.is_undisturbed()


def test_of_two_clusters_one_gets_the_empty_stanza(old, host):
    """Both were made from one backup, so the stanza is made for both, and empty for both."""
    both = host(), host(scope="another")
    old.run("rm", "-rf", old.folder / "repo1/archive/demo2", old.folder / "repo1/backup/demo2")
    for each in both:
        old.restore(each)
        each.start()
    for each in both:
        each.wait_primary()
    both[0].backup(old, "demo2", "--no-online", "stanza-create")
    owner = wait_for(lambda: next((each for each in both if archives_by(each)), None), "one archives")
    other = next(each for each in both if each is not owner)
    wait_for(lambda: "could not be claimed" in other.explained()["archiving_off"] or "holds WAL" in other.explained()["archiving_off"],
             "the other one is refused")
    query(other.dsn, "select pg_switch_wal()")
    query(owner.dsn, "select pg_switch_wal()")
    wait_for(lambda: query(owner.dsn, "select archived_count > 1 from pg_stat_archiver")[0][0], "the owner's WAL", 70)
    assert archives_by(other) == "" and query(other.dsn, "select archived_count from pg_stat_archiver") == [(0,)]
    # The claim is no history to anybody.
    assert "status: error" not in owner.backup(old, "demo2", "verify").stdout
    old.run(PGBACKREST, f"--config={owner.conf}", "--stanza=demo2", "verify")
