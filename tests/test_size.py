"""Fleets in virtual time, the model of a queue for the lock, and the page about sizes."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from statistics import fmean

import pytest

from hoptim.store.state import State
from tests.builders import ROOT
from tests.simulated.fleet import Fleet
from tests.simulated.lock_queue import Costs, calibrated, mean_wait, modelled, most_workers
from tests.simulated.timed import LOCAL, NFS

FOLD = 5e-5  # seconds
COSTS = Costs(hold=1e-3, by_worker=0.0, fold=1e-5, early=1e-5, outside=1e-3, late=0.0, handover=1e-4)


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves by 10 us when it is looked at, and by 50 us for each record that is folded."""
    apply = State.apply

    class Clock:
        now = 0.0

        def __call__(self):
            self.now += 1e-5
            return self.now

    ticking = Clock()

    def slow(state, record):
        ticking.now += FOLD
        apply(state, record)

    monkeypatch.setattr(State, "apply", slow)
    return ticking


def test_a_fleet_is_the_same_each_time(clock):
    """What a fleet does follows from its seed and the clock."""
    first, again = (Fleet(4, 0.05, NFS, clock, 1.0, 1.0).run() for _ in range(2))
    assert len(first.waits) > 20
    assert again.waits == pytest.approx(first.waits)
    assert again.calls == first.calls


def test_a_lock_is_held_by_one_at_a_time(clock):
    """In virtual time, too, a hold begins when the one before it is over."""
    holds = Fleet(8, 0.01, LOCAL, clock, 0.5, 0.5).run().holds
    assert len(holds) > 100
    assert all(after.got >= before.released for before, after in pairwise(holds))


def test_the_model_is_close_to_the_simulated_system(clock):
    """Fitted to fleets of 4 and 16 workers, it is within a fifth of those, and of one of 64."""
    done = [
        (workers, trial, Fleet(workers, trial, LOCAL, clock, warm, window).run())
        for workers, trial, warm, window in ((4, 2.0, 3.0, 10.0), (4, 0.01, 0.5, 0.3), (16, 0.05, 0.5, 0.5))
    ]
    costs = calibrated([(workers, run) for workers, _, run in done], LOCAL.handover + LOCAL.call)
    done.append((64, 0.3, Fleet(64, 0.3, LOCAL, clock, 1.5, 0.6).run()))
    for workers, trial, run in done:
        wait = fmean(run.waits)
        assert modelled(costs, workers, trial).mean == pytest.approx(wait, rel=0.2), workers
        assert mean_wait(costs, workers, trial) == pytest.approx(wait, rel=0.2), workers
    assert costs.fold == pytest.approx(FOLD, rel=0.5)


@pytest.mark.parametrize("line", [math.inf, 16])
@pytest.mark.parametrize("workers", [10, 1000, 3000, 12000])
def test_the_equation_is_close_to_the_model(workers, line):
    """Mean waits by one equation are near those of a queue that is played through, full or not."""
    costs = COSTS._replace(line=line)
    assert mean_wait(costs, workers, 10.0) == pytest.approx(modelled(costs, workers, 10.0).mean, rel=0.15)


def test_a_line_shortens_waits_where_many_wait():
    """Where the lock is busy all the time, it is so with reading or with holds, and not with both."""
    costs = COSTS._replace(line=16)
    assert mean_wait(costs, 50, 0.01) < 0.7 * mean_wait(COSTS, 50, 0.01)
    assert mean_wait(costs, 10, 10.0) == mean_wait(COSTS, 10, 10.0)


def test_the_largest_number_of_workers_is_found():
    """One more worker, and decisions would take more than the share of time."""
    most = most_workers(COSTS, 10.0, 0.01, 100_000)
    longest = 10.0 * 0.01 / 0.99
    assert mean_wait(COSTS, most, 10.0) <= longest < mean_wait(COSTS, most + 1, 10.0)


def test_the_page_quotes_the_committed_output():
    """The page has each output line by line, and each of its numbers of workers is in one of them."""
    page = (ROOT / "docs" / "size.md").read_text()
    results = ROOT / "benchmarks" / "results"
    prose, printed = page, set()
    for name in ("size", "postgres_size"):
        output = (results / f"{name}.txt").read_text()
        assert output.strip() in page
        prose = prose.replace(output.strip(), "")
        printed |= set(re.findall(r"\d+", output))
    numbers = re.findall(r"\*\*([0-9,]+) workers\*\*", prose)
    assert len(numbers) > 8
    assert {number.replace(",", "") for number in numbers} <= printed


def test_the_costs_of_a_hold_in_a_database_are_the_committed_ones():
    """What the page says of the hold and of connections is what the output begins with."""
    _, _, section = (ROOT / "docs" / "size.md").read_text().partition("## In a database")
    section = section.partition("\n## ")[0]
    output = (ROOT / "benchmarks" / "results" / "postgres_size.txt").read_text()
    hold, commit = re.search(r"a hold ([\d.]+) ms, of which the commit ([\d.]+) ms", output).groups()
    assert f"commit is {commit} ms of a hold of\n{hold} ms" in section
    assert f"took {re.search(r'takes ([0-9.]+) MiB', output)[1]} MiB of the server's memory" in section
    rows = re.findall(r"^(?:database|0\.5 ms) +\d+ +\d+\+? +\d+\+? +(\d+)", output, re.MULTILINE)
    found = re.findall(r"\*\*(\d+) workers\*\*", section)
    assert found == [number for pair in zip(rows[:4], rows[4:], strict=True) for number in pair]
