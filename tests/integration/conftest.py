import pathlib
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


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """What every member logged last stands below a failure."""
    report = (yield).get_result()
    made = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and made:
        report.sections.append(("logs of the members", made.logs()))
