"""Functions of the hyperparameters as problems: nothing is trained, each step evaluates anew."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import hoptim
from hoptim.benchmarks.problem import TrainingProblem
from hoptim.benchmarks.toys import mixed, rosenbrock


class Static(TrainingProblem):
    """60 evaluations of each member; first hyperparameters are drawn."""

    steps = 60

    def begin(self, seed: int) -> None:
        """Return None, since there is no state."""

    def train(self, state: None, params: Mapping[str, Any], steps: int, seed: int) -> tuple[None, float]:
        """Return the loss of the hyperparameters."""
        return None, self.loss(params)

    @abstractmethod
    def loss(self, params: Mapping[str, Any]) -> float:
        """Return the loss of one evaluation."""


@dataclass(frozen=True)
class Rosenbrock(Static):
    """Rosenbrock's function in n dimensions, from anywhere.

    Args:
        n: Number of dimensions. Default: 2.
    """

    n: int = 2

    @property
    def name(self) -> str:
        """Return the name with the number of dimensions."""
        return f"rosenbrock {self.n}"

    @property
    def space(self) -> Mapping[str, hoptim.Dimension]:
        """Return n coordinates."""
        return {f"x{i + 1}": hoptim.Float(*rosenbrock.RANGE) for i in range(self.n)}

    def loss(self, params: Mapping[str, Any]) -> float:
        """Return Rosenbrock's function."""
        return float(rosenbrock.loss(params.values()))


@dataclass(frozen=True)
class Mixed(Static):
    """Floats, whole numbers, an order and choices that depend on each other."""

    name = "mixed"
    space = mixed.SPACE

    def loss(self, params: Mapping[str, Any]) -> float:
        """Return the loss in the mixed space, at least as high as rounding makes it."""
        return max(mixed.loss(params), mixed.SMALLEST)


@dataclass(frozen=True)
class Ripples(Static):
    """Rastrigin's function in three dimensions, with many local minima, the lowest away from the middle."""

    name = "ripples"
    space = {name: hoptim.Float(-4.0, 4.0) for name in "xyz"}

    def loss(self, params: Mapping[str, Any]) -> float:
        """Return Rastrigin's function of the distance to (1.3, 1.3, 1.3), with ripples of 3."""
        return float(
            sum((x - 1.3) ** 2 + 3 * (1 - math.cos(2 * math.pi * (x - 1.3))) for x in params.values())
        )
