"""A toy whose best hyperparameter falls linearly, while every greedy choice sets it to 0 at once.

The toy of section 5.2 of 'To Be Greedy, or Not to Be - That Is the Question for Population Based Training
Variants' (Transactions on Machine Learning Research): theta descends faster with a smaller h, but each
deviation of h from the line 1 - time accumulates and slows down all later steps. The paper counts
deviations by decision; here they are counted by step, so that all intervals train on the same problem. At
an interval of 10 steps the two agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import hoptim
from hoptim.benchmarks.problem import TrainingProblem

_RATE = 0.001
_PENALTY = 0.02  # per step with a deviation of 1: 0.2 per decision of 10 steps


class DeceptiveState(NamedTuple):
    """The state of the toy: parameter, sum of |h - line| over all steps, and number of steps."""

    theta: float
    deviation: float
    time: int


@dataclass(frozen=True)
class Deceptive(TrainingProblem):
    """1,000 steps of theta <- theta - rate * 2 max(2 - h - penalty, 0) theta; the loss is theta^2."""

    name = "deceptive"
    steps = 1000
    space = {"h": hoptim.Float(0.0, 1.1)}

    def start(self, size: int, seed: int) -> list[dict[str, Any]]:
        """Draw values around 1, where the line begins."""
        return [{"h": h} for h in np.random.default_rng([seed, size]).uniform(0.9, 1.1, size).tolist()]

    def begin(self, seed: int) -> DeceptiveState:
        """Return theta = 0.9, whatever the seed."""
        return DeceptiveState(0.9, 0.0, 0)

    def train(
        self, state: DeceptiveState, params: Mapping[str, Any], steps: int, seed: int
    ) -> tuple[DeceptiveState, float]:
        """Apply steps of gradient descent with a constant h."""
        theta, deviation, time = state
        h = params["h"]
        for now in range(time, time + steps):
            deviation += abs(h - (1 - now / self.steps))
            theta -= _RATE * 2 * max(2 - h - _PENALTY * deviation, 0.0) * theta
        return DeceptiveState(theta, deviation, time + steps), theta**2
