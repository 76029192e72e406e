"""The verbs that look at a running cluster and change its configuration, and the REST calls below them."""
import json
import os
import subprocess
import urllib.error
import urllib.request

import pytest
import yaml
from cluster import HOWDAH, base64_of, query, rest, wait_for


@pytest.fixture(autouse=True)
def healthy(cluster):
    cluster.wait_healthy()


def call(member, path, method, body=None, login=True):
    """(status code, body, headers)"""
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{member.host}:8008{path}", method=method, data=data)
    if login:
        known = yaml.safe_load(open(member.config))["restapi"]["authentication"]
        request.add_header("Authorization", "Basic " + base64_of(f"{known['username']}:{known['password']}"))
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode(), refusal.headers


def config_of(cluster):
    return json.loads(rest(cluster.leader().host, "/config")[1])


def howdah(cluster, *arguments, stdin=None, env=None):
    return subprocess.run([HOWDAH, "-c", cluster.config(), *arguments], text=True, capture_output=True, timeout=90,
                          check=False, input=stdin, env={**os.environ, **(env or {})})


def test_patch_config_reaches_postgresql_of_every_member(cluster):
    before = config_of(cluster)
    standby = next(m for m in cluster.members.values() if m.in_recovery())
    status, body, _ = call(standby, "/config", "PATCH", {"postgresql": {"parameters": {"work_mem": "7MB"}}})
    assert status == 200 and json.loads(body)["postgresql"]["parameters"]["work_mem"] == "7MB"
    for member in cluster.members.values():
        wait_for(lambda m=member: query(m.dsn, "show work_mem") == [("7MB",)], f"work_mem on {member.name}")
    assert call(standby, "/config", "PATCH", {"postgresql": {"parameters": {"work_mem": None}}})[0] == 200
    for member in cluster.members.values():
        wait_for(lambda m=member: query(m.dsn, "show work_mem") == [("4MB",)], f"work_mem on {member.name}")
    assert config_of(cluster)["loop_wait"] == before.get("loop_wait", config_of(cluster)["loop_wait"])


def test_one_variable_of_the_environment_is_a_configuration(cluster):
    host = next(iter(cluster.members.values())).host
    done = subprocess.run([HOWDAH, "list", "howdah"], text=True, capture_output=True, timeout=30, check=False,
                          env={"PATH": os.environ["PATH"], "PATRONI_ETCD3_HOST": f"{host}:2379"})
    assert done.returncode == 0 and "pgvm1" in done.stdout, done
    done = subprocess.run([HOWDAH, "list", "howdah"], text=True, capture_output=True, timeout=30, check=False,
                          env={"PATH": os.environ["PATH"]}, cwd="/")
    assert done.returncode == 1 and "no configuration given" in done.stderr, done


def test_bad_values_are_never_written(cluster):
    before = config_of(cluster)
    leader = cluster.leader()
    for body in [{"loop_wait": "x"}, {"ttl": 1}, {"postgresql": {"parameters": {"max_connections": 3}}},
                 {"postgresql": 7}, {"synchronous_mode": "perhaps"}]:
        status, text, _ = call(leader, "/config", "PATCH", body)
        assert status == 400 and next(iter(body)) in text, (body, status, text)
    assert call(leader, "/config", "PUT", {"ttl": "x"})[0] == 400
    assert call(leader, "/config", "PATCH", {"loop_wait": 9}, login=False)[:2] == (401, "no auth header received")
    assert call(leader, "/config", "PATCH", b"not json")[0] == 400
    assert call(leader, "/config", "PATCH", b"[" * 900000)[0] == 400
    done = howdah(cluster, "edit-config", "-s", "retry_timeout=0", "--force")
    assert done.returncode == 1 and "retry_timeout: 0 is below the minimum of 3" in done.stderr
    assert config_of(cluster) == before


def test_unknown_keys_are_kept_and_the_nearest_is_named(cluster):
    leader = cluster.leader()
    status, body, headers = call(leader, "/config", "PATCH", {"loop_wiat": 3})
    assert status == 200 and "did you mean loop_wait?" in headers["Warning"]
    assert json.loads(body)["loop_wiat"] == 3
    assert call(leader, "/config", "PATCH", {"loop_wiat": None})[0] == 200
    assert "loop_wiat" not in config_of(cluster)


def test_edit_config_shows_asks_and_writes(cluster):
    asked = howdah(cluster, "edit-config", "-s", "maximum_lag_on_failover=2097152", stdin="n\n")
    assert asked.returncode == 0 and asked.stdout.endswith("Apply these changes? [y/N]: ")
    assert "+maximum_lag_on_failover: 2097152\n" in asked.stdout
    done = howdah(cluster, "edit-config", "--apply", "-", "--force", stdin="maximum_lag_on_failover: 2097152\n")
    assert done.stdout.endswith("Configuration changed\n"), done.stderr
    wait_for(lambda: config_of(cluster)["maximum_lag_on_failover"] == 2097152, "the new value", 10)
    assert howdah(cluster, "edit-config", "-s", "maximum_lag_on_failover=2MB", "--force").stdout != "Not changed\n"
    again = howdah(cluster, "edit-config", "-s", "maximum_lag_on_failover=2MB", "--force")
    assert again.stdout == "Not changed\n"
    assert "maximum_lag_on_failover: 2MB\n" in howdah(cluster, "show-config").stdout


def test_edit_config_opens_the_editor(cluster):
    done = howdah(cluster, "edit-config", "--force", env={"EDITOR": "sed -i s/2MB/3MB/"})
    assert done.returncode == 0 and "+maximum_lag_on_failover: 3MB\n" in done.stdout, done.stderr
    broken = howdah(cluster, "edit-config", "--force", env={"EDITOR": "false"})
    assert broken.returncode == 1 and "the editor false ended with 1" in broken.stderr


def test_pause_and_resume_are_noticed_by_all(cluster):
    done = howdah(cluster, "pause", "--wait")
    assert done.stdout == ("'pause' request sent, waiting until it is recognized by all nodes\n"
                           "Success: cluster management is paused\n"), done.stderr
    assert " Maintenance mode: on\n" in howdah(cluster, "list").stdout
    again = howdah(cluster, "pause")
    assert again.returncode == 1 and "Cluster is already paused" in again.stderr
    done = howdah(cluster, "resume", "--wait")
    assert done.stdout.endswith("Success: cluster management is resumed\n")
    assert "pause" not in config_of(cluster)
    assert howdah(cluster, "resume").returncode == 1


def test_paused_cluster_does_not_replace_a_dead_primary(cluster):
    assert howdah(cluster, "pause", "--wait").returncode == 0
    old, epoch = cluster.leader(), cluster.record()["epoch"]
    old.kill_postmaster()
    wait_for(lambda: cluster.record()["epoch"] > epoch and cluster.leader(), "somebody leads again", 20)
    assert cluster.leader().name == old.name
    assert howdah(cluster, "resume").returncode == 0
    cluster.wait_healthy(60)


def test_topology_dsn_and_version(cluster):
    leader = cluster.leader()
    rows = howdah(cluster, "topology").stdout.splitlines()[3:6]
    assert rows[0].startswith(f"| {leader.name} ")
    assert all(row.startswith("| + ") for row in rows[1:])
    assert howdah(cluster, "dsn").stdout == f"host={leader.host} port=5432\n"
    nobody = howdah(cluster, "dsn", "-m", "n9")
    assert nobody.returncode == 1 and "Can not find a suitable member" in nobody.stderr
    lines = howdah(cluster, "version", "howdah").stdout.splitlines()
    assert lines[0].startswith("howdah ") and lines[1] == ""
    assert [line.split(":")[0] for line in lines[2:]] == sorted(cluster.members)
    assert all(": Patroni 4.1.4 PostgreSQL 15." in line for line in lines[2:])


def test_query_prints_rows_and_refusals(cluster):
    words = dict(part.split("=", 1) for part in cluster.leader().dsn.split())
    env = {"PGPASSWORD": words.get("password", "")}
    who = ["-U", words["user"], "-d", words.get("dbname", "postgres")]
    done = howdah(cluster, "query", "-c", "select 1 as a, null as b, true as c", *who, env=env)
    assert done.stdout == "a\tb\tc\n1\tNone\tTrue\n", done.stderr
    done = howdah(cluster, "query", "--format", "json", "-r", "replica", "-c", "select pg_is_in_recovery() as r", *who, env=env)
    assert json.loads(done.stdout) == [{"r": True}]
    wrong = howdah(cluster, "query", "-c", "select nothing", *who, env=env)
    assert wrong.returncode == 0 and wrong.stdout.endswith("\tERROR, SQLSTATE: 42703\n")
    assert "No connection to member n9 is available" in howdah(cluster, "query", "-m", "n9", "-c", "select 1", *who).stdout


def test_remove_is_refused_while_agents_run(cluster):
    done = howdah(cluster, "remove", "howdah", stdin=f"howdah\nYes I am aware\n{cluster.leader().name}\n")
    assert done.returncode == 3 and "still run" in done.stderr
    assert cluster.is_healthy()


def test_dcs_url_replaces_the_configuration(cluster):
    host = cluster.leader().host
    done = subprocess.run([HOWDAH, "-d", f"etcd3://{host}:2379", "dsn", "howdah"], text=True, capture_output=True, timeout=30,
                          check=False, env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"})
    assert done.stdout == f"host={host} port=5432\n", done.stderr
