"""The part of an axis that is shown."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from hoptim.analysis.scale import suits_log
from hoptim.analysis.trial_table import Floats, TrialTable

_MARGIN = 0.05  # of the range, on both sides
_SLACK = 0.1  # of the range, beyond the worst median; values further away are counted, not shown
_HUGE = 1e300  # matplotlib adds and subtracts limits, so they stay away from the largest float
_HUGE_LOG = math.log(_HUGE)


class Scale(NamedTuple):
    """Limits and kind of an axis.

    Attributes:
        low: Lower limit.
        high: Upper limit.
        log: True for a logarithmic axis.
    """

    low: float
    high: float
    log: bool

    def outside(self, y: Floats) -> int:
        """Count the finite numbers that are not shown."""
        return int(np.sum(np.isfinite(y) & ((y < self.low) | (y > self.high))))

    def clip(self, y: Floats) -> Floats:
        """Move numbers far outside nearer, still outside, so that no renderer overflows."""
        if self.log:
            return np.clip(y, self.low / 10, self.high * 10)
        reach = self.high - self.low
        return np.clip(y, self.low - reach, self.high + reach)


def scale_of(y: Floats, log: bool = False, margin: float = 0.0) -> Scale:
    """Return the axis that shows all of some numbers.

    Args:
        y: Finite numbers, at least one; positive if `log`.
        log: True for a logarithmic axis. Default: False.
        margin: Least room on both sides of the numbers of a linear axis, in their unit. Default: 0.
    """
    ends = np.array([np.min(y), np.max(y)])
    if log:
        low, high = np.log(ends)
        room = _MARGIN * (high - low) or math.log(2)
        low, high = np.exp(np.clip([low - room, high + room], -_HUGE_LOG, _HUGE_LOG)).tolist()
        return Scale(low, high, True)
    low, high = np.clip(ends, -_HUGE, _HUGE).tolist()
    room = max(_MARGIN * (high - low) or _MARGIN * abs(low) or 1.0, margin)
    return Scale(low - room, high + room, False)


def value_scale(table: TrialTable) -> Scale:
    """Return the axis for values, of which some may have exploded.

    It shows the best values, the highlighted trial's, and each step's median; other values as far as
    they are at most a tenth of that range away.
    """
    y = table.value[np.isfinite(table.value)]
    medians = table.by_step(table.value, np.median)[1]
    core = np.concatenate([medians, table.best_so_far[1], table.value[table.line[-1:]]])
    core = core[np.isfinite(core)]
    if np.min(y) > 0:
        ends = np.exp(_robust(np.log(y), np.log(core), table.sign))
        if suits_log(np.clip(y, *ends)):
            return scale_of(ends, log=True)
    return scale_of(_robust(y, core, table.sign))


def _robust(y: Floats, core: Floats, sign: int) -> Floats:
    """Return the lowest and highest of y to show: all good values, and bad ones near the core."""
    with np.errstate(over="ignore"):
        slack = _SLACK * float(np.ptp(core))
    if sign > 0:
        return np.array([np.min(core), min(np.max(y), np.max(core) + slack)])
    return np.array([max(np.min(y), np.min(core) - slack), np.max(core)])
