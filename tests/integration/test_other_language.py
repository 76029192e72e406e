"""PostgreSQL and the agents speak German: nothing is decided by the words of a message."""
import os
import shutil
import subprocess
import tempfile

import psycopg2
import pytest
from cluster import Cluster, Writer, query, set_parameters, wait_for
from test_operate import howdah

LANGUAGE = "de_DE.UTF-8"


@pytest.fixture(scope="module")
def cluster():
    """The locale is made in a folder of its own, which needs no root."""
    folder = tempfile.mkdtemp(prefix="howdah-locale-")
    os.chmod(folder, 0o755)
    made = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", f"{folder}/{LANGUAGE}"], capture_output=True,
                          text=True, check=False) if shutil.which("localedef") else None
    if made is None or made.returncode != 0:
        shutil.rmtree(folder)
        pytest.skip(f"no {LANGUAGE} here: {made.stderr if made else 'no localedef'} (Debian's package locales has its source)")
    kept = {name: os.environ.get(name) for name in ("LOCPATH", "LC_ALL")}
    os.environ.update(LOCPATH=folder, LC_ALL=LANGUAGE)
    try:
        cluster = Cluster("--no-load")
        try:
            set_parameters(cluster, lc_messages=LANGUAGE)
            yield cluster
        finally:
            cluster.close()
    finally:
        for name, value in kept.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def healthy(cluster):
    cluster.wait_healthy()


def words_of_an_error(dsn):
    with pytest.raises(psycopg2.errors.UndefinedTable) as told:
        query(dsn, "select * from nowhere")
    return str(told.value)


def test_every_server_speaks_it(cluster):
    for member in cluster.members.values():
        words = words_of_an_error(member.dsn)
        if "does not exist" in words:
            pytest.skip("this PostgreSQL has no German messages")
        assert "existiert nicht" in words, words


def test_failover_and_rejoin(cluster):
    old = cluster.leader()
    with Writer(cluster.endpoint) as writer:
        old.kill_everything()
        new = cluster.wait_new_leader(old)
        wait_for(lambda: query(new.dsn, "select not pg_is_in_recovery()") == [(True,)], "the new primary writes")
        assert writer.times
    old.start_agent()
    cluster.wait_healthy(120)
    writer.lost()
    assert old.in_recovery()


def test_switchover(cluster):
    old = cluster.leader()
    target = next(name for name in cluster.members if name != old.name)
    done = howdah(cluster, "switchover", "--leader", old.name, "--candidate", target, "--force")
    assert done.returncode == 0, done
    wait_for(lambda: cluster.leader() is cluster.members[target], f"{target} leads")
    cluster.wait_healthy()


def test_wrong_settings_are_refused(cluster):
    done = howdah(cluster, "edit-config", "-p", "nonsense=7", "--force")
    assert done.returncode == 1 and "PostgreSQL would not start with" in done.stderr, done
