"""The supervisor by itself, with a clock that the test moves."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from hoptim.errors import WorkersFailed
from hoptim.launch import supervisor as supervising
from hoptim.launch.supervisor import Slot, Supervisor


class Run:
    """A future that ends when the test says so."""

    def __init__(self) -> None:
        self.ended, self.error = False, None

    def done(self):
        return self.ended

    def result(self):
        if self.error is not None:
            raise self.error

    def end(self, error=None):
        self.ended, self.error = True, error


@pytest.fixture
def clock(monkeypatch):
    """The supervisor's clock, which stands still."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(supervising, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def supervisor(workers=1, restarts=1):
    """A supervisor of runs that end when the test says so."""
    return Supervisor[Run](lambda slot: Run(), workers, restarts, progress=lambda: 0)


def latest(slot: Slot[Run]) -> Run:
    """The latest run of a worker that has one."""
    assert slot.run is not None
    return slot.run


def test_a_failed_worker_waits_before_it_starts_again(clock):
    """The restart comes when its delay is over, not before."""
    supervised = supervisor()
    (slot,) = supervised.slots
    assert supervised.look()
    latest(slot).end(WorkersFailed("It ended."))
    assert supervised.look()
    clock.now += 0.9
    assert supervised.look()
    assert (slot.starts, slot.running) == (1, False)
    clock.now += 0.1
    assert supervised.look()
    assert (slot.starts, slot.running) == (2, True)


@pytest.mark.usefixtures("clock")
def test_a_worker_that_ends_well_is_not_started_again():
    """When all have ended well no worker is left and none was given up."""
    supervised = supervisor(workers=2)
    supervised.look()
    for run in supervised.running():
        run.end()
    assert not supervised.look()
    assert [(slot.starts, slot.error) for slot in supervised.slots] == [(1, None)] * 2


@pytest.mark.usefixtures("clock")
def test_a_worker_that_keeps_failing_is_given_up():
    """Its last error is kept, and the others go on."""
    supervised = supervisor(workers=2, restarts=0)
    supervised.look()
    first, second = supervised.slots
    error = WorkersFailed("It ended.")
    latest(first).end(error)
    assert supervised.look()
    assert (first.error, second.error) == (error, None)
    assert supervised.running() == [second.run]


def test_a_closed_supervisor_starts_nothing(clock, caplog):
    """No worker starts again, whether it waited or fails afterwards, and no failure is logged."""
    supervised = supervisor(workers=2)
    supervised.look()
    first, second = map(latest, supervised.slots)
    first.end(WorkersFailed("It ended."))
    supervised.look()
    supervised.close()
    second.end(WorkersFailed("It ended."))
    clock.now += 100.0
    assert not supervised.look()
    assert [slot.starts for slot in supervised.slots] == [1, 1]
    assert len(caplog.messages) == 1
