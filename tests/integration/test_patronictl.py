"""Debian's own patronictl 3.0.2 drives a Howdah cluster, with a member's patroni.yml as it stands."""
import json
import pathlib
import re
import subprocess

import pytest
from cluster import HOWDAH, query, rest, wait_for
from patroni import needs_patroni, patronictl

pytestmark = needs_patroni


@pytest.fixture(autouse=True)
def healthy(cluster):
    cluster.wait_healthy()


def standbys(cluster):
    return [m for m in cluster.members.values() if m.in_recovery()]


def ctl(cluster, *arguments, stdin=None):
    done = patronictl(cluster, *arguments, stdin=stdin)
    assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def listed(cluster):
    return {row["Member"]: row for row in json.loads(ctl(cluster, "list", "-f", "json"))}


def started(member):
    return query(member.dsn, "select pg_postmaster_start_time()")[0][0]


def test_list_shows_leader_replicas_lag_and_timeline(cluster):
    rows = listed(cluster)
    leader = cluster.leader()
    assert sorted(rows) == sorted(cluster.members)
    for name, row in rows.items():
        assert row["Role"] == ("Leader" if name == leader.name else "Replica")
        assert row["State"] == "running" and row["Host"] == cluster.members[name].host and row["TL"] >= 1
        assert name == leader.name or row["Lag in MB"] == 0
    table = ctl(cluster, "list")
    assert re.match(r"\+ Cluster: howdah -+\+", table)
    assert ctl(cluster, "topology").count("| + ") == 2


def test_howdah_list_classic_prints_the_same_bytes(cluster):
    theirs = ctl(cluster, "list")
    ours = wait_for(lambda: cluster.howdah("list", "-c", cluster.config(), "--classic").stdout, "howdah list")
    assert ours == theirs


def test_switchover_and_failover(cluster):
    leader, candidate = cluster.leader(), standbys(cluster)[0]
    said = ctl(cluster, "switchover", "--master", leader.name, "--candidate", candidate.name, "--force")
    assert f'Successfully switched over to "{candidate.name}"' in said
    assert cluster.wait_healthy().name == candidate.name
    said = ctl(cluster, "failover", "--candidate", leader.name, "--force")
    # 3.0.2 names the leader as well, which 4.1 takes for a switchover.
    assert f' over to "{leader.name}"' in said, said
    assert cluster.wait_healthy().name == leader.name
    refused = patronictl(cluster, "switchover", "--candidate", "n9", "--force")
    assert refused.returncode == 1 and "Member n9 does not exist in cluster howdah" in refused.stderr


def test_scheduled_switchover_is_shown_and_flushed(cluster):
    leader, candidate = cluster.leader(), standbys(cluster)[0]
    said = ctl(cluster, "switchover", "--candidate", candidate.name, "--scheduled", "2035-01-01T00:00+00:00", "--force")
    assert "Switchover scheduled" in said
    assert f"Switchover scheduled at: 2035-01-01T00:00:00+00:00\n                    from: {leader.name}" in ctl(cluster, "list")
    assert "Success: scheduled switchover deleted" in ctl(cluster, "flush", "howdah", "switchover", "--force")
    wait_for(lambda: "scheduled" not in ctl(cluster, "list"), "the schedule's end")


def test_pause_and_resume_wait_for_every_member(cluster):
    assert "Success: cluster management is paused" in ctl(cluster, "pause", "--wait")
    assert " Maintenance mode: on" in ctl(cluster, "list")
    assert "Cluster is already paused" in patronictl(cluster, "pause").stderr
    assert "Success: cluster management is resumed" in ctl(cluster, "resume", "--wait")


def test_edit_config_reaches_every_member(cluster):
    said = ctl(cluster, "edit-config", "-p", "work_mem=6MB", "-s", "maximum_lag_on_failover=2097152", "--force")
    assert "+    work_mem: 6MB" in said and "Configuration changed" in said
    for member in cluster.members.values():
        wait_for(lambda m=member: query(m.dsn, "show work_mem") == [("6MB",)], f"work_mem on {member.name}")
    assert "work_mem: 6MB" in ctl(cluster, "show-config")
    ctl(cluster, "edit-config", "-p", "work_mem=null", "--force")


def test_restart_of_one_of_all_and_pending(cluster):
    standby = standbys(cluster)[0]
    before = started(standby)
    assert f"Success: restart on member {standby.name}" in ctl(cluster, "restart", "howdah", standby.name, "--force")
    assert started(standby) > before
    refused = ctl(cluster, "restart", "howdah", standby.name, "--force", "--pg-version", "9.6.0")
    assert f"Failed: restart for member {standby.name}, status code=503, (restart conditions are not satisfied)" in refused
    ctl(cluster, "edit-config", "-p", "max_locks_per_transaction=80", "--force")
    wait_for(lambda: all(row.get("Pending restart") == "*" for row in listed(cluster).values()), "pending restart of all")
    said = ctl(cluster, "restart", "howdah", cluster.leader().name, "--pending", "--force")
    assert f"Success: restart on member {cluster.leader().name}" in said
    said = ctl(cluster, "restart", "howdah", "-r", "replica", "--pending", "--force")
    assert said.count("Success: restart on member ") == 2
    cluster.wait_healthy()
    wait_for(lambda: not any(row.get("Pending restart") for row in listed(cluster).values()), "nothing pending")
    assert all(query(m.dsn, "show max_locks_per_transaction") == [("80",)] for m in cluster.members.values())


def test_scheduled_restart_is_shown_and_flushed(cluster):
    name = standbys(cluster)[0].name
    said = ctl(cluster, "restart", "howdah", name, "--scheduled", "2035-01-01T00:00+00:00", "--force")
    assert f"Success: restart scheduled on member {name}" in said
    wait_for(lambda: listed(cluster)[name].get("Scheduled restart") == "2035-01-01T00:00:00+00:00", "the schedule")
    assert f"Success: flush scheduled restart for member {name}" in ctl(cluster, "flush", "howdah", name, "restart", "--force")


def test_reinit_waits_for_the_new_copy(cluster):
    standby = standbys(cluster)[0]
    mark = pathlib.Path(standby.data_dir) / "mark-of-the-old-copy"
    mark.touch()
    said = ctl(cluster, "reinit", "howdah", standby.name, "--force", "--wait")
    assert f"Success: reinitialize for member {standby.name}" in said and f"Reinitialize is completed on: {standby.name}" in said
    assert not mark.exists()
    cluster.wait_healthy()


def test_reload_history_dsn_and_version(cluster):
    said = ctl(cluster, "reload", "howdah", "--force")
    assert said.count("Reload request received for member ") == 3
    ctl(cluster, "switchover", "--candidate", standbys(cluster)[0].name, "--force")
    leader = cluster.wait_healthy()
    def last_row():
        return json.loads(ctl(cluster, "history", "-f", "json"))[-1]
    wait_for(lambda: last_row()["New Leader"] == leader.name, "the new leader in the history")
    assert last_row()["Reason"] == "no recovery target specified"
    assert ctl(cluster, "dsn") == f"host={leader.host} port=5432\n"
    assert len(re.findall(r"pgvm\d: Patroni 4\.1\.4 PostgreSQL 15\.", ctl(cluster, "version", "howdah"))) == 3


def test_howdah_under_patronictls_name_does_the_same(cluster, tmp_path):
    (tmp_path / "patronictl").symlink_to(HOWDAH)
    ours = [str(tmp_path / "patronictl"), "-c", cluster.config()]
    standby = standbys(cluster)[0]
    done = subprocess.run([*ours, "restart", "howdah", standby.name, "--force"], text=True, capture_output=True, timeout=60)
    assert done.returncode == 0 and f"Success: restart on member {standby.name}\n" in done.stdout
    cluster.wait_healthy()
    refused = [*ours, "restart", "howdah", standby.name, "--force", "--pg-version", "9.6.0"]
    assert subprocess.run(refused, capture_output=True, timeout=60).returncode == 0
    refused[0] = HOWDAH
    assert subprocess.run(refused, capture_output=True, timeout=60).returncode == 1
    done = subprocess.run([*ours, "reinit", "howdah", standby.name, "--force", "--wait"], text=True, capture_output=True, timeout=60)
    assert f"Reinitialize is completed on: {standby.name}\n" in done.stdout, done.stderr
    cluster.wait_healthy()
    done = subprocess.run([*ours, "failover", "--candidate", standby.name, "--force"], text=True, capture_output=True, timeout=60)
    assert f'Successfully failed over to "{standby.name}"' in done.stdout, done.stdout + done.stderr
    assert rest(standby.host, "/primary")[0] == 200
