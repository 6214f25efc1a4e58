"""The noisy quadratic: a large learning rate is needed early, and every greedy choice is a smaller one.

A model of training by SGD with a learning rate a, in expectation and exactly: independent coordinates
with curvatures h_i = 1/i, whose mean squares A_i follow A_i <- (1 - a h_i)^2 A_i + a^2 h_i^2 s_i^2 with
gradient noise s_i^2 = 1/h_i. A smaller a lowers the loss at once, because the noise goes down, and is
slower for ever after along the flat directions. The model is that of Schaul, Zhang and LeCun 2013 (arXiv
1206.1106) and of Zhang et al. 2019 (arXiv 1907.04164).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import hoptim
from hoptim.benchmarks.problem import Floats, Problem

_H: Floats = 1 / np.arange(1, 101)  # curvatures
_NOISE: Floats = _H**2 * (1 / _H)  # h^2 s^2


@dataclass(frozen=True)
class NoisyQuadratic(Problem):
    """A hundred coordinates, 300 steps, and a learning rate between 0.001 and 1."""

    name = "noisy quadratic"
    steps = 300
    space = {"a": hoptim.Float(1e-3, 1.0, log=True)}

    def start(self, size: int, seed: int) -> list[dict[str, Any]]:
        """Learning rates drawn over the whole range."""
        exponents = np.random.default_rng([seed, size]).uniform(-3, 0, size)
        return [{"a": a} for a in (10.0**exponents).tolist()]

    def begin(self, seed: int) -> Floats:
        """A = 1 in every coordinate; nothing is random here."""
        return np.ones(len(_H))

    def train(
        self, state: Floats, params: Mapping[str, Any], steps: int, seed: int
    ) -> tuple[Floats, float]:
        """SGD with a constant learning rate."""
        shrink, noise = (1 - params["a"] * _H) ** 2, params["a"] ** 2 * _NOISE
        for _ in range(steps):
            state = shrink * state + noise
        return state, loss(state)


def loss(state: Floats) -> float:
    """Half the sum of h A."""
    return 0.5 * float(_H @ state)


def greedy(state: Floats) -> float:
    """The learning rate that lowers the loss most in one step: sum h^2 A / sum h^3 (A + s^2)."""
    return float(_H**2 @ state / (_H**3 @ (state + 1 / _H)))
