"""The toy of figure 2 of the PBT paper: each hyperparameter alone trains one of two parameters.

Of Jaderberg et al. 2017 (arXiv 1711.09846): the quality 1.2 - |theta|^2 is to be raised by gradient descent
on a surrogate whose two terms are weighted by h. No member's first h trains both parameters, so only those
that copy weights or raise both h finish. What is best now is best in the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import hoptim
from hoptim.benchmarks.problem import TrainingProblem
from hoptim.benchmarks.scores import Floats

_RATE = 0.02


@dataclass(frozen=True)
class Jaderberg(TrainingProblem):
    """100 steps of theta <- theta - rate * 2 h theta from (0.9, 0.9); the loss is |theta|^2."""

    name = "jaderberg"
    steps = 100
    space = {"h0": hoptim.Float(0.0, 1.0), "h1": hoptim.Float(0.0, 1.0)}

    def start(self, size: int, seed: int) -> list[dict[str, Any]]:
        """Return (1, 0) and (0, 1) in turn, as in the paper."""
        return [{"h0": 1.0 - i % 2, "h1": 0.0 + i % 2} for i in range(size)]

    def begin(self, seed: int) -> Floats:
        """Return theta, whatever the seed."""
        return np.array([0.9, 0.9])

    def train(
        self, state: Floats, params: Mapping[str, Any], steps: int, seed: int
    ) -> tuple[Floats, float]:
        """Apply steps of gradient descent with constant weights."""
        theta = state * (1 - 2 * _RATE * np.array([params["h0"], params["h1"]])) ** steps
        return theta, float(theta @ theta)
