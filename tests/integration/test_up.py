"""`howdah up` and `howdah down` as a user meets them."""
import json
import os
import stat
import subprocess

from cluster import HOWDAH, Cluster, processes_of, query


def test_up_with_a_single_etcd_then_down_leaves_nothing_running():
    made = Cluster("--no-load", "--etcd", "1")
    try:
        assert made.is_healthy()
        assert query(made.endpoint, "select 1") == [(1,)]
        mode = os.stat(made.dir / "cluster.json").st_mode
        assert stat.S_IMODE(mode) == 0o600
        owners = {os.stat(f"/proc/{pid}").st_uid for pid in processes_of(made.dir)}
        assert 0 not in owners, "nothing runs as root"
    finally:
        made.close()
    assert processes_of(made.dir) == {}


def test_down_of_nothing_is_no_error(tmp_path):
    done = subprocess.run([HOWDAH, "down", "--dir", str(tmp_path / "none")], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 1)


def test_dcs_status_names_every_member():
    made = Cluster("--no-load")
    try:
        status = json.loads(made.howdah("dcs", "status", "-c", made.config(), "--json").stdout)
        text = json.dumps(status)
        assert all(name in text for name in ("pgvm1", "pgvm2", "pgvm3"))
        assert text.count("leader") >= 1
    finally:
        made.close()
