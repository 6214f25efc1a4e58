"""The scale that numbers ask for, the same in every picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_DECADE = 10.0
_LOWEST = 0.25  # of a linear axis


def suits_log(y: NDArray[np.float64]) -> bool:
    """Tell whether numbers are to be drawn on a logarithmic axis.

    They are if they are positive, span more than a decade, and half of them would lie in the lowest quarter
    of a linear axis. A loss that falls does; an accuracy that rises to 1 does not.

    Args:
        y: Numbers that are shown; those that are not finite are left out.

    >>> suits_log(np.array([5.0, 1.0, 0.4, 0.3])), suits_log(np.array([0.05, 0.8, 0.9, 0.95]))
    (True, False)
    """
    shown = np.sort(y[np.isfinite(y)])
    if not len(shown) or shown[0] <= 0:
        return False
    low, median, high = shown[[0, len(shown) // 2, -1]].tolist()
    return bool(high > _DECADE * low and median - low < _LOWEST * (high - low))
