"""Restart, reinitialize, reload, and what is scheduled: REST calls on a running cluster, as an operator's tools make them."""
import datetime
import json
import pathlib
import re

import pytest
import yaml
from cluster import TwinWatch, Writer, query, rest, wait_for
from test_operate import call

UP_OPTIONS = ["--no-load", "--sync", "strict"]


@pytest.fixture(autouse=True)
def healthy(cluster):
    cluster.wait_healthy()


def started(member):
    return query(member.dsn, "select pg_postmaster_start_time()")[0][0]


def standbys(cluster):
    return [m for m in cluster.members.values() if m.in_recovery()]


def status_of(member):
    return json.loads(rest(member.host, "/patroni")[1])


def in_seconds(seconds):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).isoformat()


def test_restart_of_the_primary_keeps_it_and_every_row(cluster):
    leader, epoch = cluster.leader(), cluster.record()["epoch"]
    before = started(leader)
    with TwinWatch(cluster) as twins, Writer(cluster.endpoint) as writer:
        assert call(leader, "/restart", "POST")[:2] == (200, "restarted successfully")
        count = len(writer.acknowledged)
        wait_for(lambda: len(writer.acknowledged) > count + 20, "rows after the restart")
    assert started(leader) > before and not leader.in_recovery()
    assert cluster.record()["epoch"] == epoch + 1
    assert writer.missing() == [] and twins.seen == []
    assert writer.longest_gap(0) < 3


def test_restart_of_a_standby(cluster):
    leader, standby = cluster.leader(), standbys(cluster)[0]
    before, epoch = started(standby), cluster.record()["epoch"]
    assert call(standby, "/restart", "POST", {"role": "replica"})[:2] == (200, "restarted successfully")
    assert started(standby) > before and standby.in_recovery()
    assert cluster.leader().name == leader.name and cluster.record()["epoch"] == epoch


def test_conditions_are_looked_at(cluster):
    leader, standby = cluster.leader(), standbys(cluster)[0]
    for member, body in [(standby, {"role": "primary"}), (leader, {"role": "replica"}), (standby, {"postgres_version": "9.6.0"}),
                         (leader, {"restart_pending": True})]:
        assert call(member, "/restart", "POST", body)[:2] == (503, "restart conditions are not satisfied"), body
    assert call(leader, "/restart", "POST", login=False)[0] == 401


def test_pending_restart_is_told_with_reasons_and_ends_with_the_restart(cluster):
    leader = cluster.leader()
    old = query(leader.dsn, "show max_connections")[0][0]
    assert call(leader, "/config", "PATCH", {"postgresql": {"parameters": {"max_connections": int(old) + 7}}})[0] == 200
    reason = {"max_connections": {"old_value": old, "new_value": str(int(old) + 7)}}
    for member in cluster.members.values():
        wait_for(lambda m=member: status_of(m).get("pending_restart_reason") == reason, f"pending restart on {member.name}")
    rows = wait_for(lambda: (lambda r: r if all(row.get("Pending restart") == "*" for row in r) else None)(cluster.list()), "in list")
    assert all(row["Pending restart reason"] == f"max_connections: {old}->{int(old) + 7}" for row in rows)
    # A standby refuses to start with less than its primary.
    for member in [leader, *standbys(cluster)]:
        assert call(member, "/restart", "POST", {"restart_pending": True})[:2] == (200, "restarted successfully"), member.name
    for member in cluster.members.values():
        wait_for(lambda m=member: "pending_restart" not in status_of(m), f"nothing pending on {member.name}")
        assert query(member.dsn, "show max_connections") == [(str(int(old) + 7),)]


def test_scheduled_restart_happens_and_can_be_deleted(cluster):
    standby = standbys(cluster)[0]
    far = "2035-01-01T00:00:00+00:00"
    assert call(standby, "/restart", "DELETE")[:2] == (404, "no restarts are scheduled")
    assert call(standby, "/restart", "POST", {"schedule": far, "role": "replica"})[:2] == (202, "Restart scheduled")
    assert call(standby, "/restart", "POST", {"schedule": far})[:2] == (409, "Another restart is already scheduled")
    assert status_of(standby)["scheduled_restart"] == {"schedule": far, "role": "replica"}
    wait_for(lambda: [row for row in cluster.list() if row.get("Scheduled restart") == far], "the schedule in list")
    assert call(standby, "/restart", "DELETE")[:2] == (200, "scheduled restart deleted")
    before = started(standby)
    assert call(standby, "/restart", "POST", {"schedule": in_seconds(2)})[0] == 202
    wait_for(lambda: started(standby) > before, "the restart")
    wait_for(lambda: "scheduled_restart" not in status_of(standby), "the schedule's end")


def test_scheduled_switchover_happens_and_can_be_deleted(cluster):
    leader, candidate = cluster.leader(), standbys(cluster)[0]
    order = {"leader": leader.name, "candidate": candidate.name, "scheduled_at": "2035-01-01T00:00:00+00:00"}
    assert call(leader, "/switchover", "DELETE")[:2] == (404, "no switchover is scheduled")
    assert call(leader, "/switchover", "POST", order)[:2] == (202, "Switchover scheduled")
    wait_for(lambda: "scheduled_switchover" in json.loads(rest(leader.host, "/cluster")[1]), "the schedule in /cluster")
    wait_for(lambda: call(leader, "/switchover", "DELETE")[:2] == (200, "scheduled switchover deleted"), "the schedule's end")
    assert call(leader, "/switchover", "POST", {**order, "scheduled_at": in_seconds(2)})[0] == 202
    assert cluster.wait_new_leader(leader).name == candidate.name


def test_failover_asked_of_a_standby_is_done_by_the_leader(cluster):
    candidate = standbys(cluster)[0]
    assert call(candidate, "/failover", "POST", {"candidate": candidate.name})[:2] == (
        200, f'Successfully failed over to "{candidate.name}"')
    cluster.wait_healthy()
    assert call(candidate, "/failover", "POST", {"candidate": candidate.name})[:2] == (503, "Failover failed")


def test_paused_cluster_switches_over_and_restarts_when_it_is_told_to(cluster):
    leader, candidate = cluster.leader(), standbys(cluster)[0]
    assert cluster.howdah("pause", "-c", cluster.config(), "--wait").returncode == 0
    try:
        answer = call(leader, "/switchover", "POST", {"leader": leader.name, "candidate": candidate.name})
        assert answer[:2] == (200, f'Successfully switched over to "{candidate.name}"')
        cluster.wait_healthy()
        assert call(candidate, "/restart", "POST")[:2] == (200, "restarted successfully")
        assert not candidate.in_recovery()
        assert call(candidate, "/restart", "POST", {"schedule": in_seconds(60)})[0] == 500
    finally:
        cluster.howdah("resume", "-c", cluster.config(), "--wait")


def test_reinitialize_makes_a_new_copy(cluster):
    leader, standby = cluster.leader(), standbys(cluster)[0]
    assert call(leader, "/reinitialize", "POST")[:2] == (503, "I am the leader, can not reinitialize")
    mark = pathlib.Path(standby.data_dir) / "mark-of-the-old-copy"
    mark.touch()
    assert call(standby, "/reinitialize", "POST")[:2] == (200, "reinitialize started")
    assert status_of(standby)["state"] == "creating replica"
    assert call(standby, "/reinitialize", "POST")[:2] == (503, "reinitialize already in progress")
    assert call(standby, "/restart", "POST")[:2] == (503, "reinitialize already in progress")
    wait_for(lambda: not mark.exists(), "the old copy is gone")
    cluster.wait_healthy()
    assert cluster.leader().name == leader.name and standby.in_recovery()


def test_reload_takes_tags_and_parameters_from_the_file(cluster):
    standby = standbys(cluster)[0]
    path = pathlib.Path(standby.config)
    text = path.read_text()
    doc = yaml.safe_load(text)
    doc["tags"] = {"noloadbalance": True, "zone": "b"}
    doc["postgresql"].setdefault("parameters", {})["work_mem"] = "9MB"
    try:
        path.write_text(yaml.safe_dump(doc))
        assert call(standby, "/reload", "POST")[:2] == (202, "reload scheduled")
        wait_for(lambda: status_of(standby).get("tags") == {"noloadbalance": True, "zone": "b"}, "the tags")
        wait_for(lambda: query(standby.dsn, "show work_mem") == [("9MB",)], "work_mem")
        assert rest(standby.host, "/replica")[0] == 503
        path.write_text(yaml.safe_dump({"restapi": doc["restapi"]}))
        assert call(standby, "/reload", "POST")[0] == 202
        assert status_of(standby)["tags"]["zone"] == "b"
    finally:
        path.write_text(text)
        call(standby, "/reload", "POST")
    wait_for(lambda: query(standby.dsn, "show work_mem") == [("4MB",)], "the old work_mem")


def test_a_member_with_failover_priority_0_never_leads(cluster):
    leader, barred = cluster.leader(), standbys(cluster)[0]
    path = pathlib.Path(barred.config)
    text = path.read_text()
    doc = yaml.safe_load(text)
    doc["tags"] = {"failover_priority": "0"}
    try:
        path.write_text(yaml.safe_dump(doc))
        assert call(barred, "/reload", "POST")[0] == 202
        wait_for(lambda: {"failover_priority": "0"} in
                 [m.get("tags") for m in json.loads(rest(leader.host, "/cluster")[1])["members"]], "the leader sees the tag")
        answer = call(leader, "/switchover", "POST", {"leader": leader.name, "candidate": barred.name})
        assert answer[0] == 412 and "may not lead" in answer[1], answer
        status, body = call(leader, "/switchover", "POST", {"leader": leader.name})[:2]
        assert status == 200 and barred.name not in body, body
        cluster.wait_healthy()
        assert cluster.leader().name not in (leader.name, barred.name)
    finally:
        path.write_text(text)
        call(barred, "/reload", "POST")
    wait_for(lambda: not status_of(barred).get("tags"), "no tag")


def test_new_passwords_are_taken_by_a_reload(cluster):
    """As an operator changes them: in PostgreSQL, in every file, reload. Nothing stops meanwhile."""
    leader = cluster.leader()
    texts = {m.name: pathlib.Path(m.config).read_text() for m in cluster.members.values()}
    logins = yaml.safe_load(texts[leader.name])["postgresql"]["authentication"]
    epoch = cluster.record()["epoch"]
    query(leader.dsn, "create role operator superuser login password 'op'")
    operator = re.sub(r"user=\S+", "user=operator", re.sub(r"password=\S+", "password=op", leader.dsn))

    def change(passwords):
        for role, password in passwords.items():
            query(operator, f"alter role {logins[role]['username']} password '{password}'")
        for member in cluster.members.values():
            doc = yaml.safe_load(texts[member.name])
            for role, password in passwords.items():
                doc["postgresql"]["authentication"][role]["password"] = password
            pathlib.Path(member.config).write_text(yaml.safe_dump(doc))
            assert call(member, "/reload", "POST")[0] == 202

    def drop_sessions():
        query(operator, "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and "
                          "(application_name = 'Howdah agent' or backend_type = 'walsender')")
    roles = [role for role in ("superuser", "replication", "rewind") if "password" in logins.get(role, {})]
    assert "superuser" in roles and "replication" in roles
    try:
        change({role: "new one" for role in roles})
        drop_sessions()
        wait_for(lambda: query(operator, "select count(*) from pg_stat_replication where state = 'streaming'") == [(2,)],
                 "both standbys stream again")
        wait_for(lambda: query(operator, "select count(*) > 0 from pg_stat_activity where application_name = 'Howdah agent'")
                 == [(True,)], "the agent asks again")
        assert rest(leader.host, "/primary")[0] == 200 and cluster.leader().name == leader.name
    finally:
        change({role: logins[role]["password"] for role in roles})
        for member in cluster.members.values():
            pathlib.Path(member.config).write_text(texts[member.name])
        drop_sessions()
    cluster.wait_healthy()
    query(leader.dsn, "drop role operator")
    assert cluster.record()["epoch"] == epoch, "nobody took over meanwhile"
