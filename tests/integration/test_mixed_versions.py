"""Members are upgraded one after the other, and one goes back: for a while two versions lead and follow each other.

Needs a howdah of the version before in HOWDAH_OLDER_BINARY."""
import os
import signal
import subprocess

import pytest
from cluster import HOWDAH, Cluster, Writer, as_postgres, wait_for

OLDER = os.environ.get("HOWDAH_OLDER_BINARY")
pytestmark = pytest.mark.skipif(not OLDER, reason="HOWDAH_OLDER_BINARY names no howdah of the version before")


@pytest.fixture(params=["off", "strict"])
def cluster(request):
    made = Cluster("--no-load", "--sync", request.param)
    try:
        made.wait_healthy()
        yield made
    finally:
        made.close()
    assert made.left_running == {}


def runs(member, binary):
    """The member's agent ends as for an upgrade and starts again from that program."""
    os.kill(member.agent_pid(), signal.SIGTERM)
    wait_for(lambda: not os.path.exists(member.pid_file), "the agent has ended")
    with open(member.log, "ab") as log:
        subprocess.Popen([binary, "agent", member.config], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                         start_new_session=True, cwd="/", **as_postgres())


def switch_to(cluster, name):
    done = cluster.howdah("switchover", "-c", cluster.config(), "--candidate", name, "--force", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    cluster.wait_healthy()


def voters(cluster):
    return [voter["name"] for voter in cluster.record().get("sync", {}).get("voters", [])]


def test_two_versions_lead_and_follow_each_other(cluster):
    first = cluster.leader()
    older, newer = (m for m in cluster.members.values() if m.name != first.name)
    with Writer(cluster.endpoint) as writer:
        runs(older, OLDER)
        cluster.wait_healthy()
        switch_to(cluster, older.name)
        wait_for(lambda: older.name not in voters(cluster), "the promoted voter has left the sync set")
        cluster.leader().kill_agent_and_postmaster()  # the older version leads and is lost
        cluster.wait_new_leader(older)
        older.start_agent()  # upgraded by its restart
        cluster.wait_healthy()
        for member in (newer, first):
            runs(member, OLDER)
            cluster.wait_healthy()
        switch_to(cluster, next(m.name for m in (newer, first, older) if m.name != cluster.leader().name))
        for member in (newer, first):
            runs(member, HOWDAH)
            cluster.wait_healthy()
        switch_to(cluster, first.name if cluster.leader().name != first.name else newer.name)
    if cluster.record().get("sync"):
        assert writer.missing() == []
    else:
        writer.lost()  # at most the last rows before the leader was lost
