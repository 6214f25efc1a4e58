"""Workers that are killed and stopped at random on a study in a database, and crashes of its server."""

from __future__ import annotations

import sys

import pytest

from tests.builders import chaos
from tests.postgres_cluster import why_missing

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(why_missing() is not None, reason=str(why_missing())),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="deaths are proven by /proc"),
]


def test_sixteen_workers_on_a_database_keep_every_promise_under_kills_and_stops():
    """No step lost or doubled, no checkpoint broken or left in the bucket, no claim or life misjudged."""
    report = chaos("--database", workers=16, members=16, steps=60, faults=30, lease=1, seed=1)
    assert (report["steps"], report["recomputed"]) == (16 * 61, 16 * 61)
    assert report["kills"] + report["stops"] == 30


def test_crashes_of_the_server_lose_and_double_nothing_that_was_acknowledged():
    """Workers ride out a server that is killed and recovers, with all that it said it had recorded."""
    report = chaos("--database", "--fsync", crashes=5, workers=4, members=4, steps=20, faults=4, lease=1)
    assert (report["steps"], report["recomputed"]) == (4 * 21, 4 * 21)
    assert report["crashes"] == 5


def test_lookers_forks_and_twice_tellers_beside_workers_on_a_database():
    """Looks and forks find whole checkpoints; of a trial told by two, one value is recorded and kept."""
    report = chaos("--database", workers=2, members=3, steps=10, faults=3, lease=1, beside=1)
    assert {"looked", "forked", "twice", "told", "refused"} <= report["beside"].keys()
