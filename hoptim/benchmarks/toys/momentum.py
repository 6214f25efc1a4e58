"""Learning rate and momentum of a noisy quadratic: what is best for the next steps is worse in the end.

The second moments of each coordinate and its velocity follow a linear map, so that the expected loss is
exact, as that of `hoptim.benchmarks.toys.quadratic` is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import hoptim
from hoptim.benchmarks.problem import TrainingProblem
from hoptim.benchmarks.scores import Floats

_H: Floats = 1 / np.arange(1, 41) ** 1.5  # curvatures


@dataclass(frozen=True)
class Momentum(TrainingProblem):
    """Forty coordinates and 200 steps of v <- m v - a g, x <- x + v, where g has a variance of h."""

    name = "momentum"
    steps = 200
    space = {"a": hoptim.Float(1e-3, 1.0, log=True), "one_minus_m": hoptim.Float(0.01, 1.0, log=True)}

    def begin(self, seed: int) -> Floats:
        """Return the moments (xx, xv, vv) = (1, 0, 0) of every coordinate, whatever the seed."""
        return np.stack([np.ones(len(_H)), np.zeros(len(_H)), np.zeros(len(_H))])

    def train(
        self, state: Floats, params: Mapping[str, Any], steps: int, seed: int
    ) -> tuple[Floats, float]:
        """Apply steps with a constant rate and momentum."""
        a, m = params["a"], 1 - params["one_minus_m"]
        for _ in range(steps):
            xx, xv, vv = state
            new_vv = m**2 * vv - 2 * m * a * _H * xv + (a * _H) ** 2 * xx + a**2 * _H
            new_xv = m * xv - a * _H * xx + new_vv
            state = np.stack([xx + 2 * (m * xv - a * _H * xx) + new_vv, new_xv, new_vv])
        return state, 0.5 * float(_H @ state[0])
