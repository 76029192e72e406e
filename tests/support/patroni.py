"""Debian's own patroni and patronictl (3.0.2). HOWDAH_PATRONI_PREFIX: where the packages were unpacked, if not installed."""
import os
import pathlib
import subprocess
import tempfile

import pytest
import yaml

PREFIX = pathlib.Path(os.environ.get("HOWDAH_PATRONI_PREFIX", "/"))
PATRONI, PATRONICTL = PREFIX / "usr/bin/patroni", PREFIX / "usr/bin/patronictl"
needs_patroni = pytest.mark.skipif(not PATRONICTL.exists(), reason="Debian's package patroni is not installed")


def environment(**more):
    path = str(PREFIX / "usr/lib/python3/dist-packages")
    return {**{k: v for k, v in os.environ.items() if not k.startswith(("PATRONI", "PYTHON"))},
            **({"PYTHONPATH": path} if PREFIX != pathlib.Path("/") else {}), "LANG": "C.UTF-8", "TZ": "UTC", **more}


def patronictl(cluster, *arguments, stdin=None, timeout=120, env=None):
    """With a member's file as it stands. Its etcd is the first one that answers."""
    return subprocess.run(["/usr/bin/python3", str(PATRONICTL), "-c", cluster.config(), *arguments], text=True, input=stdin,
                          capture_output=True, timeout=timeout, check=False, env=environment(**(env or {})))
