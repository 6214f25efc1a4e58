"""The supervisor by itself, with a clock that the test moves."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest

from hoptim.errors import StoreError, WorkersFailed
from hoptim.launch import supervisor as supervising
from hoptim.launch.failure import WorkerStopped
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


def failing(workers: int, errors: list[Exception], restarts: int = 1) -> Supervisor[Run]:
    """A supervisor whose starts, behind the first of each worker, raise some errors before they work."""

    def start(slot: Slot[Run]) -> Run:
        if slot.starts > 1 and errors:
            raise errors.pop()
        return Run()

    return Supervisor[Run](start, workers, restarts, progress=lambda: 0)


def test_a_start_that_fails_stops_nobody_and_is_tried_again(clock, caplog):
    """While another worker runs, a start that fails is tried again, ever later, as often as it takes."""
    errors: list[Exception] = [StoreError(28, "The disk is full.") for _ in range(9)]
    supervised = failing(2, errors)
    supervised.look()
    first, second = supervised.slots
    latest(first).end(WorkersFailed("It ended."))
    tried = []
    for _ in range(400):
        before = len(errors)
        assert supervised.look()
        tried += [clock.now] if len(errors) < before else []
        clock.now += 1
    assert [after - before for before, after in itertools.pairwise(tried)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert (first.starts, first.running, second.starts, second.running) == (2, True, 1, True)
    assert "Worker 0 could not be started and is tried again in 1 s: " in caplog.text


def test_starts_that_fail_end_a_launch_when_nothing_can_run(clock):
    """Once no other worker runs, a start that keeps failing is given up like a worker that does."""
    supervised = failing(2, [StoreError(28, "The disk is full.") for _ in range(99)], restarts=3)
    supervised.look()
    for run in supervised.running():
        run.end(WorkersFailed("It ended."))
    for _ in range(20):
        supervised.look()
        clock.now += 1
    assert not supervised.look()
    assert [str(slot.error) for slot in supervised.slots] == ["[Errno 28] The disk is full."] * 2


class Records:
    """Records of a study as the test says."""

    def __init__(self) -> None:
        self.failed, self.dead = 0, list[str]()

    def failures(self) -> int:
        return self.failed

    def record_deaths(self, start: str) -> bool:
        self.dead.append(start)
        return True


@pytest.mark.parametrize("error", [WorkersFailed("It died."), WorkerStopped("It was asked to stop.")])
def test_an_end_that_the_study_records_is_no_restart(clock, error):
    """A death in a trial, or a failed attempt while the worker ran, leaves its restarts as they were."""
    records = Records()
    supervised = Supervisor[Run](lambda slot: Run(), 1, 0, records=records)
    (slot,) = supervised.slots
    starts = []
    for _ in range(30):
        supervised.look()
        starts.append(slot.start)
        records.failed += isinstance(error, WorkerStopped)
        latest(slot).end(error)
        assert supervised.look()
        clock.now += 1
    assert len(set(starts)) == 30
    assert records.dead == ([] if isinstance(error, WorkerStopped) else starts)


@pytest.mark.usefixtures("clock")
def test_what_never_started_is_an_error_at_once():
    """The very first start that fails is a mistake of the user's: it is raised, and nothing tried again."""
    with pytest.raises(ZeroDivisionError):
        Supervisor[Run](lambda slot: 1 // 0, 2, 3).look()


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
