"""Which part of an axis is shown."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from hoptim.plot.history import Floats, History

_DECADES = 2  # a wider range of positive values is drawn on a logarithmic axis
_MARGIN = 0.05  # of the range, on both sides
_SLACK = 0.1  # of the range, beyond the worst median; what lies further is told, not shown
_HUGE = 1e300  # matplotlib adds and subtracts limits, so they stay away from the largest float
_HUGE_LOG = math.log(_HUGE)


class Scale(NamedTuple):
    """An axis.

    Attributes:
        low: Where it begins.
        high: Where it ends.
        log: Whether it is logarithmic.
    """

    low: float
    high: float
    log: bool

    def outside(self, y: Floats) -> int:
        """How many finite numbers it does not show."""
        return int(np.sum(np.isfinite(y) & ((y < self.low) | (y > self.high))))

    def clip(self, y: Floats) -> Floats:
        """Numbers far outside brought near, still outside, so that no renderer overflows."""
        if self.log:
            return np.clip(y, self.low / 10, self.high * 10)
        reach = self.high - self.low
        return np.clip(y, self.low - reach, self.high + reach)


def around(y: Floats, log: bool = False, least: float = 0.0) -> Scale:
    """The axis that shows all of some finite numbers, positive ones when it is logarithmic.

    Args:
        y: The numbers, at least one.
        log: Whether it is logarithmic.
        least: The least that is shown on both sides of the numbers, in their unit.
    """
    ends = np.array([np.min(y), np.max(y)])
    if log:
        low, high = np.log(ends)
        margin = _MARGIN * (high - low) or math.log(2)
        low, high = np.exp(np.clip([low - margin, high + margin], -_HUGE_LOG, _HUGE_LOG)).tolist()
        return Scale(low, high, True)
    low, high = np.clip(ends, -_HUGE, _HUGE).tolist()
    margin = max(_MARGIN * (high - low) or 0.05 * abs(low) or 1.0, least)
    return Scale(low - margin, high + margin, False)


def of_values(history: History) -> Scale:
    """The axis for values, of which some may have exploded.

    It shows the best values, the chosen trial's, and each step's median; the rest as far as it is no
    further away than a tenth of that range.
    """
    y = history.value[np.isfinite(history.value)]
    medians = history.by_step(history.value, np.median)[1]
    core = np.concatenate([medians, history.best_so_far[1], history.value[history.line[-1:]]])
    core = core[np.isfinite(core)]
    if np.min(y) > 0:
        scale = _robust(np.log(y), np.log(core), history.sign)
        if scale[1] - scale[0] > _DECADES * math.log(10):
            return around(np.exp(scale), log=True)
    return around(_robust(y, core, history.sign))


def _robust(y: Floats, core: Floats, sign: int) -> Floats:
    """Ends of what is shown of y: all that is good, and not all that is bad."""
    with np.errstate(over="ignore"):
        slack = _SLACK * float(np.ptp(core))
    if sign > 0:
        return np.array([np.min(core), min(np.max(y), np.max(core) + slack)])
    return np.array([max(np.min(y), np.min(core) - slack), np.max(core)])
