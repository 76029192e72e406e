"""The walkthrough's haproxy.cfg against Howdah's REST API: only addresses and the host's own paths substituted."""
import pathlib
import re
import subprocess
import time

import psycopg2
import pytest
from cluster import ROOT, query, wait_for


@pytest.fixture
def haproxy(tmp_path):
    text = (ROOT / "tests/fixtures/walkthrough/haproxy.cfg").read_text()
    text = text.replace("50.51.52.", "127.0.52.").replace("bind *:", "bind 127.0.67.5:")
    for unwanted in ("log /dev/log", "chroot", "stats socket", "user haproxy", "group haproxy", "daemon", "errorfile"):
        text = re.sub(rf"^\s*{re.escape(unwanted)}.*$", "", text, flags=re.MULTILINE)
    file = tmp_path / "haproxy.cfg"
    file.write_text(text)
    with subprocess.Popen(["/usr/sbin/haproxy", "-f", str(file), "-db"], stderr=subprocess.DEVNULL) as process:
        yield
        process.terminate()


def test_haproxy_follows_a_switchover(cluster, haproxy):
    cluster.wait_healthy()
    through = re.sub(r"host=\S+ port=\d+", "host=127.0.67.5 port=5000", cluster.endpoint)
    assert "127.0.67.5" in through

    def leads():
        try:
            return query(through, "select host(inet_server_addr())")[0][0] == cluster.leader().host
        except psycopg2.Error:
            return False
    wait_for(leads, "HAProxy leads to the primary", 30)
    target = next(m for m in cluster.members.values() if m.in_recovery())
    cluster.howdah("switchover", "-c", cluster.config(), "--candidate", target.name, "--force")
    wait_for(lambda: cluster.leader() and cluster.leader().name == target.name and leads(), "HAProxy follows", 40)
