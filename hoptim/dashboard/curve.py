"""The best value so far of a study by step, kept up to date with what is new alone."""

from __future__ import annotations

import math
from array import array

from hoptim import Results
from hoptim._arguments import sign_of


class Curve:
    """Points at which the best value so far changes, of a study that is "min" or "max"."""

    def __init__(self, mode: str) -> None:
        self._sign = sign_of(mode)
        self._best = array("d")  # of each step; floats of their own would keep the trials' memory in use
        self._records = 0  # that are in it

    def add(self, results: Results) -> None:
        """Take in the trials that have ended since the view before."""
        for trial in results.since(self._records):
            if trial.finite:
                step, value = trial.step, trial.value
                self._best.extend([math.nan] * (step + 1 - len(self._best)))
                best = self._best[step]
                if math.isnan(best) or self._sign * value < self._sign * best:
                    self._best[step] = value
        self._records = results.records

    @property
    def points(self) -> list[tuple[int, float]]:
        """Return steps and values, each value until the next point; the last one is at the last step."""
        found: list[tuple[int, float]] = []
        for step, value in enumerate(self._best):
            if math.isfinite(value) and (not found or self._sign * value < self._sign * found[-1][1]):
                found.append((step, value))
        last = len(self._best) - 1
        return [*found, (last, found[-1][1])] if found and found[-1][0] < last else found
