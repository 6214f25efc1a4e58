"""When records of others are read ahead of a hold in PostgreSQL."""

from __future__ import annotations

import time

import pytest

from hoptim.store.postgres.traffic import Traffic


@pytest.fixture
def passed(monkeypatch):
    """A function that lets seconds go by."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return lambda seconds: now.append(now.pop() + seconds)


@pytest.mark.parametrize(
    ("others", "seconds", "behind"), [(0, 60, False), (10, 60, False), (30, 60, True), (30, 6, False)]
)
def test_a_process_is_behind_as_others_append(passed, others, seconds, behind):
    """Before the first hold it is; later, where others append many records until the next one."""
    traffic = Traffic()
    assert traffic.is_behind
    traffic.note(5, 6, 0.0)
    assert not traffic.is_behind
    passed(60)
    traffic.note(6 + others, 7 + others, 0.0)
    passed(seconds)
    assert traffic.is_behind == behind


@pytest.mark.parametrize(("others", "waited", "crowded"), [(30, 60, True), (30, 6, False), (10, 60, False)])
def test_a_study_is_crowded_as_others_append_during_a_wait(passed, others, waited, crowded):
    """What counts are the records that come while a hold is waited for as long as the last one was."""
    traffic = Traffic()
    assert not traffic.is_crowded
    traffic.note(5, 6, waited)
    assert not traffic.is_crowded
    passed(60)
    traffic.note(6 + others, 7 + others, waited)
    assert traffic.is_crowded == crowded
