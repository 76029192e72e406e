"""The walkthrough's haproxy.cfg against Howdah's REST API: only addresses and the host's own paths substituted."""
import re
import subprocess

import psycopg2
import pytest
from cluster import NETWORK, ROOT, query, rest, wait_for


ADDRESS = f"{NETWORK}.87"


@pytest.fixture
def haproxy(tmp_path):
    text = (ROOT / "tests/fixtures/walkthrough/haproxy.cfg").read_text()
    text = text.replace("50.51.52.", f"{NETWORK}.").replace("bind *:", f"bind {ADDRESS}:")
    for unwanted in ("log /dev/log", "chroot", "stats socket", "user haproxy", "group haproxy", "daemon", "errorfile"):
        text = re.sub(rf"^\s*{re.escape(unwanted)}.*$", "", text, flags=re.MULTILINE)
    file = tmp_path / "haproxy.cfg"
    file.write_text(text)
    with subprocess.Popen(["/usr/sbin/haproxy", "-f", str(file), "-db"], stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def test_options_as_haproxy_asks_tells_primary_from_standby(cluster):
    leader = cluster.wait_healthy()
    for member in cluster.members.values():
        primary, standby = (200, 503) if member is leader else (503, 200)
        assert rest(member.host, "/", "OPTIONS")[0] == primary
        assert rest(member.host, "/primary", "OPTIONS")[0] == primary
        assert rest(member.host, "/replica", "OPTIONS")[0] == standby
        assert rest(member.host, "/health", "OPTIONS")[0] == 200


def test_haproxy_follows_a_switchover(cluster, haproxy):
    cluster.wait_healthy()
    through = re.sub(r"host=\S+ port=\d+", f"host={ADDRESS} port=5000", cluster.endpoint)

    def leads():
        try:
            return query(through, "select host(inet_server_addr())")[0][0] == cluster.leader().host
        except psycopg2.Error:
            return False
    wait_for(leads, "HAProxy leads to the primary", 30)
    target = next(m for m in cluster.members.values() if m.in_recovery())
    cluster.howdah("switchover", "-c", cluster.config(), "--candidate", target.name, "--force")
    wait_for(lambda: cluster.leader() and cluster.leader().name == target.name and leads(), "HAProxy follows", 40)
