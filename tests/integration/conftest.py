import os
import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import Cluster  # noqa: E402


@pytest.fixture(scope="module")
def cluster(request):
    """One cluster a test file. A test leaves it healthy or fails."""
    made = Cluster(*getattr(request.module, "UP_OPTIONS", ["--no-load"]))
    yield made
    made.close()


FAILED = pytest.StashKey()


@pytest.fixture
def tmp_path(tmp_path, request):
    """A failed test's folder stays to be looked at. The others go: those of all tests together take 25 GB."""
    yield tmp_path
    if not request.node.stash.get(FAILED, False):
        shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture(scope="module", autouse=True)
def module_folders(tmp_path_factory, request):
    """The same for what the fixtures of a file made."""
    base = tmp_path_factory.getbasetemp()
    before = set(os.listdir(base))
    yield
    if not request.node.stash.get(FAILED, False):
        for name in set(os.listdir(base)) - before:
            shutil.rmtree(base / name, ignore_errors=True)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """What every member logged last stands below a failure."""
    report = (yield).get_result()
    if report.failed:
        item.stash[FAILED] = item.getparent(pytest.Module).stash[FAILED] = True
    made = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and made:
        report.sections.append(("logs of the members", made.logs()))
