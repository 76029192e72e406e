"""The REST API with TLS and client certificates: members, operator's verbs and Debian's patronictl speak it."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import ssl
import subprocess
import urllib.error
import urllib.request

import pytest
import yaml
from cluster import HOWDAH, as_postgres, base64_of, wait_for
from patroni import PATRONICTL, patronictl

UP_OPTIONS = ["--no-load", "--sync", "strict"]


def make_certificates(folder, hosts):
    """An authority, a server's certificate for these addresses, and a client's one."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=30)
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-days", "2", "-subj", "/CN=test-ca", "-keyout", "ca.key", "-out", "ca.pem")
    (folder / "ext").write_text("subjectAltName=" + ",".join(f"IP:{host}" for host in hosts) + "\n")
    for who in ("server", "client"):
        openssl("req", *key, "-subj", f"/CN={who}", "-keyout", f"{who}.key", "-out", f"{who}.csr")
        openssl("x509", "-req", "-in", f"{who}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", "ext", "-out", f"{who}.pem")
    for file in folder.iterdir():
        file.chmod(0o644)
    folder.chmod(0o755)


def restart_agent(member):
    with contextlib.suppress(ProcessLookupError):
        os.kill(member.agent_pid(), signal.SIGKILL)  # its PostgreSQL runs on, and is taken over
    member.start_agent()


@pytest.fixture(scope="module")
def secured(cluster):
    cluster.wait_healthy()
    folder = pathlib.Path(cluster.dir) / "tls"
    folder.mkdir()
    make_certificates(folder, [m.host for m in cluster.members.values()])
    for member in cluster.members.values():
        path = pathlib.Path(member.config)
        doc = yaml.safe_load(path.read_text())
        doc["restapi"] |= {"certfile": f"{folder}/server.pem", "keyfile": f"{folder}/server.key", "cafile": f"{folder}/ca.pem",
                           "verify_client": "optional", "http_extra_headers": {"X-Site": "one"}}
        doc["ctl"] = {"cacert": f"{folder}/ca.pem", "certfile": f"{folder}/client.pem", "keyfile": f"{folder}/client.key",
                      "authentication": doc["restapi"]["authentication"]}
        path.write_text(yaml.safe_dump(doc))
        restart_agent(member)
    def all_https():
        told = json.loads(cluster.howdah("explain", "--json", "-c", cluster.config()).stdout)
        return len(told) == 3 and all("why" in one for one in (told.values() if isinstance(told, dict) else told))
    wait_for(all_https, "every member speaks TLS", 40)
    cluster.wait_healthy()
    return folder


def ask(folder, member, path, method="GET", certificate=True):
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    if certificate:
        context.load_cert_chain(folder / "client.pem", folder / "client.key")
    request = urllib.request.Request(f"https://{member.host}:8008{path}", method=method)
    known = yaml.safe_load(open(member.config))["restapi"]["authentication"]
    request.add_header("Authorization", "Basic " + base64_of(f"{known['username']}:{known['password']}"))
    try:
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode(), refusal.headers


def test_reads_need_no_certificate_and_changes_do(cluster, secured):
    leader = cluster.leader()
    status, body, headers = ask(secured, leader, "/patroni", certificate=False)
    assert status == 200 and json.loads(body)["role"] == "primary" and headers["X-Site"] == "one"
    assert ask(secured, leader, "/reload", "POST", certificate=False)[:2] == (403, "client certificate required")
    assert ask(secured, leader, "/reload", "POST")[:2] == (202, "reload scheduled")
    with pytest.raises(OSError):
        urllib.request.urlopen(f"http://{leader.host}:8008/patroni", timeout=5)


def test_members_seal_each_other_over_tls(cluster, secured):
    """Strict: a claim needs a vote, and a switchover an answer, of another member."""
    old = cluster.leader()
    done = cluster.howdah("switchover", "-c", cluster.config(), "--force")
    assert "Successfully switched over" in done.stdout
    assert cluster.wait_healthy().name != old.name


def test_a_second_agent_of_a_name_is_refused(cluster, secured, tmp_path):
    """Its double answers /liveness with a status line that TLS ends: an answer, not silence."""
    member = cluster.leader()
    doc = yaml.safe_load(open(member.config))
    doc["etcd3"].pop("supervised", None)
    doc["etcd3"]["hosts"] = [f"{m.host}:2379" for m in cluster.members.values()]
    doc["state_dir"] = str(tmp_path / "state")
    doc["postgresql"]["data_dir"] = str(tmp_path / "data")
    doc["restapi"]["listen"] = doc["restapi"]["connect_address"] = "127.0.66.7:8008"
    doc["postgresql"]["listen"] = doc["postgresql"]["connect_address"] = "127.0.66.7:5432"
    file = tmp_path / "double.yml"
    file.write_text(yaml.safe_dump(doc))
    for path in (tmp_path, file):
        path.chmod(0o755)
    for name in ("state", "data"):
        (tmp_path / name).mkdir()
        shutil.chown(tmp_path / name, **({"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {"user": os.getuid()}))
    done = subprocess.run([HOWDAH, "agent", str(file)], capture_output=True, text=True, timeout=30, check=False, cwd="/",
                          **as_postgres())
    assert done.returncode == 3 and f"already a node named '{member.name}'" in done.stderr, done.stderr


def test_verbs_verify_the_members_certificates(cluster, secured, tmp_path):
    doc = yaml.safe_load(open(cluster.config()))
    doc["ctl"] = {k: v for k, v in doc["ctl"].items() if k != "cacert"}
    doc["restapi"].pop("cafile")
    file = tmp_path / "no-ca.yml"
    file.write_text(yaml.safe_dump(doc))
    refused = cluster.howdah("reload", "howdah", "--force", "-c", str(file), check=False)
    assert refused.returncode == 1 and "TLS with" in refused.stdout
    done = cluster.howdah("reload", "howdah", "--force", "-k", "-c", str(file), check=False)
    assert done.stdout.count("Reload request received") == 3, done.stdout + done.stderr


@pytest.mark.skipif(not PATRONICTL.exists(), reason="Debian's package patroni is not installed")
def test_patronictl_speaks_tls_with_it(cluster, secured):
    done = patronictl(cluster, "reload", "howdah", "--force")
    assert done.stdout.count("Reload request received for member") == 3, done.stdout + done.stderr


def test_allowlist_keeps_strangers_out(cluster, secured):
    member = cluster.leader()
    path = pathlib.Path(member.config)
    text = path.read_text()
    doc = yaml.safe_load(text)
    doc["restapi"]["allowlist"] = ["10.9.8.0/24"]
    try:
        path.write_text(yaml.safe_dump(doc))
        assert ask(secured, member, "/reload", "POST")[0] == 202
        wait_for(lambda: ask(secured, member, "/reload", "POST")[:2] == (403, "Access is denied"), "the allowlist")
        assert ask(secured, member, "/patroni")[0] == 200
    finally:
        path.write_text(text)
        os.kill(member.agent_pid(), signal.SIGHUP)
    wait_for(lambda: ask(secured, member, "/reload", "POST")[0] == 202, "no allowlist")
