"""A learning rate whose best value rises and then falls; the toy of Ray Tune's tutorial on PBT.

The best rate grows in proportion to the accuracy up to its middle and shrinks again after it. Progress is
the faster the nearer the rate is to the best, and noisy. What is best now is best in the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import hoptim
from hoptim.benchmarks.problem import TrainingProblem

_PEAK, _MIDDLE, _FLOOR = 0.01, 100.0, 0.001
_NEAR = 3.0  # from this ratio to the best rate on, a rate that is too high does harm


@dataclass(frozen=True)
class Triangle(TrainingProblem):
    """100 steps of noisy progress of the accuracy from 0; the loss is its negative, in percent of 200."""

    name = "triangle"
    steps = 100
    space = {"lr": hoptim.Float(1e-4, 2e-2)}

    def begin(self, seed: int) -> float:
        """Return an accuracy of 0, whatever the seed."""
        return 0.0

    def train(self, state: float, params: Mapping[str, Any], steps: int, seed: int) -> tuple[float, float]:
        """Train with a constant learning rate."""
        accuracy, rate, rng = state, params["lr"], np.random.default_rng([seed, 1])
        for progress, noise in zip(rng.random(steps), rng.normal(0, 2, steps), strict=True):
            best = max(_FLOOR, _PEAK * (1 - abs(accuracy - _MIDDLE) / _MIDDLE))
            ratio = max(rate, best) / min(rate, best)
            if ratio < _NEAR:
                accuracy += 2 * progress / ratio
            elif rate > best:
                accuracy -= progress * (ratio - _NEAR)
            accuracy = max(0.0, accuracy + float(noise))
        return accuracy, -accuracy / 2
