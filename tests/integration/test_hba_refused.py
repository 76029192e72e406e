"""Lines of pg_hba that PostgreSQL would refuse are refused before they are written."""
import pathlib

import pytest
import yaml
from cluster import query
from test_operate import call, config_of, howdah

CASES = pathlib.Path(__file__).parents[1] / "fixtures" / "cases" / "C08"


@pytest.fixture(autouse=True)
def healthy(cluster):
    cluster.wait_healthy()


def rules_of(member):
    return query(member.dsn, "select line_number, type, database, user_name, address, auth_method, error "
                             "from pg_hba_file_rules order by 1")


@pytest.mark.parametrize(("case", "told"), [
    ("broken.yml", 'line "hostt all all 127.0.0.0/8 scram-sha-256": invalid connection type "hostt"'),
    ("lockout.yml", "it locks out the superuser postgres"),
])
def test_refused_before_anything_is_written(cluster, case, told):
    before = config_of(cluster)
    rules = {m.name: rules_of(m) for m in cluster.members.values()}
    done = howdah(cluster, "edit-config", "--apply", str(CASES / case), "--force")
    assert done.returncode == 1 and told in done.stderr, done
    change = yaml.safe_load((CASES / case).read_text())
    status, text, _ = call(cluster.leader(), "/config", "PATCH", change)
    assert status == 400 and told in text, text
    status, text, _ = call(cluster.leader(), "/config", "PUT", {**before, **change})
    assert status == 400 and told in text, text
    assert config_of(cluster) == before
    assert {m.name: rules_of(m) for m in cluster.members.values()} == rules


REPLICATION = "host replication replicator 127.0.0.0/8 scram-sha-256"
SUPERUSER = "host all postgres 127.0.0.0/8 scram-sha-256"


@pytest.mark.parametrize(("lines", "told"), [
    ([SUPERUSER], "it locks out the user replicator for replication, from pgvm1: no line lets it in; one that would: "
                  "host replication replicator "),
    (["host all postgres all reject", SUPERUSER, REPLICATION], 'line "host all postgres all reject" rejects it'),
])
def test_every_member_refuses_what_locks_the_agents_out(cluster, lines, told):
    before = config_of(cluster)
    for member in cluster.members.values():
        status, text, _ = call(member, "/config", "PATCH", {"postgresql": {"pg_hba": lines}})
        assert status == 400 and told in text, text
    assert config_of(cluster) == before


def test_what_lets_the_agents_in_is_written(cluster):
    """The members' own files have lines, which count before these."""
    was = config_of(cluster).get("postgresql", {}).get("pg_hba")
    strict = yaml.safe_load((CASES / "least-privilege.yml").read_text())
    assert call(cluster.leader(), "/config", "PATCH", strict)[0] == 200
    assert config_of(cluster)["postgresql"]["pg_hba"] == strict["postgresql"]["pg_hba"]
    assert call(cluster.leader(), "/config", "PATCH", {"postgresql": {"pg_hba": was}})[0] == 200


LINES = [
    "local all all trust", "local all", "local all all peer map=x", "local all all gss", "host all all 127.0.0.1/32 md5",
    "host all all 127.0.0.1 md5", "host all all 127.0.0.1 255.255.255.255 md5", "host all all ::1/129 md5",
    "host a,b,\"c d\" +e, f samenet scram-sha-256", "host all all .example.com password", "host all all x.org/8 md5",
    "host all all all peer", "host all all all reject # no", "hostx all all all md5",
    "host all all all cert", "host all all all md5 clientcert=verify-ca",
    "host all all all md5 nonsense", "host all all all md5 a=b", "host all all all md5 map=x", "host all all all ident map=x",
    "local,host all all trust", "host all all 10.0.0.0/8,11.0.0.0/8 md5", "host all all 10.0.0.0 ffff:: md5",
    "host \"all\" \"all\" \"10.0.0.0/8\" \"trust\"", "host all all 10.1/16 md5", "host all all all sha256",
    "host all all 10.0.0.0/+8 md5", "host all all 10.0.0.0/ md5", "hostnogssenc all all 0.0.0.0/0 md5",
    "host all all \"samehost\" md5", "local all all ident map=x", "host all all 10.0.0.0/8 md5,trust",
]


def test_verdicts_are_those_of_postgresql(cluster):
    """The view reads the file as it is, without a reload."""
    leader = cluster.leader()
    path = pathlib.Path(query(leader.dsn, "show hba_file")[0][0])
    was = path.read_text()
    try:
        path.write_text(was + "\n".join(LINES) + "\n")
        first = len(was.splitlines()) + 1
        refused = {number for number, in query(
            leader.dsn, "select line_number from pg_hba_file_rules where error is not null")}
    finally:
        path.write_text(was)
    for number, line in enumerate(LINES, first):
        # Never in effect: the last line is wrong in any case.
        status, text, _ = call(leader, "/config", "PATCH", {"postgresql": {"pg_hba": [line, "hostt"]}})
        assert status == 400
        assert (f'line "{line}": ' in text) == (number in refused), (line, text, number in refused)
