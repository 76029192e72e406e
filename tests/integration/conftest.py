import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import Cluster  # noqa: E402


@pytest.fixture(scope="module")
def cluster(request):
    made = Cluster(*getattr(request.module, "UP_OPTIONS", []))
    yield made
    if request.session.testsfailed:
        print(made.logs())
    made.close()
