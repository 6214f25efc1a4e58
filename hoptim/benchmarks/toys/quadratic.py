"""The noisy quadratic: a large learning rate is needed early, but every greedy choice is a smaller one.

An exact model of the expected loss of SGD with a learning rate a: independent coordinates with curvatures
h_i = 1/i, whose mean squares A_i follow A_i <- (1 - a h_i)^2 A_i + a^2 h_i^2 s_i^2 with gradient noise
s_i^2 = 1/h_i. A smaller a lowers the loss at once, because it reduces the noise, but slows down progress
along the flat directions from then on. The model is that of Schaul, Zhang and LeCun 2013 (arXiv 1206.1106)
and of Zhang et al. 2019 (arXiv 1907.04164).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import hoptim
from hoptim.benchmarks.problem import TrainingProblem
from hoptim.benchmarks.scores import Floats

_H: Floats = 1 / np.arange(1, 101)  # curvatures
_NOISE: Floats = _H**2 * (1 / _H)  # h^2 s^2


@dataclass(frozen=True)
class NoisyQuadratic(TrainingProblem):
    """A hundred coordinates, 300 steps, and a learning rate between 0.001 and 1.

    Args:
        noise: Factor of the gradient noise s^2. Default: 1.
    """

    noise: float = 1.0

    name = "noisy quadratic"
    steps = 300
    space = {"a": hoptim.Float(1e-3, 1.0, log=True)}

    def start(self, size: int, seed: int) -> list[dict[str, Any]]:
        """Draw learning rates over the whole range."""
        exponents = np.random.default_rng([seed, size]).uniform(-3, 0, size)
        return [{"a": a} for a in (10.0**exponents).tolist()]

    def begin(self, seed: int) -> Floats:
        """Return A = 1 in every coordinate, whatever the seed."""
        return np.ones(len(_H))

    def train(
        self, state: Floats, params: Mapping[str, Any], steps: int, seed: int
    ) -> tuple[Floats, float]:
        """Apply steps of SGD with a constant learning rate."""
        shrink, noise = (1 - params["a"] * _H) ** 2, params["a"] ** 2 * self.noise * _NOISE
        for _ in range(steps):
            state = shrink * state + noise
        return state, loss(state)


def loss(state: Floats) -> float:
    """Return half the sum of h A."""
    return 0.5 * float(_H @ state)


def greedy(state: Floats) -> float:
    """Return the learning rate with the lowest loss after one step, sum h^2 A / sum h^3 (A + s^2)."""
    return float(_H**2 @ state / (_H**3 @ (state + 1 / _H)))
