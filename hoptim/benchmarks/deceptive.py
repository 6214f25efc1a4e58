"""A toy whose best hyperparameter falls linearly, while every greedy choice drops it at once.

The toy of section 5.2 of 'To Be Greedy, or Not to Be - That Is the Question for Population Based Training
Variants' (Transactions on Machine Learning Research): theta descends faster with a smaller h, but each
departure of h from the line 1 - time is remembered and slows down all that follows. There departures
are counted by decision; here by time, so that all intervals train on the same problem. At an interval of
10 steps the two agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import hoptim
from hoptim.benchmarks.problem import Problem

_RATE = 0.001
_PENALTY = 0.02  # for each step of a departure of 1: 0.2 for each decision of 10 steps


class State(NamedTuple):
    """Where the toy stands."""

    theta: float
    departed: float  # sum over all steps of |h - line|
    time: int


@dataclass(frozen=True)
class Deceptive(Problem):
    """1,000 steps of theta <- theta - rate * 2 max(2 - h - penalty, 0) theta; the loss is theta^2."""

    name = "deceptive"
    steps = 1000
    space = {"h": hoptim.Float(0.0, 1.1)}

    def start(self, size: int, seed: int) -> list[dict[str, Any]]:
        """Around 1, where the line begins."""
        return [{"h": h} for h in np.random.default_rng([seed, size]).uniform(0.9, 1.1, size).tolist()]

    def begin(self, seed: int) -> State:
        """theta = 0.9; nothing is random here."""
        return State(0.9, 0.0, 0)

    def train(self, state: State, params: Mapping[str, Any], steps: int, seed: int) -> tuple[State, float]:
        """Gradient descent with a constant h."""
        theta, departed, time = state
        h = params["h"]
        for now in range(time, time + steps):
            departed += abs(h - (1 - now / self.steps))
            theta -= _RATE * 2 * max(2 - h - _PENALTY * departed, 0.0) * theta
        return State(theta, departed, time + steps), theta**2
