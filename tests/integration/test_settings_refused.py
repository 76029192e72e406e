"""Settings that PostgreSQL would not start with never reach a start: refused where they are written, left out where
another tool wrote them."""
import json
import random
import subprocess

import pytest
from cluster import HOWDAH, base64_of, etcd_call, query, rest, wait_for
from test_operate import call, config_of, howdah


@pytest.fixture(autouse=True)
def healthy(cluster):
    cluster.wait_healthy()


def put_config(cluster, document):
    """As another tool writes it, which asks nobody."""
    endpoint = f"{next(iter(cluster.members.values())).host}:2379"
    etcd_call(endpoint, "put", {"key": base64_of("/service/howdah/config"), "value": base64_of(json.dumps(document))})


@pytest.mark.parametrize("setting", ["nonsense=7", "shared_buffers=banana", "max_wal_size=1_024x", "log_file_mode=9999"])
def test_edit_config_refuses_what_postgresql_would(cluster, setting):
    before = config_of(cluster)
    done = howdah(cluster, "edit-config", "-p", setting, "--force")
    name = setting.split("=")[0]
    assert done.returncode == 1 and f"postgresql.parameters.{name}: PostgreSQL would not start with " in done.stderr, done
    status, text, _ = call(cluster.leader(), "/config", "PATCH",
                           {"postgresql": {"parameters": {name: setting.split("=")[1]}}})
    assert status == 400 and name in text
    assert config_of(cluster) == before


def test_what_another_tool_wrote_is_left_out_and_told(cluster):
    before = config_of(cluster)
    bad = json.loads(json.dumps(before))
    bad.setdefault("postgresql", {}).setdefault("parameters", {}).update({"nonsense": 7, "work_mem": "9MB"})
    try:
        put_config(cluster, bad)
        for member in cluster.members.values():
            wait_for(lambda m=member: query(m.dsn, "show work_mem") == [("9MB",)], f"work_mem on {member.name}")
        wait_for(lambda: "Settings left out on" in howdah(cluster, "list").stdout, "list tells it")
        assert "nonsense = 7" in howdah(cluster, "explain").stdout
        leader = cluster.leader()
        leader.kill_postmaster()
        cluster.wait_healthy()
        # What is wrong already does not stop other changes.
        assert howdah(cluster, "edit-config", "-p", "work_mem=8MB", "--force").returncode == 0
    finally:
        put_config(cluster, before)
    wait_for(lambda: "Settings left out on" not in howdah(cluster, "list").stdout, "list tells nothing")


def test_a_primary_is_there_after_every_change(cluster):
    """Fifty changes, good and bad, then three restarts in a row."""
    rng = random.Random(7)
    values = ["4MB", "banana", "1_024", "-1", "0", "on", "100", "1e3", "", "'", "640", "999999999999", "replica"]
    names = ["work_mem", "max_wal_size", "log_file_mode", "jit", "nonsense", "wal_level", "max_connections", "search_path",
             "checkpoint_timeout", "log_line_prefix", "wal_keep_size", "x.y", "random_page_cost"]
    before = config_of(cluster)
    answers = set()
    for _ in range(50):
        change = {rng.choice(names): rng.choice(values) for _ in range(rng.randint(1, 3))}
        answers.add(call(cluster.leader(), "/config", "PATCH", {"postgresql": {"parameters": change}})[0])
    assert answers == {200, 400}
    try:
        for _ in range(3):
            leader = cluster.leader()
            done = subprocess.run([HOWDAH, "-c", cluster.config(), "restart", "howdah", "--force"], text=True,
                                  capture_output=True, timeout=120, check=False)
            assert done.returncode == 0, done
            cluster.wait_healthy()
            assert rest(cluster.leader().host, "/primary")[0] == 200, leader
    finally:
        put_config(cluster, before)
        cluster.wait_healthy()
