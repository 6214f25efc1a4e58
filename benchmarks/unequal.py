"""How long workers of unequal speed take for a study, beside the best that they could do.

Each worker is a process whose trials sleep, so that a busy machine hurts little. Times are seconds
from the moment at which all processes are started, when they have opened the study, to the last tell:

- bound: no schedule is shorter. All trials are done by then if no worker is ever idle, and one member's
  are done one after another by the fastest;
- list: a schedule by a worker that knows how long all trials of all workers take, and is told at once
  when something is due. A worker leaves a trial to the others if they end it, and all else that they can
  begin before it, sooner;
- without: the study without the slowest worker;
- plain: the study with all of them, each of which claims whatever is due;
- hoptim: the study as it is: a slow worker leaves to the others what they end sooner.

A worker must not make a run longer by more than one of its trials: `over` is how much longer than
`without` the run of hoptim is, in trials of the slowest worker.

    python benchmarks/unequal.py [--seconds 0.25] [--members 8] [--steps 10] [--rounds 3]
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import filelock  # noqa: F401 - before the fork, so that no process pays for it within the time
from costs.together import run_together

import hoptim
import hoptim.session.loop
from hoptim.store.pace import Pace

_SPEEDS = ((1, 1, 1, 10), (1, 2, 4, 8))  # time of a trial, in that of the fastest worker
_LEADS = (1, 5)


class Shape(NamedTuple):
    """Size of a study.

    Attributes:
        members: Number of members.
        steps: Trials of each.
        lead: Steps that a member may be ahead of the slowest.
    """

    members: int
    steps: int
    lead: int


def bound(each: Sequence[float], shape: Shape) -> float:
    """Return the seconds that workers take at least, from the seconds of a trial of each."""
    trials = shape.members * shape.steps
    ends = sorted(seconds * n for seconds in each for n in range(1, trials + 1))
    return max(ends[trials - 1], min(each) * shape.steps)


class Listed:
    """A list schedule with full knowledge.

    Args:
        each: Seconds of a trial of each worker.
        shape: Size of the study.
    """

    def __init__(self, each: Sequence[float], shape: Shape) -> None:
        self._each, self._shape = each, shape
        self._done = [0] * shape.members
        self._running: dict[int, tuple[float, int]] = {}  # by member: end and worker
        self._now = 0.0

    def seconds(self) -> float:
        """Return how long it takes."""
        while min(self._done) < self._shape.steps:
            self._begin()
            self._now = min(end for end, _ in self._running.values())
            for member in [m for m, (end, _) in self._running.items() if end <= self._now]:
                del self._running[member]
                self._done[member] += 1
        return self._now

    def _begin(self) -> None:
        busy = {worker for _, worker in self._running.values()}
        for worker in sorted(set(range(len(self._each))) - busy, key=self._each.__getitem__):
            limit = min(min(self._done) + self._shape.lead + 1, self._shape.steps)
            free = [m for m, n in enumerate(self._done) if n < limit and m not in self._running]
            member = min(free, key=self._done.__getitem__, default=None)
            if member is not None and not self._leaves(worker, member):
                self._running[member] = self._now + self._each[worker], worker

    def _leaves(self, worker: int, member: int) -> bool:
        ends = {other: end for end, other in self._running.values()}
        until = self._now + self._each[worker] + 1e-9
        theirs = sum(
            math.floor((until - ends.get(other, self._now)) / seconds)
            for other, seconds in enumerate(self._each)
            if other != worker and until > ends.get(other, self._now)
        )
        limit = min(self._done[member] + self._shape.lead + 1, self._shape.steps)
        begun = [n + (m in self._running) for m, n in enumerate(self._done) if m != member]
        return self._each[worker] > min(self._each) and theirs > sum(max(0, limit - n) for n in begun)


def measure(each: Sequence[float], shape: Shape, plain: bool) -> float:
    """Return the seconds that processes take for a study, started all at once.

    Args:
        each: Seconds of a trial of each worker.
        shape: Size of the study.
        plain: True to leave nothing to others.
    """
    with tempfile.TemporaryDirectory() as temporary:
        path = f"{temporary}/study"
        began = run_together([partial(_train, path, seconds, shape, plain) for seconds in each])
        trials = hoptim.load(path).trials
        return max(trial.ended for trial in trials) - began


def _train(path: str, seconds: float, shape: Shape, plain: bool, wait_for_all: Callable[[], None]) -> None:
    if plain:
        setattr(Pace, "leaves", lambda *args: False)  # noqa: B010 - a type checker refuses less
    space = {"x": hoptim.Float(0.0, 2.0)}
    study = hoptim.Study(
        path, space=space, size=shape.members, steps=shape.steps, mode="min", lead=shape.lead
    )
    wait_for_all()
    for trial in study:
        time.sleep(seconds)
        trial.tell(trial.params["x"])


def row(speeds: Sequence[int], shape: Shape, seconds: float, rounds: int) -> str:
    """Return a line of the table, with medians over the rounds and their spread."""
    each = [speed * seconds for speed in speeds]
    runs: dict[str, list[float]] = {"without": [], "plain": [], "hoptim": []}
    for _ in range(rounds):
        runs["without"].append(measure(each[:-1], shape, plain=False))
        runs["plain"].append(measure(each, shape, plain=True))
        runs["hoptim"].append(measure(each, shape, plain=False))
    middle = {name: statistics.median(found) for name, found in runs.items()}
    least, listed = bound(each, shape), Listed(each, shape).seconds()
    over = (middle["hoptim"] - middle["without"]) / each[-1]
    shown = "".join(f"{m:8.2f} ({min(runs[n]):5.2f} .. {max(runs[n]):5.2f})" for n, m in middle.items())
    ratio = f"{middle['plain'] / listed:14.2f}{middle['hoptim'] / listed:15.2f}{over:8.2f}"
    return f"{':'.join(map(str, speeds)):10}{shape.lead:5}{least:8.2f}{listed:8.2f}{shown}{ratio}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.25, help="of a trial of the fastest worker")
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3, help="repeats; medians are printed")
    asked = parser.parse_args()
    version, cores, load = platform.python_version(), os.cpu_count(), os.getloadavg()[0]
    print(f"hoptim {hoptim.__version__}, Python {version}, {cores} cores, load {load:.1f}")
    print(f"{asked.members} members, {asked.steps} steps, {asked.seconds} s; {asked.rounds} rounds")
    runs = "".join(f"{name:>8}{'(spread)':>17}" for name in ("without", "plain", "hoptim"))
    print(f"{'speeds':11}lead   bound    list{runs}  plain / list  hoptim / list    over")
    for speeds in _SPEEDS:
        for lead in _LEADS:
            shape = Shape(asked.members, asked.steps, lead)
            print(row(speeds, shape, asked.seconds, asked.rounds), flush=True)


if __name__ == "__main__":
    main()
