"""A plateau: all values are equal at first, and only the weights know which of them will be best.

Weights learn at a rate that depends on h and on how good their initialisation was, which no loss shows. The
loss is coarse, like an accuracy on few examples or a sparse reward: the same for all at first, and one of
twenty values later. An optimizer that copies weights between equals has lost most initialisations by then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import hoptim
from hoptim.benchmarks.problem import TrainingProblem

EQUAL = 5  # steps at the start during which all losses are 1
_LEVELS = 20  # values of the loss from 1 to 0
_FASTEST = 1 / _LEVELS / (EQUAL + 1)  # progress per step of the highest quality with the best h
_BEST = 0.7


class PlateauState(NamedTuple):
    """The state of the toy: quality of the initialisation, from 1/2 to 1, and progress from 0 on."""

    quality: float
    progress: float


@dataclass(frozen=True)
class Plateau(TrainingProblem):
    """100 steps of progress <- progress + rate * quality * (1 - |h - 0.7|); the loss is 1 - progress.

    It is rounded up to a multiple of 1/20, so with an interval of 1 each member's first five losses are 1.
    """

    name = "plateau"
    steps = 100
    space = {"h": hoptim.Float(0.0, 1.0)}

    def start(self, size: int, seed: int) -> list[dict[str, Any]]:
        """Draw values over the whole range."""
        return [{"h": h} for h in np.random.default_rng([seed, size]).uniform(0, 1, size).tolist()]

    def begin(self, seed: int) -> PlateauState:
        """Draw a quality."""
        return PlateauState(float(np.random.default_rng([seed, 0]).uniform(0.5, 1)), 0.0)

    def train(
        self, state: PlateauState, params: Mapping[str, Any], steps: int, seed: int
    ) -> tuple[PlateauState, float]:
        """Make progress with a constant h."""
        quality, progress = state
        for _ in range(steps):
            progress += _FASTEST * quality * (1 - abs(params["h"] - _BEST))
        return PlateauState(quality, progress), 1 - math.floor(progress * _LEVELS) / _LEVELS
