"""Statistics of scores, one score per run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class _HasScores(Protocol):
    @property
    def scores(self) -> Sequence[float]: ...


class ScoreStatistics:
    """Mean and spread of `scores`, which a subclass provides: one per run, lower is better."""

    @property
    def mean(self: _HasScores) -> float:
        """Return the mean score."""
        return float(np.mean(self.scores))

    @property
    def std(self: _HasScores) -> float:
        """Return the population standard deviation of the scores."""
        return float(np.std(self.scores))

    @property
    def standard_error(self: _HasScores) -> float:
        """Return the standard error of the mean; needs at least 2 scores."""
        return float(np.std(self.scores)) / float(np.sqrt(len(self.scores) - 1))


def median_run(scores: Sequence[float]) -> int:
    """Return the index of the run with the median score; of two in the middle, the lower one."""
    order = np.argsort(scores, kind="stable")
    return int(order[(len(order) - 1) // 2])


class Interval(NamedTuple):
    """A mean and its 95 % confidence interval."""

    mean: float
    low: float
    high: float


def mean_interval(values: Sequence[float]) -> Interval:
    """Return the mean of at least 2 values with its confidence interval by Student's t."""
    from scipy.stats import t  # slow to import

    mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / float(np.sqrt(len(values)))
    half = float(t.ppf(0.975, len(values) - 1)) * error
    return Interval(mean, mean - half, mean + half)
