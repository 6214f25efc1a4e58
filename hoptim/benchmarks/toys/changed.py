"""Problems made harder in one way: noise in the evaluation, rounded losses, idle hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import hoptim
from hoptim.benchmarks.problem import TrainingProblem


@dataclass(frozen=True)
class Changed(TrainingProblem):
    """Another problem, trained in the same way.

    Args:
        problem: The other problem.
    """

    problem: TrainingProblem

    @property
    def name(self) -> str:
        """Return the other problem's name, and what is changed."""
        return f"{self.problem.name}, {type(self).__name__.lower()}"

    @property
    def steps(self) -> int:
        """Return the other problem's steps."""
        return self.problem.steps

    @property
    def space(self) -> Mapping[str, hoptim.Dimension]:
        """Return the other problem's hyperparameters."""
        return self.problem.space

    def start(self, size: int, seed: int) -> list[dict[str, Any]]:
        """Return the other problem's start."""
        return self.problem.start(size, seed)

    def begin(self, seed: int) -> tuple[Any, float]:
        """Return the other problem's state and no loss yet."""
        return self.problem.begin(seed), float("nan")

    def train(
        self, state: tuple[Any, float], params: Mapping[str, Any], steps: int, seed: int
    ) -> tuple[tuple[Any, float], float]:
        """Train the other problem, and tell its loss as it is seen here."""
        inner, loss = self.problem.train(state[0], params, steps, seed)
        return (inner, loss), self.seen(loss, seed)

    def score(self, state: tuple[Any, float], loss: float) -> float:
        """Return the other problem's loss."""
        return state[1]

    def seen(self, loss: float, seed: int) -> float:
        """Return the loss that is told."""
        return loss


@dataclass(frozen=True)
class Noisy(Changed):
    """A problem whose loss is seen with normal noise.

    Args:
        problem: The other problem.
        deviation: Standard deviation of the noise. Default: 0.05.
    """

    deviation: float = 0.05

    def seen(self, loss: float, seed: int) -> float:
        """Return the loss plus noise."""
        return loss + self.deviation * float(np.random.default_rng([seed, 2]).standard_normal())


@dataclass(frozen=True)
class Rounded(Changed):
    """A problem whose loss is seen in coarse units, so that many are equal.

    Args:
        problem: The other problem.
        unit: Unit of the losses. Default: 0.05.
    """

    unit: float = 0.05

    def seen(self, loss: float, seed: int) -> float:
        """Return the loss rounded to whole units."""
        return self.unit * round(loss / self.unit)


@dataclass(frozen=True)
class Idle(Changed):
    """A problem with more hyperparameters, which have no effect.

    Args:
        problem: The other problem.
        count: Number of them. Default: 4.
    """

    count: int = 4

    @property
    def space(self) -> Mapping[str, hoptim.Dimension]:
        """Return all hyperparameters."""
        idle = {f"idle{i + 1}": hoptim.Float(0.0, 1.0) for i in range(self.count)}
        return {**self.problem.space, **idle}

    def start(self, size: int, seed: int) -> list[dict[str, Any]]:
        """Return the other problem's start, with draws of the idle ones."""
        drawn = TrainingProblem.start(self, size, seed)
        return [
            {**all_, **known} for all_, known in zip(drawn, self.problem.start(size, seed), strict=True)
        ]
