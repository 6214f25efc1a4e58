"""Hyperparameters whose best values move: as a wave, in jumps, or as a random walk.

Each step multiplies the loss by a factor that is the smaller the nearer the hyperparameters are to their
best values at that time. What is best now is best in the end, so it has to be followed, and fast.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

import hoptim
from hoptim.benchmarks.problem import TrainingProblem
from hoptim.benchmarks.scores import Floats

_STEPS = 100
_GAIN = 0.1  # largest relative progress of a step
_WIDTH = 0.1  # distance from the best value at which progress is down to 0.6 of it, in each dimension


class MovingState(NamedTuple):
    """The loss, and the number of steps."""

    loss: float
    time: int


class Moving(TrainingProblem):
    """100 steps of loss <- loss (1 - gain exp(-distance^2 / (2 d width^2))), from 1."""

    steps = _STEPS

    @abstractmethod
    def path(self) -> Floats:
        """Return the best values `(steps, d)` in [0, 1]."""

    def begin(self, seed: int) -> MovingState:
        """Return a loss of 1, whatever the seed."""
        return MovingState(1.0, 0)

    def train(
        self, state: MovingState, params: Mapping[str, Any], steps: int, seed: int
    ) -> tuple[MovingState, float]:
        """Apply steps with constant hyperparameters."""
        loss, time = state
        best = self.path()[time : time + steps]
        squares = ((np.array([*params.values()]) - best) ** 2).mean(axis=1)
        loss *= float(np.prod(1 - _GAIN * np.exp(-squares / (2 * _WIDTH**2))))
        return MovingState(loss, time + steps), loss


@dataclass(frozen=True)
class Wave(Moving):
    """A hyperparameter whose best value swings twice through most of its range."""

    name = "wave"
    space = {"x": hoptim.Float(0.0, 1.0)}

    def path(self) -> Floats:
        """Return two periods of a sine."""
        return _wave()


@dataclass(frozen=True)
class Jumps(Moving):
    """Two hyperparameters whose best values jump every 20 steps."""

    name = "jumps"
    space = {"x": hoptim.Float(0.0, 1.0), "y": hoptim.Float(0.0, 1.0)}

    def path(self) -> Floats:
        """Return five points, 20 times each."""
        return _jumps()


@dataclass(frozen=True)
class Walk(Moving):
    """Four hyperparameters whose best values walk at random, reflected at the bounds."""

    name = "random walk"
    space = {name: hoptim.Float(0.0, 1.0) for name in "wxyz"}

    def path(self) -> Floats:
        """Return a random walk, always the same."""
        return _walk()


@cache
def _wave() -> Floats:
    path: Floats = 0.5 + 0.4 * np.sin(4 * np.pi * np.arange(_STEPS) / _STEPS)
    return path[:, None]


@cache
def _jumps() -> Floats:
    return np.repeat(np.random.default_rng(3).random((5, 2)), _STEPS // 5, axis=0)


@cache
def _walk() -> Floats:
    walk = 0.5 + np.cumsum(np.random.default_rng(4).normal(0, 0.03, (_STEPS, 4)), axis=0)
    reflected: Floats = 1 - np.abs(walk % 2 - 1)
    return reflected
