"""The rungs of ASHA: which configurations pause at each, and which of them are among its best."""

from __future__ import annotations

import math
from bisect import bisect_right
from heapq import heappop, heappush, heapreplace

from hoptim.optimizers.population import Row
from hoptim.optimizers.summary import Summary


class Rungs(Summary):
    """The configurations that arrived at each rung.

    Args:
        trained: Intervals of training at each rung; the last one ends a configuration.
        factor: Divisor of each rung: its best 1 / factor are promoted.
    """

    def __init__(self, trained: tuple[int, ...], factor: int) -> None:
        self._trained = trained
        self._rungs = [_Rung(factor) for _ in trained]
        self._continued: set[int] = set()

    def begun(self, trial: Row) -> None:
        self._continued.add(trial.parent)

    def ended(self, trial: Row) -> None:
        trained, healthy = trial.age + 1, math.isfinite(trial.loss)
        aimed = bisect_right(self._trained, trained - trial.span)  # the first rung after its last value
        reached = bisect_right(self._trained, trained) - 1  # the last one that it has passed
        at = reached if healthy else aimed
        if aimed <= at < len(self._rungs) and not is_forked(trial.parent, trial.age, trial.span):
            self._rungs[at].add(trial if healthy else None)

    def promotable(self) -> Row | None:
        """Return the trial to continue to its next rung: the best of the highest; None if there is none."""
        found = (rung.promotable(self._continued) for rung in reversed(self._rungs[:-1]))
        return next((trial for trial in found if trial is not None), None)


class _Rung:
    """One rung; each arrival and each look costs the logarithm of the arrivals."""

    def __init__(self, factor: int) -> None:
        self._factor, self._arrived = factor, 0
        self._best: list[tuple[float, int]] = []  # a heap of (-loss, -number): the worst of the best first
        self._others: list[tuple[float, int]] = []  # a heap of (loss, number): the best of the others first
        self._paused: list[tuple[float, int, Row]] = []  # a heap, with some that were continued since

    def add(self, trial: Row | None) -> None:
        """Add a configuration that arrived; None for one that failed on the way."""
        self._arrived += 1
        if trial is not None:
            loss, number = trial.loss, trial.number
            heappush(self._paused, (loss, number, trial))
            if self._best and (-loss, -number) > self._best[0]:
                loss, number = heapreplace(self._best, (-loss, -number))
                loss, number = -loss, -number
            heappush(self._others, (loss, number))
        while self._others and len(self._best) < self._arrived // self._factor:
            loss, number = heappop(self._others)
            heappush(self._best, (-loss, -number))

    def promotable(self, continued: set[int]) -> Row | None:
        """Return the best trial that pauses here, if it is among the best of all that arrived."""
        while self._paused and self._paused[0][1] in continued:
            heappop(self._paused)
        if not self._paused or not self._best:
            return None
        loss, number, trial = self._paused[0]
        return trial if (-loss, -number) >= self._best[0] else None


def is_forked(parent: int, age: int, span: int) -> bool:
    """Tell whether a trial's weights come from another study, by a fork.

    They continue without a comparison, because most that reached their rung were left in that study.
    """
    return parent < 0 and age >= span
