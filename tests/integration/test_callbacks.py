"""Patroni's callbacks: `COMMAND EVENT ROLE SCOPE`, in its order."""
import pathlib

import pytest
from cluster import rest, wait_for
from test_operate import call, config_of


@pytest.fixture
def said(cluster, tmp_path_factory):
    """What the script of each member was called with, by member; the script is the same for all."""
    cluster.wait_healthy()
    folder = pathlib.Path(cluster.dir) / "callbacks"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    script = folder / "note"
    # The agent's directory tells whose it is: each agent has its own working directory or data directory in its command.
    script.write_text(f"#!/bin/sh\npid=$PPID\nwho=$(tr '\\0' ' ' < /proc/$pid/cmdline | grep -o 'pgvm[0-9]' | head -1)\n"
                      f"echo \"$*\" >> {folder}/$who\n")
    script.chmod(0o755)
    before = config_of(cluster)
    callbacks = {event: f"{script} 'an argument'" for event in
                 ("on_start", "on_stop", "on_restart", "on_role_change", "on_reload")}
    assert call(cluster.leader(), "/config", "PATCH", {"postgresql": {"callbacks": callbacks}})[0] == 200

    def lines(member):
        path = folder / member.name
        return path.read_text().splitlines() if path.exists() else []
    yield lines
    call(cluster.leader(), "/config", "PATCH", {"postgresql": {"callbacks": None}})
    assert config_of(cluster) == before


def test_a_switchover_a_restart_and_a_reload_are_told(cluster, said):
    old = cluster.leader()
    status, body = call(old, "/switchover", "POST", {"leader": old.name})[:2]
    assert status == 200, body
    cluster.wait_healthy()
    new = cluster.leader()
    words = "an argument {} {} howdah"
    wait_for(lambda: said(new) == [words.format("on_role_change", "primary")], f"new primary: {said(new)}")
    wait_for(lambda: said(old) == [words.format("on_stop", "primary"), words.format("on_role_change", "replica")],
             f"old primary: {said(old)}")
    assert call(new, "/restart", "POST", {})[0] == 200
    wait_for(lambda: said(new)[-1] == words.format("on_restart", "primary"), f"restart: {said(new)}")
    assert call(old, "/reload", "POST")[0] == 202
    wait_for(lambda: said(old)[-1] == words.format("on_reload", "replica"), f"reload: {said(old)}")
    assert len(said(new)) == 2 and len(said(old)) == 3, (said(new), said(old))


def test_a_script_that_hangs_or_is_missing_stops_nothing(cluster, said):
    leader = cluster.leader()
    script = pathlib.Path(cluster.dir) / "callbacks" / "hang"
    script.write_text("#!/bin/sh\nexec sleep 600\n")
    script.chmod(0o755)
    assert call(leader, "/config", "PATCH", {"postgresql": {"callbacks": {
        "on_stop": str(script), "on_role_change": "/none/there", "on_start": "'unbalanced"}}})[0] in (200, 400)
    leader.kill_postmaster()
    cluster.wait_healthy()
    assert rest(cluster.leader().host, "/primary")[0] == 200
