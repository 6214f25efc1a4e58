"""What holds for all tests."""

from __future__ import annotations

import gc
import os
import shutil
import signal

import pytest
from hypothesis import settings

from tests import postgres_cluster
from tests.damaged import begun

# A shared machine may stall for a moment, so no example has a deadline; CI draws the same examples
# each time.
settings.register_profile("hoptim", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("hoptim")

# A job that a shell starts in the background ignores SIGINT, and so would each process that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A shell that exports the width of its terminal would have what is printed into pipes wrapped to it.
os.environ.pop("COLUMNS", None)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A study that is under way, for tests that damage copies of it."""
    with begun(tmp_path_factory.mktemp("template") / "study") as folder:
        yield folder


@pytest.fixture
def no_garbage():
    """No garbage is collected while a parser recurses to its limit, where its finalizers would fail."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def hang_up_arrives():
    """Started by nohup, the suite would hand on that it ignores SIGHUP."""
    before = signal.getsignal(signal.SIGHUP)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def folder(template, tmp_path):
    """A copy of a study that is under way, to be damaged."""
    return shutil.copytree(template, tmp_path / "study")


@pytest.fixture(scope="session")
def server():
    """A server of PostgreSQL; tests make studies of their own in it, and leave it running."""
    if why := postgres_cluster.why_missing():
        pytest.skip(why)
    with postgres_cluster.cluster() as running:
        yield running
