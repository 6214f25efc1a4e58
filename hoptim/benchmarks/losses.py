"""What final losses come to, one of each run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class _Has(Protocol):
    @property
    def losses(self) -> Sequence[float]: ...


class Losses:
    """Mean and spread of something with final `losses`, one of each run."""

    @property
    def mean(self: _Has) -> float:
        """Of the final losses."""
        return float(np.mean(self.losses))

    @property
    def std(self: _Has) -> float:
        """Population standard deviation of the final losses."""
        return float(np.std(self.losses))


def typical(losses: Sequence[float]) -> int:
    """Which of some runs has the median loss, the better of two."""
    order = np.argsort(losses, kind="stable")
    return int(order[(len(order) - 1) // 2])
