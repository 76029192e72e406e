"""What is wrong in PostgreSQL's own files is shown while it stands there: it runs on, but may not start again."""
import pathlib

import pytest
from cluster import query, wait_for
from test_operate import howdah


@pytest.fixture(autouse=True)
def healthy(cluster):
    cluster.wait_healthy()


@pytest.mark.parametrize("which", ["hba_file", "config_file"])
def test_a_file_that_was_broken_by_hand_is_told(cluster, which):
    leader = cluster.leader()
    for member in (leader, next(m for m in cluster.members.values() if m is not leader)):
        path = pathlib.Path(query(member.dsn, f"show {which}")[0][0])
        was = path.read_text()
        told = f"{path} line {len(was.splitlines()) + 1}: "
        try:
            path.write_text(was + ("hostt all all all md5\n" if which == "hba_file" else "work_mem = banana\n"))
            query(member.dsn, "select pg_reload_conf()")
            wait_for(lambda t=f"Wrong in configuration files of {member.name}: {told}":
                     t in howdah(cluster, "list").stdout, "list tells it")
            assert f"wrong in its configuration files: {told}" in howdah(cluster, "explain").stdout
        finally:
            path.write_text(was)
        wait_for(lambda: "Wrong in" not in howdah(cluster, "list").stdout, "list tells nothing")
        assert "wrong in its" not in howdah(cluster, "explain").stdout
